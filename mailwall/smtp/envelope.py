"""What is said of a mail before its content: MAIL, RCPT and DATA, checked, and their answers in turn."""

from __future__ import annotations

import re
from collections.abc import Sequence

import idna

from mailwall.smtp.connect import Client
from mailwall.smtp.errors import SmtpRefused
from mailwall.smtp.types import Mail

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BAD_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f<>]")
_PIPELINED = 50  # commands said together: their answers fit into any buffer, so neither side waits for the other


class Envelope:
    """One mail in the server's words; nothing is said yet.

    raw_content: what follows the server's "go on", its last dot included.
    :raises SmtpRefused: this mail can never be said to this server.
    """

    def __init__(self, client: Client, mail: Mail) -> None:
        self.mail = mail
        self.receivers = list(dict.fromkeys(mail.receivers))
        self._client = client
        raw = _with_line_ends(mail.raw)
        self.raw_content = _stuffed(raw) + b".\r\n"
        sender, *named = [_address(client, each) for each in (mail.sender, *self.receivers)]
        options = _options(client, raw, (sender, *named))
        commands = [f"MAIL FROM:<{sender}>{options}", *(f"RCPT TO:<{each}>" for each in named), "DATA"]
        self._unsaid = [f"{command}\r\n".encode() for command in commands]
        self._unread = 0
        self.is_said_together = client.has_extn("pipelining") and len(commands) <= _PIPELINED

    def say(self) -> None:
        """Say all of it where the server offers that (RFC 2920), else the first command."""
        self._client.send(self.first_words())

    def first_words(self) -> bytes:
        """The same, for the caller to say."""
        return self._next(len(self._unsaid) if self.is_said_together else 1)

    def _next(self, count: int) -> bytes:
        words = b"".join(self._unsaid[:count])
        del self._unsaid[:count]
        self._unread += count
        return words

    def answer(self) -> tuple[int, bytes]:
        """To the next command, that is said now if it was not."""
        if not self._unread:
            self._client.send(self._next(1))
        self._unread -= 1
        return self._client.getreply()

    def read_on(self) -> int:
        """Read the answers to all that was said already; gives the status of the last one, 0 when there is none."""
        status = 0
        while self._unread:
            status, _words = self.answer()
        return status


def _address(client: Client, address: str) -> str:
    local, at, domain = address.rpartition("@")
    if not local or not at or not domain or _BAD_IN_ADDRESS.search(address):
        raise SmtpRefused(SmtpRefused.MSGID_ADDRESS, {"address": address[:80]})
    if not domain.isascii():
        try:
            domain = idna.encode(domain, uts46=True).decode("ascii")
        except idna.IDNAError:
            raise SmtpRefused(SmtpRefused.MSGID_ADDRESS, {"address": address[:80]}) from None
    if not local.isascii() and not client.has_extn("smtputf8"):
        raise SmtpRefused(SmtpRefused.MSGID_UTF8_ADDRESS, {"address": address[:80]})
    return f"{local}@{domain}"


def _options(client: Client, raw: bytes, addresses: Sequence[str]) -> str:
    """Parameters of MAIL: SIZE (RFC 1870), BODY=8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), each where offered."""
    options = ""
    if client.has_extn("size"):
        limit = client.esmtp_features.get("size", "").strip()
        if limit.isdigit() and 0 < int(limit) < len(raw):
            size_mb, limit_mb = -(-len(raw) // 1_000_000), int(limit) // 1_000_000
            raise SmtpRefused(SmtpRefused.MSGID_TOO_LARGE, {"size_mb": size_mb, "limit_mb": limit_mb})
        options += f" SIZE={len(raw)}"
    is_ascii = raw.isascii()
    if not is_ascii and client.has_extn("8bitmime"):
        options += " BODY=8BITMIME"
    header_is_ascii = is_ascii or raw.partition(b"\r\n\r\n")[0].isascii()
    if client.has_extn("smtputf8") and not (header_is_ascii and all(each.isascii() for each in addresses)):
        options += " SMTPUTF8"
    return options


def _with_line_ends(raw: bytes) -> bytes:
    """The same with CRLF at every line's end, as compose() leaves it."""
    ends = raw.count(b"\r\n")
    is_right = raw.endswith(b"\r\n") and ends == raw.count(b"\n") == raw.count(b"\r")
    return raw if is_right else _LINE_END.sub(b"\r\n", raw if raw.endswith((b"\r", b"\n")) else raw + b"\r\n")


def _stuffed(raw: bytes) -> bytes:
    """Lines that begin with a dot get another one (RFC 5321 §4.5.2)."""
    stuffed = raw.replace(b"\r\n.", b"\r\n..") if b"\r\n." in raw else raw  # to look is cheaper
    return b"." + stuffed if stuffed.startswith(b".") else stuffed
