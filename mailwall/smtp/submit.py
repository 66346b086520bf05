"""Handing mail to a submission server (RFC 6409): afterwards it is certain what became of it, or that it is not."""

from __future__ import annotations

import contextlib
import re
import smtplib
from collections.abc import Callable, Sequence
from types import TracebackType

import idna

from mailwall.net import dial
from mailwall.net.errors import DialError
from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings
from mailwall.smtp import connect
from mailwall.smtp.connect import Client
from mailwall.smtp.errors import (
    SmtpError,
    SmtpOutcomeUnknown,
    SmtpReceiversRefused,
    SmtpRefused,
    SmtpUnreachable,
    not_connected,
    refused,
)
from mailwall.smtp.types import Refusal, SubmitResult

_LINE_END = re.compile(rb"\r\n|\r|\n")
_BAD_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f<>]")
_ANSWER_SECONDS = 60.0  # a server may scan the mail before it answers (RFC 5321 §4.5.3.2.6 would allow ten minutes)
_GOODBYE_SECONDS = 2.0
OPEN_SECONDS = 60.0  # from the greeting to the sign-in
JOB_SECONDS = 300.0  # for one mail, and as long as its bytes may take
_PIPELINED = 50  # commands said together: their answers fit into any buffer, so neither side waits for the other


class _Dialogue:
    """Commands and their answers in turn: said together where the server offers that (RFC 2920), else one by one."""

    def __init__(self, client: Client, commands: Sequence[str]) -> None:
        self._client = client
        self._unsaid = [f"{command}\r\n" for command in commands]
        self._unread = 0
        together = client.has_extn("pipelining") and len(commands) <= _PIPELINED
        self._say(len(commands) if together else 1)

    def _say(self, count: int) -> None:
        self._client.send("".join(self._unsaid[:count]))
        del self._unsaid[:count]
        self._unread += count

    def answer(self) -> tuple[int, bytes]:
        if not self._unread:
            self._say(1)
        self._unread -= 1
        return self._client.getreply()

    def break_off(self) -> None:
        """Read the answers to what was said already. A DATA let through ends at once, as a mail to nobody (§3.1)."""
        status = 0
        while self._unread:
            status, _words = self.answer()
        if status == 354:
            self._client.send(".\r\n")
            self._client.getreply()


def submit(settings: ServerSettings, sender: str, receivers: Sequence[str], raw_message: bytes) -> SubmitResult:
    """Send one mail over a connection of its own; see SmtpSession.submit."""
    with SmtpSession(settings) as session:
        return session.submit(sender, receivers, raw_message)


class SmtpSession:
    """A signed-in connection for several mails. Opening it raises SmtpError; use it as a context manager."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._client = _open(settings)
        self.in_content = (
            False  # a mail was begun and not answered: after a fault of ours nobody knows what became of it
        )

    def __enter__(self) -> SmtpSession:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def closed(self) -> bool:
        """Whether the connection is gone."""
        return self._client.closed

    def close(self) -> None:
        """Say goodbye, at most for a moment, and hang up. Again does nothing."""
        if self._client.closed:
            return
        self._client.set_patience(_GOODBYE_SECONDS)
        self._client.set_job_deadline(_GOODBYE_SECONDS)
        with contextlib.suppress(OSError, smtplib.SMTPException):
            self._client.docmd("QUIT")
        self._client.close()

    def submit(
        self,
        sender: str,
        receivers: Sequence[str],
        raw_message: bytes,
        *,
        before_content: Callable[[], None] = lambda: None,
    ) -> SubmitResult:
        """Hand one mail over. sender and receivers: envelope addresses, raw_message: without Bcc, any line ends.

        before_content: called once while the server answers to the first words, before a byte of the mail is said (till
        then it takes nothing, RFC 5321 §4.1.1.4). What it raises ends the connection.

        Gives which receivers were accepted. Raises SmtpTemporary, SmtpBusy, SmtpTimeout or SmtpUnreachable (not sent,
        try later), SmtpRefused or SmtpReceiversRefused (tell at once), SmtpOutcomeUnknown (perhaps sent: never again).
        """
        self.in_content = False
        raw = _with_line_ends(raw_message)
        client, settings = self._client, self._settings
        client.set_job_deadline(JOB_SECONDS + len(raw) / connect.SLOWEST_BYTES_PER_SECOND)
        receivers = list(dict.fromkeys(receivers))
        with connect.translated(settings, client):
            envelope = [self._address(address) for address in (sender, *receivers)]
            dialogue = self._begin(envelope, self._options(raw, envelope), before_content)
            refusals = self._read_envelope(dialogue, receivers)
            self.in_content = True
            client.send(_stuffed(raw) + b".\r\n")
        status, words = self._answer_to_mail()
        self.in_content = False
        if status != 250:
            raise self._refused(status, words)
        accepted = tuple(receiver for receiver in receivers if receiver not in refusals)
        return SubmitResult(accepted=accepted, refused=refusals, words=masked(_as_text(words), settings))

    def _begin(self, envelope: list[str], options: str, before_content: Callable[[], None]) -> _Dialogue:
        named = (f"RCPT TO:<{address}>" for address in envelope[1:])
        dialogue = _Dialogue(self._client, [f"MAIL FROM:<{envelope[0]}>{options}", *named, "DATA"])
        try:
            before_content()
        except BaseException:
            self._client.close()  # DATA may have been said: whatever follows would be the mail
            raise
        return dialogue

    def _read_envelope(self, dialogue: _Dialogue, receivers: list[str]) -> dict[str, Refusal]:
        """From MAIL to the server's "go on" (354); gives the refused receivers. Raises when there is no going on."""
        status, words = dialogue.answer()
        if status != 250:
            if status != 421:
                dialogue.break_off()
            raise self._refused(status, words)
        refusals: dict[str, Refusal] = {}
        for receiver in receivers:
            status, words = dialogue.answer()
            if status == 421:
                raise self._refused(status, words)
            if status not in (250, 251):
                refusals[receiver] = Refusal(status=status, words=masked(_as_text(words), self._settings))
        if len(refusals) == len(receivers):
            dialogue.break_off()
            self._reset()
            raise SmtpReceiversRefused(refusals)
        status, words = dialogue.answer()
        if status != 354:
            raise self._refused(status, words)
        return refusals

    def _answer_to_mail(self) -> tuple[int, bytes]:
        """Wait for the answer to the whole mail. From here on a lost connection leaves us in the dark."""
        client = self._client
        patience = client.lines.patience_seconds
        client.set_patience(max(patience, _ANSWER_SECONDS))
        try:
            status, words = client.getreply()
        except (OSError, smtplib.SMTPException) as error:
            client.close()
            raise SmtpOutcomeUnknown(SmtpOutcomeUnknown.MSGID) from error
        finally:
            client.set_patience(patience)
        if not 200 <= status < 600:
            client.close()
            raise SmtpOutcomeUnknown(SmtpOutcomeUnknown.MSGID, details=str(status))
        return status, words

    def _address(self, address: str) -> str:
        local, at, domain = address.rpartition("@")
        if not local or not at or not domain or _BAD_IN_ADDRESS.search(address):
            raise SmtpRefused(SmtpRefused.MSGID_ADDRESS, {"address": address[:80]})
        if not domain.isascii():
            try:
                domain = idna.encode(domain, uts46=True).decode("ascii")
            except idna.IDNAError:
                raise SmtpRefused(SmtpRefused.MSGID_ADDRESS, {"address": address[:80]}) from None
        if not local.isascii() and not self._client.has_extn("smtputf8"):
            raise SmtpRefused(SmtpRefused.MSGID_UTF8_ADDRESS, {"address": address[:80]})
        return f"{local}@{domain}"

    def _options(self, raw: bytes, envelope: Sequence[str]) -> str:
        """Parameters of MAIL: SIZE (RFC 1870), BODY=8BITMIME (RFC 6152), SMTPUTF8 (RFC 6531), each where offered."""
        client, options = self._client, ""
        if client.has_extn("size"):
            limit = client.esmtp_features.get("size", "").strip()
            if limit.isdigit() and 0 < int(limit) < len(raw):
                size_mb, limit_mb = -(-len(raw) // 1_000_000), int(limit) // 1_000_000
                raise SmtpRefused(SmtpRefused.MSGID_TOO_LARGE, {"size_mb": size_mb, "limit_mb": limit_mb})
            options += f" SIZE={len(raw)}"
        header, _, _ = raw.partition(b"\r\n\r\n")
        if not raw.isascii() and client.has_extn("8bitmime"):
            options += " BODY=8BITMIME"
        if client.has_extn("smtputf8") and not (header.isascii() and all(each.isascii() for each in envelope)):
            options += " SMTPUTF8"
        return options

    def _refused(self, status: int, words: bytes) -> SmtpError:
        if status == -1 or status == 421:
            self._client.close()
        else:
            self._reset()
        if status == -1:
            return SmtpUnreachable(SmtpUnreachable.MSGID_LOST, {"host": self._settings.host})
        return refused(status, _as_text(words), self._settings)

    def _reset(self) -> None:
        """Forget the mail that was begun, so that the next one can follow."""
        try:
            self._client.docmd("RSET")
        except (OSError, smtplib.SMTPException):
            self._client.close()


def _open(settings: ServerSettings) -> Client:
    try:
        sock = dial.dial(settings)
    except DialError as error:
        raise not_connected(error) from error
    try:
        if settings.security == "tls":
            sock = connect.encrypt_first(sock, settings)
        patience = settings.connect_timeout_seconds
        client = connect.greet(sock, settings, timeout_seconds=patience, job_seconds=OPEN_SECONDS)
        if settings.security == "starttls":
            connect.encrypt_now(client)
        connect.sign_in(client)
    except BaseException:
        sock.close()
        raise
    return client


def _with_line_ends(raw: bytes) -> bytes:
    """The same with CRLF at every line's end, as compose() leaves it."""
    ends = raw.count(b"\r\n")
    is_right = raw.endswith(b"\r\n") and ends == raw.count(b"\n") == raw.count(b"\r")
    return raw if is_right else _LINE_END.sub(b"\r\n", raw if raw.endswith((b"\r", b"\n")) else raw + b"\r\n")


def _stuffed(raw: bytes) -> bytes:
    """Lines that begin with a dot get another one (RFC 5321 §4.5.2)."""
    stuffed = raw.replace(b"\r\n.", b"\r\n..")
    return b"." + stuffed if stuffed.startswith(b".") else stuffed


def _as_text(words: bytes) -> str:
    return words.decode("utf-8", "replace").strip()
