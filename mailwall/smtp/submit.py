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
from mailwall.net.types import ServerSettings
from mailwall.smtp import connect
from mailwall.smtp.connect import Client
from mailwall.smtp.errors import (
    SmtpError,
    SmtpOutcomeUnknown,
    SmtpReceiversRefused,
    SmtpRefused,
    SmtpUnreachable,
    masked,
    not_connected,
    refused,
)
from mailwall.smtp.types import Refusal, SubmitResult

_LINE_END = re.compile(rb"\r\n|\r|\n")
_LEADING_DOT = re.compile(rb"^\.", re.MULTILINE)
_BAD_IN_ADDRESS = re.compile(r"[\x00-\x20\x7f<>]")
_ANSWER_SECONDS = 60.0  # a server may scan the mail before it answers (RFC 5321 §4.5.3.2.6 would allow ten minutes)
_GOODBYE_SECONDS = 2.0
OPEN_SECONDS = 60.0  # from the greeting to the sign-in
JOB_SECONDS = 300.0  # for one mail, and as long as its bytes may take


def submit(settings: ServerSettings, sender: str, receivers: Sequence[str], raw_message: bytes) -> SubmitResult:
    """Send one mail over a connection of its own; see SmtpSession.submit."""
    with SmtpSession(settings) as session:
        return session.submit(sender, receivers, raw_message)


class SmtpSession:
    """A signed-in connection for several mails. Opening it raises SmtpError; use it as a context manager."""

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._client = _open(settings)

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
        before_data: Callable[[], None] | None = None,
    ) -> SubmitResult:
        """Hand one mail over. sender and receivers: envelope addresses, raw_message: without Bcc, any line ends.

        before_data is called when the receivers are named and nothing of the mail has been said; what it raises ends
        the attempt, and the connection can be used on.

        Gives which receivers were accepted. Raises SmtpTemporary, SmtpBusy, SmtpTimeout or SmtpUnreachable (not sent,
        try later), SmtpRefused or SmtpReceiversRefused (tell at once), SmtpOutcomeUnknown (perhaps sent: never again).
        """
        raw = _LINE_END.sub(b"\r\n", raw_message)
        client, settings = self._client, self._settings
        client.set_job_deadline(JOB_SECONDS + len(raw) / connect.SLOWEST_BYTES_PER_SECOND)
        with connect.translated(settings, client):
            envelope = self._envelope(sender, receivers)
            options = self._options(raw, envelope)
            status, words = client.docmd("MAIL", f"FROM:<{envelope[0]}>{options}")
            if status != 250:
                raise self._refused(status, words)
            refusals = self._receivers(list(receivers), envelope[1:])
        self._ask(before_data)
        with connect.translated(settings, client):
            status, words = client.docmd("DATA")
            if status != 354:
                raise self._refused(status, words)
            stuffed = _LEADING_DOT.sub(b"..", raw)
            client.send(stuffed if stuffed.endswith(b"\r\n") else stuffed + b"\r\n")
        status, words = self._last_dot()
        if status != 250:
            raise self._refused(status, words)
        accepted = tuple(receiver for receiver in dict.fromkeys(receivers) if receiver not in refusals)
        return SubmitResult(accepted=accepted, refused=refusals, words=masked(_as_text(words), settings))

    def _ask(self, before_data: Callable[[], None] | None) -> None:
        try:
            if before_data is not None:
                before_data()
        except BaseException:
            self._reset()
            raise

    def _last_dot(self) -> tuple[int, bytes]:
        """End the mail and wait for the answer. From here on a lost connection leaves us in the dark."""
        client = self._client
        patience = client.lines.patience_seconds
        client.set_patience(max(patience, _ANSWER_SECONDS))
        try:
            client.send(b".\r\n")
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

    def _receivers(self, receivers: list[str], envelope: list[str]) -> dict[str, Refusal]:
        """Name the receivers; gives the refused ones. Raises SmtpReceiversRefused when none is left."""
        refusals: dict[str, Refusal] = {}
        for receiver, address in dict(zip(receivers, envelope, strict=True)).items():
            status, words = self._client.docmd("RCPT", f"TO:<{address}>")
            if status == 421:
                raise self._refused(status, words)
            if status not in (250, 251):
                refusals[receiver] = Refusal(status=status, words=masked(_as_text(words), self._settings))
        if len(refusals) == len(set(receivers)):
            self._reset()
            raise SmtpReceiversRefused(refusals)
        return refusals

    def _envelope(self, sender: str, receivers: Sequence[str]) -> list[str]:
        """Addresses fit for commands: domains as A-labels, local parts in UTF-8 only where offered (RFC 6531)."""
        return [self._address(sender), *(self._address(receiver) for receiver in receivers)]

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


def _as_text(words: bytes) -> str:
    return words.decode("utf-8", "replace").strip()
