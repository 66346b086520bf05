"""The bytes of a whole message → the same part tree that an IMAP server would tell, with section numbers.

One pass over the lines that begin with '--', no recursion, so that thousands of nested or neighbouring parts cost no
more than their bytes. Sources: RFC 2046 §5.1 (boundaries), RFC 3501 §6.4.5 (section numbers), RFC 2045 §5.2 (defaults).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from mailwall.mime.headers import MAX_HEADER_BYTES, decode_text
from mailwall.mime.parameters import parse_parameters
from mailwall.mime.types import BodyPart

MAX_DEPTH = 50
MAX_PARTS = 1_000
MESSAGE_TYPES = frozenset(("message/rfc822", "message/global"))

_BLANK_LINE = re.compile(rb"\n\r?\n|\r\r(?!\n)")
_DASHED_LINE = re.compile(rb"\n--([^\r\n]{0,1000})")
_CONTENT_FIELD = re.compile(rb"\ncontent-(type|disposition|transfer-encoding|id)[ \t]*:([^\n]*+(?:\n[ \t][^\n]*+)*+)")
_FOLD = re.compile(rb"\r?\n")
_MEDIA_TYPE = re.compile(r"[a-z0-9!#$&^_.+'-]+/[a-z0-9!#$&^_.+'-]+")
_IDENTITY = frozenset(("", "7bit", "8bit", "binary"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Scan:
    """raw_header: up to and with the blank line. raw_sections: section → bytes on the wire, of every part that is no
    multipart and not inside an attached message. defects: in short words."""

    raw_header: bytes
    structure: BodyPart
    raw_sections: dict[str, bytes]
    defects: tuple[str, ...]


@dataclass(slots=True, eq=False)
class _Node:
    parent: _Node | None
    depth: int
    content_type: str = "text/plain"
    params: dict[str, str] = field(default_factory=dict)
    encoding: str = "7bit"
    disposition: str = ""
    filename: str = ""
    content_id: str = ""
    boundary: bytes = b""
    start: int = 0
    end: int = -1
    section: str = ""
    children: list[_Node] = field(default_factory=list)


def structure_of(raw_whole: bytes) -> tuple[BodyPart, dict[str, bytes]]:
    """The part tree of a whole message and the raw sections of its leaves (see Scan)."""
    scan = scan_message(raw_whole)
    return scan.structure, scan.raw_sections


def scan_message(raw_whole: bytes) -> Scan:
    """Part tree, header and sections of a whole message. Never raises; linear in the size of the message."""
    scanner = _Scanner(raw_whole)
    scanner.run()
    root = scanner.nodes[0]
    _number(root)
    structure, sections = _freeze(scanner.nodes, raw_whole)
    header_end = min(root.start, len(raw_whole)) if root.start else len(raw_whole)
    return Scan(
        raw_header=raw_whole[:header_end],
        structure=structure,
        raw_sections=sections,
        defects=tuple(dict.fromkeys(scanner.defects)),
    )


class _Scanner:
    """Reads delimiter lines in order. `stack`: the open multiparts; `tip`: the node whose bytes we stand in."""

    def __init__(self, raw: bytes) -> None:
        self.raw = raw
        self.nodes = [_Node(None, 0)]
        self.tip = self.nodes[0]
        self.in_header = True
        self.header_start = 0
        self.searched = 0
        self.stack: list[_Node] = []
        self.open: dict[bytes, int] = {}
        self.defects: list[str] = []

    def run(self) -> None:
        for match in _DASHED_LINE.finditer(self.raw):
            line_start = match.start() + 1
            if self.in_header:
                self._try_header(line_start, match[1])
            if self.stack:
                self._delimiter(match[1].rstrip(b" \t"), line_start, match.end())
            elif not self.in_header:
                break  # no multipart: dashes are text
        self._finish()

    def _try_header(self, limit: int, dashed: bytes | None) -> bool:
        """Read the header of the part at the tip if its blank line stands before `limit`; then that of its content."""
        while self.in_header:
            start = self.header_start
            if self.raw[start : start + 1] == b"\n" or self.raw[start : start + 2] == b"\r\n":
                end = start + (1 if self.raw[start] == 10 else 2)
                body = end
            else:
                match = _BLANK_LINE.search(self.raw, max(start, self.searched - 3), min(limit, len(self.raw)))
                if match is None:
                    self.searched = limit
                    return False
                end, body = match.start() + 1, match.end()
            if end > limit:
                return False
            self._enter(self.raw[start:end], body, dashed)
        return True

    def _enter(self, raw_header: bytes, body_start: int, dashed: bytes | None) -> None:
        """The tip's header is known: describe it, and open it when it is a multipart or a message."""
        node = self.tip
        _describe(node, raw_header)
        node.start = body_start
        self.in_header = False
        if node.content_type.startswith("multipart/"):
            self._open_multipart(node, dashed)
        elif node.content_type in MESSAGE_TYPES and node.encoding in _IDENTITY:
            if node.depth >= MAX_DEPTH:
                self.defects.append("nested too deep")
            elif self._add_child(node):
                self.in_header = True
                self.header_start = body_start

    def _open_multipart(self, node: _Node, dashed: bytes | None) -> None:
        if node.depth >= MAX_DEPTH:
            self.defects.append("nested too deep")
            return
        boundary = node.params.get("boundary", "").encode("utf-8", "surrogateescape").rstrip(b" \t")
        if not boundary:
            self.defects.append("multipart without boundary")
            boundary = (dashed or b"").rstrip(b" \t")
            if not boundary or boundary in self.open:
                return
        node.boundary = boundary[:1000]
        self.stack.append(node)
        self.open[node.boundary] = len(self.stack) - 1

    def _add_child(self, parent: _Node) -> bool:
        if len(self.nodes) >= MAX_PARTS:
            self.defects.append("too many parts")
            return False
        digest = parent.content_type == "multipart/digest"
        node = _Node(parent, parent.depth + 1, content_type="message/rfc822" if digest else "text/plain")
        parent.children.append(node)
        self.nodes.append(node)
        self.tip = node
        return True

    def _delimiter(self, line: bytes, line_start: int, line_end: int) -> None:
        index, closes = self.open.get(line), False
        if index is None and line.endswith(b"--"):
            index, closes = self.open.get(line[:-2].rstrip(b" \t")), True
        if index is None:
            return
        owner = self.stack[index]
        self._close_until(owner, line_start)
        if len(self.stack) > index + 1:
            self.defects.append("missing final boundary")
        self._shrink(index if closes else index + 1)
        self.in_header = False
        if closes:
            owner.end = line_start
            self.tip = owner
        elif self._add_child(owner):
            newline = self.raw.find(b"\n", line_end, line_end + 3)
            self.header_start = self.searched = newline + 1 if newline >= 0 else line_end
            self.in_header = True

    def _close_until(self, owner: _Node, line_start: int) -> None:
        """End all nodes from the tip up to (without) the owner: the line break before a delimiter belongs to it."""
        if self.in_header:
            self._header_only(line_start)
        end = line_start
        if self.raw[end - 1 : end] == b"\n":
            end -= 2 if self.raw[end - 2 : end - 1] == b"\r" else 1
        node: _Node | None = self.tip
        while node is not None and node is not owner:
            if node.end < 0:
                node.end = max(end, node.start)
            node = node.parent
        self.tip = owner

    def _header_only(self, limit: int) -> None:
        """A part that ended within its header: no blank line came."""
        _describe(self.tip, self.raw[self.header_start : limit])
        self.tip.start = limit
        self.in_header = False

    def _shrink(self, length: int) -> None:
        if length < len(self.stack):
            del self.stack[length:]
            self.open = {node.boundary: index for index, node in enumerate(self.stack)}

    def _finish(self) -> None:
        size = len(self.raw)
        if self.in_header and not self._try_header(size, None):
            self._header_only(size)
        if self.stack:
            self.defects.append("missing final boundary")
        for node in self.nodes:
            if node.end < 0:
                node.end = size


def _describe(node: _Node, raw_header: bytes) -> None:
    """Fill a node from its header fields; the first of equal fields counts."""
    fields: dict[str, bytes] = {}
    raw_header = b"\n" + raw_header[:MAX_HEADER_BYTES]
    for match in _CONTENT_FIELD.finditer(raw_header.lower()):
        fields.setdefault(match[1].decode("ascii"), _FOLD.sub(b"", raw_header[match.start(2) : match.end(2)]).strip())
    if raw_type := fields.get("type"):
        value, node.params = parse_parameters(raw_type)
        node.content_type = value if _MEDIA_TYPE.fullmatch(value) else ""
    disposition, names = parse_parameters(fields.get("disposition", b""))
    if "=" in disposition:  # `Content-Disposition: filename="x.pdf"`
        disposition, names = "attachment", parse_parameters(b"attachment;" + fields["disposition"])[1]
    node.disposition = "inline" if disposition == "inline" else "attachment" if disposition else ""
    node.filename = names.get("filename") or names.get("name") or node.params.get("name", "")
    if not node.content_type:  # RFC 2045 §5.2
        node.content_type = "application/octet-stream" if node.filename else "text/plain"
    node.encoding = parse_parameters(fields.get("transfer-encoding", b"7bit"))[0] or "7bit"
    node.content_id = decode_text(fields.get("id", b"")).strip("<> \t")


def _number(root: _Node) -> None:
    """Section numbers as RFC 3501 §6.4.5 counts: a multipart directly inside a message shares its number."""
    root.section = "" if root.children and root.content_type not in MESSAGE_TYPES else "1"
    pending = [root]
    while pending:
        node = pending.pop()
        if node.content_type in MESSAGE_TYPES:
            for inner in node.children:
                is_multipart = inner.content_type.startswith("multipart/") and inner.children
                inner.section = node.section if is_multipart else f"{node.section}.1"
        else:
            for index, child in enumerate(node.children, 1):
                child.section = f"{node.section}.{index}" if node.section else str(index)
        pending.extend(node.children)


def _freeze(nodes: list[_Node], raw: bytes) -> tuple[BodyPart, dict[str, bytes]]:
    """Nodes (parents before children) → frozen parts and the bytes of the leaves."""
    frozen: dict[int, BodyPart] = {}
    for node in reversed(nodes):
        frozen[id(node)] = _freeze_node(node, tuple(frozen[id(child)] for child in node.children))
    sections: dict[str, bytes] = {}
    pending = [nodes[0]]
    while pending:
        node = pending.pop()
        if node.content_type in MESSAGE_TYPES or not node.children:
            sections[node.section] = raw[node.start : node.end]
        else:
            pending.extend(reversed(node.children))
    return frozen[id(nodes[0])], sections


def _freeze_node(node: _Node, children: tuple[BodyPart, ...]) -> BodyPart:
    content_type = node.content_type
    if content_type.startswith("multipart/") and not children and node.depth < MAX_DEPTH:
        content_type = "text/plain"  # no boundary was found: what there is, is text
    return BodyPart(
        section=node.section,
        content_type=content_type,
        charset=_charset(node.params),
        encoding=node.encoding,
        size_bytes=node.end - node.start,
        disposition=node.disposition,
        filename=node.filename,
        content_id=node.content_id,
        params=tuple(node.params.items()),
        children=children,
    )


def _charset(params: Mapping[str, str]) -> str:
    return params.get("charset", "").strip("\"' ").lower()[:100]
