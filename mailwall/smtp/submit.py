"""Handing mail to a submission server (RFC 6409): afterwards it is certain what became of it, or that it is not."""

from __future__ import annotations

import contextlib
import smtplib
import time
from collections.abc import Callable, Sequence
from types import TracebackType

from mailwall.net import dial
from mailwall.net.errors import DialError
from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings
from mailwall.smtp import connect
from mailwall.smtp.connect import Client
from mailwall.smtp.envelope import Envelope
from mailwall.smtp.errors import (
    SmtpError,
    SmtpOutcomeUnknown,
    SmtpReceiversRefused,
    SmtpRefused,
    SmtpUnreachable,
    not_connected,
    refused,
)
from mailwall.smtp.types import Mail, Refusal, SubmitResult

_ANSWER_SECONDS = 60.0  # a server may scan the mail before it answers (RFC 5321 §4.5.3.2.6 would allow ten minutes)
_GOODBYE_SECONDS = 2.0
OPEN_SECONDS = 60.0  # from the greeting to the sign-in
JOB_SECONDS = 300.0  # for one mail, and as long as its bytes may take
_APART_SECONDS = 3600.0
#: (host, port) of servers that were lost when two mails were said together → until when they get one by one
_apart_until: dict[tuple[str, int], float] = {}


def submit(settings: ServerSettings, sender: str, receivers: Sequence[str], raw_message: bytes) -> SubmitResult:
    """Send one mail over a connection of its own; see SmtpSession.submit."""
    with SmtpSession(settings) as session:
        return session.submit(Mail(sender=sender, receivers=tuple(receivers), raw=raw_message))


class SmtpSession:
    """A signed-in connection for several mails. Opening it raises SmtpError; use it as a context manager.

    in_content: a mail was begun and not answered: after a fault of ours nobody knows what became of it.
    """

    def __init__(self, settings: ServerSettings) -> None:
        self._settings = settings
        self._where = (settings.host, settings.port)
        self._client = _open(settings)
        self._said: Envelope | None = None  # of the mail that comes next; its DATA is said, so nothing else may follow
        self.in_content = False

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
        if self._said is None:  # else a goodbye would be content
            self._client.set_patience(_GOODBYE_SECONDS)
            self._client.set_job_deadline(_GOODBYE_SECONDS)
            with contextlib.suppress(OSError, smtplib.SMTPException):
                self._client.docmd("QUIT")
        self._client.close()

    def submit(
        self, mail: Mail, *, then: Mail | None = None, before_content: Callable[[], None] = lambda: None
    ) -> SubmitResult:
        """Hand one mail over.

        then: the mail that is submitted next: where the server offers it, its envelope is said together with this one's
        content (RFC 2920 §3.1), which saves a round trip. If another one is submitted, or none, the connection ends.
        before_content: called once while the server answers to the envelope, before a byte of the mail is said (till
        then it takes nothing, RFC 5321 §4.1.1.4). What it raises ends the connection.

        Gives which receivers were accepted. Raises SmtpTemporary, SmtpBusy, SmtpTimeout or SmtpUnreachable (not sent,
        try later), SmtpRefused or SmtpReceiversRefused (tell at once), SmtpOutcomeUnknown (perhaps sent: never again).
        """
        self.in_content = False
        with connect.translated(self._settings, self._client):
            envelope = self._begin(mail, before_content)
            refusals = self._read_receivers(envelope)
            in_one_piece = self._say_content(envelope, self._to_be_said_with_it(then))
        status, words = self._answer_to_mail()
        self.in_content = False
        if not in_one_piece:
            self._client.close()
        if status != 250:
            raise self._refused(status, words)
        accepted = tuple(receiver for receiver in envelope.receivers if receiver not in refusals)
        return SubmitResult(accepted=accepted, refused=refusals)

    def _begin(self, mail: Mail, before_content: Callable[[], None]) -> Envelope:
        """Its envelope, MAIL accepted. If it was said ahead and is refused, only a new connection is to be believed."""
        said, self._said = self._said, None
        if said is not None and said.mail is not mail:
            raise ConnectionAbortedError  # there is no way to take DATA back
        envelope = said or Envelope(self._client, mail)
        size_bytes = len(envelope.raw_content)
        self._client.set_job_deadline(JOB_SECONDS + size_bytes / connect.SLOWEST_BYTES_PER_SECOND)
        if said is None:
            envelope.say()
        try:
            before_content()
        except BaseException:
            self._client.close()  # DATA may have been said: whatever follows would be the mail
            raise
        status, words = envelope.answer()
        if status == 250:
            return envelope
        if said is not None and status != 421:
            self._keep_apart()
            raise ConnectionAbortedError
        if status != 421 and envelope.read_on() == 354:
            self._client.close()  # a dot could send an empty mail
        raise self._refused(status, words)

    def _read_receivers(self, envelope: Envelope) -> dict[str, Refusal]:
        """On to the server's "go on" (354); gives the refused receivers. Raises when there is no going on."""
        refusals: dict[str, Refusal] = {}
        for receiver in envelope.receivers:
            status, words = envelope.answer()
            if status == 421:
                raise self._refused(status, words)
            if status not in (250, 251):
                refusals[receiver] = Refusal(status=status, words=masked(_as_text(words), self._settings))
        if len(refusals) == len(envelope.receivers):
            if envelope.read_on() == 354:  # a mail to nobody (RFC 2920 §3.1)
                self._client.send(".\r\n")
                self._client.getreply()
            self._reset()
            raise SmtpReceiversRefused(refusals)
        status, words = envelope.answer()
        if status != 354:
            raise self._refused(status, words)
        return refusals

    def _to_be_said_with_it(self, mail: Mail | None) -> Envelope | None:
        """The next mail's envelope, if all of it may be said at once."""
        if mail is None or _apart_until.get(self._where, 0.0) > time.monotonic():
            return None
        try:
            envelope = Envelope(self._client, mail)
        except SmtpRefused:  # told when it is its turn
            return None
        return envelope if envelope.is_said_together else None

    def _keep_apart(self) -> None:
        """This server seems not to like it: say one mail after the other for a while."""
        _apart_until[self._where] = time.monotonic() + _APART_SECONDS

    def _say_content(self, envelope: Envelope, following: Envelope | None) -> bool:
        """Say it, and the envelope that follows; gives False when only the content could be said."""
        if self._client.spoke_out_of_turn:  # it left, or wants to, while the fence was being written
            raise ConnectionResetError
        raw_following = following.first_words() if following else b""
        self.in_content = True
        try:
            self._client.send(envelope.raw_content + raw_following)
        except OSError:
            if self._client.unsent_bytes > len(raw_following):
                raise  # the last dot was not said: it is certainly not taken
            return False
        self._said = following
        return True

    def _answer_to_mail(self) -> tuple[int, bytes]:
        """Wait for the answer to the whole mail. From here on a lost connection leaves us in the dark."""
        client = self._client
        patience = client.lines.patience_seconds
        client.set_patience(max(patience, _ANSWER_SECONDS))
        try:
            status, words = client.getreply()
        except (OSError, smtplib.SMTPException) as error:
            if self._said is not None:
                self._keep_apart()
            client.close()
            raise SmtpOutcomeUnknown(SmtpOutcomeUnknown.MSGID) from error
        finally:
            client.set_patience(patience)
        if not 200 <= status < 600:
            client.close()
            raise SmtpOutcomeUnknown(SmtpOutcomeUnknown.MSGID, details=str(status))
        return status, words

    def _refused(self, status: int, words: bytes) -> SmtpError:
        if status == -1 or status == 421:
            self._client.close()
        elif self._said is None:  # else DATA was said, and the server has forgotten the refused mail anyway
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
