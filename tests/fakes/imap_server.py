"""An IMAP server with mail in memory that knows RFC 3501 and nothing else; providers.py has those that differ.

For one user, on a loopback port. It has the methods of tests/rig/dovecot.py that tests of a synchronisation use.
"""

from __future__ import annotations

import contextlib
import imaplib
import re
import select
import socket
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, tzinfo
from functools import cached_property

from tests.fakes import mail_parts
from tests.fakes.listener import Listener
from tests.fakes.mail_parts import Part, string

PASSWORD = "s3cret-Pa55"
_ITEM = re.compile(rb"[A-Z0-9.]+(?:\[[^\]]*\])?(?:<[\d.]+>)?", re.IGNORECASE)
_SECTION = re.compile(rb"BODY(?:\.PEEK)?\[([^\]]*)\](?:<(\d+)\.(\d+)>)?", re.IGNORECASE)
_ARGUMENT = re.compile(rb'"((?:[^"\\]|\\.)*)"|([^\s"]+)')


class Refused(Exception):
    """The tagged answer of a command, such as b'NO [LIMIT] slowly'."""


@dataclass
class Mail:
    """One mail in one folder."""

    uid: int
    raw: bytes
    internaldate: datetime
    modseq: int
    flags: set[bytes] = field(default_factory=set)

    @cached_property
    def part(self) -> Part:
        return mail_parts.split(self.raw)


@dataclass
class Folder:
    """One folder. attributes: the flags of LIST. gone: uid → modseq of what was expunged."""

    name: bytes
    attributes: bytes = b""
    uidvalidity: int = 7
    uidnext: int = 1
    modseq: int = 1
    mails: dict[int, Mail] = field(default_factory=dict)
    gone: dict[int, int] = field(default_factory=dict)

    def add(self, raw: bytes, internaldate: datetime) -> int:
        self.modseq += 1
        mail = Mail(self.uidnext, raw, internaldate.astimezone(UTC).replace(microsecond=0), self.modseq)
        self.mails[mail.uid] = mail
        self.uidnext += 1
        return mail.uid

    def remove(self, uid: int) -> Mail:
        self.modseq += 1
        self.gone[uid] = self.modseq
        return self.mails.pop(uid)


class ImapServer(Listener):
    """The bare server. Behaviours override the attributes and the methods named after commands.

    capabilities: after sign-in, or as long as there is no capabilities_before; commands: what clients said, without tags. Use as a context manager.
    """

    capabilities = b"IMAP4rev1"
    capabilities_before = b""
    greeting = b"* OK IMAP4rev1 service ready"
    folders_at_first: Iterable[tuple[bytes, bytes]] = ((b"INBOX", b""), (b"Sent", b""), (b"Trash", b""))
    delimiter = b"/"
    zone: tzinfo = UTC  #: of INTERNALDATE, and of the days of SINCE
    max_command_bytes = 0
    max_connections = 0

    def __init__(self) -> None:
        self.password = PASSWORD
        self.folders = {_key_of(name): Folder(name, attributes) for name, attributes in self.folders_at_first}
        self.commands: list[bytes] = []
        self.lock = threading.RLock()
        self.open = 0
        super().__init__()

    # -- what tests do, as with a Dovecot

    def deliver(self, user: str, raw: bytes, *, folder: str = "INBOX", internaldate: datetime | None = None) -> int:
        """Put a mail into a folder; gives its uid there."""
        raw = re.sub(rb"\r?\n", b"\r\n", raw)
        with self.lock:
            return self.put(folder.encode(), raw, internaldate or datetime.now(UTC))

    def put(self, folder: bytes, raw: bytes, internaldate: datetime) -> int:
        return self.folders[folder].add(raw, internaldate)

    def expunge(self, user: str, uids: Iterable[int], folder: str = "INBOX") -> None:
        """Delete mails for good."""
        with self.lock:
            for uid in uids:
                self.folders[folder.encode()].remove(uid)

    def flags(self, user: str, folder: str = "INBOX") -> dict[int, str]:
        """Flags by uid."""
        return {
            uid: b" ".join(sorted(mail.flags)).decode() for uid, mail in self.folders[folder.encode()].mails.items()
        }

    def client(self, user: str) -> imaplib.IMAP4:
        """A signed-in stdlib connection: the other mail program."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        client.login(user, self.password)
        return client

    # -- connections

    def serve(self, client: socket.socket) -> None:
        self.open += 1
        try:
            with contextlib.suppress(OSError), client:
                Connection(self, client).run()
        finally:
            self.open -= 1

    # -- commands: each gives untagged lines, the last word is the tagged OK unless Refused says otherwise

    def login(self, connection: Connection, user: bytes, password: bytes) -> None:
        """Raises Refused when these do not sign in."""
        if self.max_connections and self.open > self.max_connections:
            raise Refused(b"NO Too many simultaneous connections. (Failure)")
        if password.decode() != self.password:
            raise Refused(b"NO [AUTHENTICATIONFAILED] Invalid credentials")

    def list(self, wanted: bytes) -> Iterator[bytes]:
        for folder in self.folders.values():
            yield b'* LIST (%b) "%b" %b' % (folder.attributes, self.delimiter, string(folder.name))

    def status_items(self, folder: Folder) -> list[tuple[bytes, int]]:
        return [
            (b"MESSAGES", len(folder.mails)),
            (b"UIDNEXT", folder.uidnext),
            (b"UIDVALIDITY", folder.uidvalidity),
        ]

    def opened(self, folder: Folder) -> Iterator[bytes]:
        """What EXAMINE tells; UIDNEXT may be missing (RFC 3501 §6.3.1)."""
        yield b"* FLAGS (\\Answered \\Flagged \\Deleted \\Seen \\Draft)"
        yield b"* %d EXISTS" % len(folder.mails)
        yield b"* 0 RECENT"
        yield b"* OK [UIDVALIDITY %d] UIDs valid" % folder.uidvalidity

    def search(self, folder: Folder, criteria: bytes) -> list[int]:
        return [uid for uid, mail in sorted(folder.mails.items()) if _matches(mail, criteria, folder, self.zone)]

    def found(self, tag: bytes, uids: list[int], extended: bool) -> bytes:
        return b"* SEARCH" + b"".join(b" %d" % uid for uid in uids)

    def fetch(self, folder: Folder, uids: list[int], items: list[bytes], modifiers: bytes) -> Iterator[bytes]:
        numbers = {uid: number for number, uid in enumerate(sorted(folder.mails), 1)}
        for uid in uids:
            if uid in folder.mails:
                wanted = items if b"UID" in items else [b"UID", *items]  # RFC 3501 §6.4.8
                told = b" ".join(each for item in wanted for each in self.item(folder.mails[uid], item))
                yield b"* %d FETCH (%b)" % (numbers[uid], told)

    def item(self, mail: Mail, item: bytes) -> list[bytes]:
        """One item of FETCH with its value, [] when it is left out."""
        name = item.upper()
        if name == b"UID":
            return [b"UID %d" % mail.uid]
        if name == b"FLAGS":
            return [b"FLAGS (%b)" % b" ".join(sorted(mail.flags))]
        if name == b"INTERNALDATE":
            return [b'INTERNALDATE "%b"' % f"{mail.internaldate.astimezone(self.zone):%d-%b-%Y %H:%M:%S %z}".encode()]
        if name == b"RFC822.SIZE":
            return [b"RFC822.SIZE %d" % self.size(mail)]
        if name == b"BODYSTRUCTURE":
            return [b"BODYSTRUCTURE " + self.structure(mail)]
        return self.body(mail, name)

    def size(self, mail: Mail) -> int:
        return len(mail.raw)

    def structure(self, mail: Mail) -> bytes:
        return mail_parts.structure(mail.part)

    def body(self, mail: Mail, item: bytes) -> list[bytes]:
        found = _SECTION.fullmatch(item)
        if found is None:
            raise Refused(b"BAD unknown item")
        section, offset, size = found.groups()
        raw = _section(mail, section)
        if raw is None:
            return [b"BODY[%b] NIL" % section]
        if offset is None:
            return [b"BODY[%b] {%d}\r\n%b" % (section, len(raw), raw)]
        raw = raw[int(offset) : int(offset) + int(size)]
        return [b"BODY[%b]<%b> {%d}\r\n%b" % (section, offset, len(raw), raw)]


class Connection:
    """One client and what it has opened."""

    def __init__(self, server: ImapServer, client: socket.socket) -> None:
        self.server = server
        self.client = client
        self.lines = client.makefile("rb")
        self.folder: Folder | None = None
        self.signed_in = False

    def run(self) -> None:
        self.client.sendall(self.server.greeting + b"\r\n")
        while line := self.lines.readline():
            tag, _, command = line.rstrip(b"\r\n").partition(b" ")
            self.server.commands.append(command)
            name, _, arguments = command.partition(b" ")
            if name.upper() == b"UID":
                name, _, arguments = arguments.partition(b" ")
            try:
                if 0 < self.server.max_command_bytes < len(line):
                    raise Refused(b"BAD Command Argument Error. 12")
                answer = getattr(self, "on_" + name.decode("ascii", "replace").lower(), None)
                if answer is None:
                    raise Refused(b"BAD unknown command")
                with contextlib.nullcontext() if name.upper() == b"IDLE" else self.server.lock:
                    told = b"".join(each + b"\r\n" for each in answer(arguments, tag))
                self.client.sendall(told + tag + b" OK completed\r\n")
            except Refused as refusal:
                self.client.sendall(tag + b" " + refusal.args[0] + b"\r\n")
            if name.upper() == b"LOGOUT":
                return

    def on_capability(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        before = self.server.capabilities_before if not self.signed_in else b""
        yield b"* CAPABILITY " + (before or self.server.capabilities)

    def on_noop(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        return iter(())

    def on_logout(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        yield b"* BYE until later"

    def on_login(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        user, password = _arguments(arguments)
        self.server.login(self, user, password)
        self.signed_in = True
        return iter(())

    def on_enable(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        if b"ENABLE" not in self.server.capabilities.split():
            raise Refused(b"BAD unknown command")
        yield b"* ENABLED " + arguments

    def on_list(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        if b"RETURN" in arguments and b"LIST-EXTENDED" not in self.server.capabilities.split():
            raise Refused(b"BAD LIST has two arguments")
        return self.server.list(arguments)

    def on_status(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        folder = self._folder(_arguments(arguments)[0])
        told = dict(self.server.status_items(folder))
        asked = arguments[arguments.rindex(b"(") + 1 : -1].split()
        if not set(asked) <= set(told):
            raise Refused(b"BAD unknown status item")
        yield b"* STATUS %b (%b)" % (string(folder.name), b" ".join(b"%b %d" % (name, told[name]) for name in asked))

    def on_examine(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        self.folder = None
        if b"(" in arguments and b"CONDSTORE" not in self.server.capabilities.split():
            raise Refused(b"BAD EXAMINE has one argument")
        self.folder = self._folder(_arguments(arguments)[0])
        return self.server.opened(self.folder)

    def on_search(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        extended = arguments.startswith(b"RETURN (ALL) ")
        if extended and b"ESEARCH" not in self.server.capabilities.split():
            raise Refused(b"BAD unknown search key")
        criteria = re.sub(rb"\A(RETURN \(ALL\) )?(CHARSET \S+ )?", b"", arguments)
        yield self.server.found(tag, self.server.search(self._opened(), criteria), extended)

    def on_fetch(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        found = re.fullmatch(rb"(\S+) \((.*?)\)(?: \(([^()]*)\))?", arguments)
        if found is None:
            raise Refused(b"BAD cannot read that FETCH")
        raw_set, items, modifiers = found.groups()
        folder = self._opened()
        return self.server.fetch(folder, _uids(raw_set, folder), _ITEM.findall(items), modifiers or b"")

    def on_append(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        folder = self.server.folders.get(_key_of(_arguments(arguments)[0]))
        if folder is None:
            raise Refused(b"NO [TRYCREATE] no such folder")
        self.client.sendall(b"+ go on\r\n")
        raw = self.lines.read(int(re.search(rb"\{(\d+)\+?\}\Z", arguments)[1]))  # type: ignore[index]
        self.lines.readline()
        self.server.put(folder.name, raw, datetime.now(UTC))
        return iter(())

    def on_idle(self, arguments: bytes, tag: bytes) -> Iterator[bytes]:
        if b"IDLE" not in self.server.capabilities.split():
            raise Refused(b"BAD unknown command")
        folder, seen = self._opened(), len(self._opened().mails)
        self.client.sendall(b"+ idling\r\n")
        while not select.select([self.client], [], [], 0.02)[0]:
            if len(folder.mails) != seen:
                seen = len(folder.mails)
                self.client.sendall(b"* %d EXISTS\r\n" % seen)
        self.lines.readline()
        return iter(())

    def _folder(self, name: bytes) -> Folder:
        folder = self.server.folders.get(_key_of(name))
        if folder is None or b"\\noselect" in folder.attributes.lower():
            raise Refused(b"NO [NONEXISTENT] no such folder")
        return folder

    def _opened(self) -> Folder:
        if self.folder is None:
            raise Refused(b"BAD no folder is open")
        return self.folder


def _key_of(name: bytes) -> bytes:
    """INBOX is one folder, whatever its case (RFC 3501 §5.1)."""
    return b"INBOX" if name.upper() == b"INBOX" else name


def _arguments(raw: bytes) -> list[bytes]:
    return [atom or re.sub(rb"\\(.)", rb"\1", quoted) for quoted, atom in _ARGUMENT.findall(raw)]


def _uids(raw_set: bytes, folder: Folder) -> list[int]:
    """The uids of the folder in a set; * is the last of them."""
    last = max(folder.mails, default=0)
    wanted: set[int] = set()
    for part in raw_set.split(b","):
        low, high = sorted((last if end == b"*" else int(end)) for end in (part.split(b":") * 2)[:2])
        wanted.update(uid for uid in folder.mails if low <= uid <= high)
    return sorted(wanted)


def _section(mail: Mail, name: bytes) -> bytes | None:
    if not name:
        return mail.raw
    if name == b"HEADER":
        return mail.part.header + b"\r\n"
    if name.startswith(b"HEADER.FIELDS ("):
        fields = name[len(b"HEADER.FIELDS (") :].rstrip(b")").split()
        return (
            b"".join(b"%b: %b\r\n" % (each, mail.part.field(each)) for each in fields if mail.part.field(each))
            + b"\r\n"
        )
    return mail.part.section(name)


def _matches(mail: Mail, criteria: bytes, folder: Folder, zone: tzinfo) -> bool:
    """SEARCH with the keys that the product uses, OR among them."""
    words = iter(_arguments(criteria))
    local = replace(mail, internaldate=mail.internaldate.astimezone(zone))
    return all(_key(key.upper(), words, local, folder) for key in words)


def _key(key: bytes, words: Iterator[bytes], mail: Mail, folder: Folder) -> bool:
    if key == b"ALL":
        return True
    if key == b"OR":
        both = [_key(next(words).upper(), words, mail, folder) for _ in range(2)]  # each takes its words
        return any(both)
    if key == b"UID":
        return mail.uid in _uids(next(words), folder)
    if key == b"SINCE":
        return mail.internaldate.date() >= datetime.strptime(next(words).decode(), "%d-%b-%Y").date()  # noqa: DTZ007
    if key == b"HEADER":
        name, value = next(words), next(words)
        return value.lower() in mail.part.field(name).lower()
    if key in (b"FROM", b"TO", b"CC", b"SUBJECT"):
        return next(words).lower() in mail.part.field(key).lower()
    raise Refused(b"BAD unknown search key")
