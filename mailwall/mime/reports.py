"""Bounces: which mail came back, for whom, and why. Standard reports, and the words of servers that write none.

Sources: RFC 3464 (delivery status), RFC 3462 (multipart/report), RFC 3463 (status codes); the habits of qmail, Exim and
others that only write text.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mailwall.mime.addresses import fold_address
from mailwall.mime.charsets import guess
from mailwall.mime.parts import choose_text_parts
from mailwall.mime.scan import MESSAGE_TYPES
from mailwall.mime.transfer import decode_transfer
from mailwall.mime.types import BodyPart

MAX_REPORT_LENGTH = 64_000
MAX_WORDS_LENGTH = 300
_STATUS_TYPES = frozenset(("message/delivery-status", "message/global-delivery-status"))
_HEADER_TYPES = frozenset(("text/rfc822-headers", "message/global-headers"))
_HEADER_BYTES = 16_000  # of an attached original: a guess, for the size of a batch

_FIELD = re.compile(
    r"^(final-recipient|original-recipient|action|status|diagnostic-code)[ \t]*:[ \t]*(.*(?:\n[ \t]+\S.*)*)",
    re.IGNORECASE | re.MULTILINE,
)
_BLOCK_END = re.compile(r"\n[ \t]*\n")
_TYPED = re.compile(r"^[\w-]{1,40}\s*;\s*")
_ORIGINAL = re.compile(
    r"^.{0,20}(below this line is a copy|this is a copy of (the|your) message|original message|message headers? follow|"
    r"included below|unsent message below|treść oryginalnej|ursprüngliche nachricht|"
    r"(received|return-path|message-id):)",
    re.IGNORECASE | re.MULTILINE,
)
_ONLY_LATE = re.compile(
    r"delayed|will (be )?(re-?tr|keep trying|continue)|still (being )?(tr|retr)|not yet been delivered|warning message|"
    r"do(es)? not need to (resend|do anything)|opóźni|jeszcze (nie )?(została )?(do|prze)|"
    r"(serwer|system) ponowi|ponowi\w{0,3} prób|kolejn\w{1,3} prób|"
    r"noch nicht zugestellt|verzöger|weiter(hin)? (zu )?versuch|erneut (zu )?versuch",
    re.IGNORECASE,
)
_FOR_GOOD = re.compile(
    r"permanent|giving up|gave up|could not be delivered|fatal|not exist|unknown|endgültig|existiert nicht|"
    r"nie istnieje|ostateczn|trwał",
    re.IGNORECASE,
)
_MESSAGE_ID = re.compile(r"^message-id[ \t]*:\s*<?([^<>\s]{3,900})>?", re.IGNORECASE | re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class FailedReceiver:
    """An address (folded) that the mail did not reach. permanent: the address will not take mail tomorrow either."""

    address: str
    words: str
    permanent: bool


def sections_to_read(structure: BodyPart) -> tuple[BodyPart, ...]:
    """What is fetched of a mail: its text, and of a report what the programs wrote for programs."""
    return (*choose_text_parts(structure), *_report_parts(structure))


def report_of(structure: BodyPart | None, raw_sections: Mapping[str, bytes]) -> str:
    """The delivery status and the header of the mail that came back, as text; '' for other mail."""
    pieces = []
    for part in _report_parts(structure) if structure is not None else ():
        raw = raw_sections.get(part.section)
        if raw is None and part.section.endswith(".HEADER"):  # of a mail that was read whole
            raw = re.split(rb"\r?\n\r?\n", raw_sections.get(part.section.removesuffix(".HEADER"), b""), maxsplit=1)[0]
        if raw:
            decoded = decode_transfer(raw[:MAX_REPORT_LENGTH], part.encoding)[0]
            pieces.append(guess(decoded, part.charset).replace("\r\n", "\n").strip("\n"))
    return "\n\n".join(pieces)[:MAX_REPORT_LENGTH]


def _report_parts(structure: BodyPart) -> tuple[BodyPart, ...]:
    """Of multipart/report only, directly in it."""
    if structure.content_type != "multipart/report":
        return ()
    found = []
    for part in structure.children:
        if part.content_type in _STATUS_TYPES or part.content_type in _HEADER_TYPES:
            found.append(part)
        elif part.content_type in MESSAGE_TYPES:
            section = f"{part.section}.HEADER"
            found.append(BodyPart(section=section, content_type="text/rfc822-headers", size_bytes=_HEADER_BYTES))
    return tuple(found)


def message_ids_in(report: str, text: str) -> tuple[str, ...]:
    """Message-IDs, without brackets, of mails that a bounce may be about."""
    return tuple(dict.fromkeys((*_MESSAGE_ID.findall(report), *_MESSAGE_ID.findall(text[:MAX_REPORT_LENGTH]))))


def failed_receivers(report: str, text: str, receivers: Collection[str]) -> tuple[FailedReceiver, ...]:
    """Those of the mail's receivers (folded) whom it did not reach; () when it is only late, or nobody is told.

    A report's word counts; where there is none, the text is read.
    """
    told, is_report = _by_status(report, receivers)
    return told if is_report else _by_words(text[:MAX_REPORT_LENGTH], receivers)


def _by_status(report: str, receivers: Collection[str]) -> tuple[tuple[FailedReceiver, ...], bool]:
    """The failed ones, and whether it is a report at all."""
    found: list[FailedReceiver] = []
    is_report = False
    for block in _BLOCK_END.split(report):
        fields = {name.lower(): " ".join(value.split()) for name, value in reversed(_FIELD.findall(block))}
        if "action" not in fields:
            continue
        is_report = True
        names = [
            fold_address(_TYPED.sub("", fields.get(name, ""))) for name in ("original-recipient", "final-recipient")
        ]
        address = next((name for name in names if name in receivers), "")
        if not address and len(receivers) == 1:
            address = next(iter(receivers))  # forwarded on the way: the server names another address
        if address and fields["action"].lower().startswith("failed"):
            found.append(_receiver(address, fields.get("status", ""), fields.get("diagnostic-code", "")))
    return tuple(found), is_report


def _receiver(address: str, status: str, diagnostic: str) -> FailedReceiver:
    words = _TYPED.sub("", diagnostic) or status
    return FailedReceiver(address=address, words=words[:MAX_WORDS_LENGTH], permanent=not status.startswith("4"))


def _by_words(text: str, receivers: Collection[str]) -> tuple[FailedReceiver, ...]:
    """Receivers whom the text names before it repeats the mail, with the lines that follow the name."""
    end = _ORIGINAL.search(text)
    own = text[: end.start()] if end else text
    if _ONLY_LATE.search(own) and not _FOR_GOOD.search(own):
        return ()
    found = []
    lowered = own.lower()
    for address in receivers:
        at = lowered.find(address.lower())
        if at >= 0:
            rest = own[at + len(address) :].lstrip("> :\t\r\n")
            words = " ".join(_BLOCK_END.split(rest, maxsplit=1)[0].split())
            found.append(FailedReceiver(address=address, words=words[:MAX_WORDS_LENGTH], permanent=True))
    return tuple(found)
