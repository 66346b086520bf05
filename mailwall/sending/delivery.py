"""Handing over what is due: one account at a time, over one kept connection. SMTP is spoken outside transactions."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from functools import partial

from django.db import DatabaseError

from mailwall.email_accounts import connection
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError
from mailwall.sending import attempts, forwarding, rules, services
from mailwall.sending.attempts import Overtaken
from mailwall.sending.errors import NotHandedOver, SenderGone, SenderRests, SendingInactive
from mailwall.sending.models import Outgoing
from mailwall.smtp.errors import SmtpError, SmtpLoginRefused, SmtpOutcomeUnknown
from mailwall.smtp.submit import SmtpSession
from mailwall.smtp.types import Mail, SubmitResult
from mailwall.web import clock
from mailwall.web.run_ids import logged_as
from mailwall.web.secrets import SecretUnreadable

logger = logging.getLogger(__name__)

_ALLOWED_SECONDS = 1.0  # as long as a claim is to last: an answer to "may it send?" is believed no longer


@logged_as("send")
def deliver_account(account_id: int, *, stopping: Callable[[], bool] = lambda: False) -> int:
    """Hand over all that is due from one account; gives how many mails the server took.

    May run at the same time in several workers: each mail is claimed in the database. An account whose server refuses
    to sign in is left alone until its owner acts.
    """
    account = EmailAccount.objects.filter(pk=account_id, sending_error="").first()
    taken = 0
    if account is None:
        return taken
    at_once, allowed, ask_again_at = rules.CLAIMED_FIRST, 0, 0.0
    with contextlib.closing(_Line(account)) as line:
        while not stopping() and (rows := attempts.claim(account_id, clock.now(), at_once)):
            began_at = time.monotonic()
            if rows[0].sender_id != allowed or began_at >= ask_again_at:
                if not _may_send(account, rows):
                    break
                allowed, ask_again_at = rows[0].sender_id, began_at + _ALLOWED_SECONDS
            done = _hand_over_all(line, rows, stopping)
            taken += done
            at_once = rules.claim_size(done, time.monotonic() - began_at)
            if line.refusal is not None:
                _stop(account, rows, line.refusal)
                break
            if line.trouble is not None:
                _put_off(account_id, rows, line.trouble)
                break
            attempts.release(rows)
    return taken


class _Line:
    """The connection to an account's server, opened when it is needed, kept while it lasts.

    trouble: it cannot be opened now. refusal: the server, or our own key, refuses to sign in.
    """

    def __init__(self, account: EmailAccount) -> None:
        self.trouble: MailwallError | None = None
        self.refusal: MailwallError | None = None
        self._account = account
        self._session: SmtpSession | None = None

    @property
    def is_kept(self) -> bool:
        return self._session is not None and not self._session.closed

    @property
    def in_content(self) -> bool:
        """Whether a mail was begun, and the server has not answered yet."""
        return self._session is not None and self._session.in_content

    def mail(self, row: Outgoing, raw: bytes) -> Mail:
        """As the server gets it: to those who do not have it yet."""
        return Mail(sender=self._account.address, receivers=tuple(row.remaining), raw=raw)

    def session(self) -> SmtpSession:
        """Raises SmtpError or SecretUnreadable, and remembers why."""
        if self._session is None or self._session.closed:
            try:
                settings = connection.smtp_settings(self._account)
                if settings is None:
                    raise SendingInactive(SendingInactive.MSGID_NO_SMTP, {"address": self._account.address})
                self._session = SmtpSession(settings)
            except (SmtpLoginRefused, SecretUnreadable) as error:
                self.refusal = error
                raise
            except SmtpError as error:
                self.trouble = error
                raise
        return self._session

    def close(self) -> None:
        if self._session is not None:
            self._session.close()


class _Fence:
    """What is written before the content of a mail is said: that it begins, and that the one before it was sent.

    Both are one commit, so a mail costs the database one; it runs while the server comes to MAIL, RCPT and DATA.
    """

    def __init__(self) -> None:
        self._sent: tuple[Outgoing, SubmitResult] | None = None
        self._begun: Outgoing | None = None

    def pass_with(self, row: Outgoing) -> None:
        """Again, over another connection, does nothing. :raises Overtaken: the mail may not begin."""
        if row is self._begun:
            return
        before, self._sent = self._sent, None
        if before is None or not attempts.sent(*before, then=row):
            attempts.begin(row)
        self._begun = row

    def took(self, row: Outgoing, result: SubmitResult) -> None:
        """The server has the mail, which is written with the next fence."""
        self._sent = (row, result)

    def settle(self) -> None:
        """Write what is left: no other mail begins now."""
        before, self._sent = self._sent, None
        if before is not None:
            attempts.sent(*before)


def _hand_over_all(line: _Line, rows: list[Outgoing], stopping: Callable[[], bool]) -> int:
    """Hand over one after the other while the line lasts; gives how many were taken, rows keeps what was not tried."""
    ready = forwarding.ready_bytes(rows)
    mails = {row.pk: line.mail(row, ready[row.pk]) for row in rows if row.pk in ready}
    taken, fence = 0, _Fence()
    while rows and line.trouble is None and not stopping():
        row, mail = rows[0], mails.get(rows[0].pk)
        if mail is None or not line.is_kept:
            fence.settle()  # what takes long now is not waited for
        following = mails.get(rows[1].pk) if len(rows) > 1 else None
        result = _hand_over(line, row, mail, following, fence)
        if result is None:
            fence.settle()
        if line.refusal is not None:
            break
        rows.pop(0)
        if result is not None:
            taken += 1
            fence.took(row, result)
    fence.settle()
    return taken


def _hand_over(
    line: _Line, row: Outgoing, mail: Mail | None, following: Mail | None, fence: _Fence
) -> SubmitResult | None:
    """One try; what comes of it is written, unless the server took the mail. mail: None when it is to be read still."""
    try:
        mail = line.mail(row, forwarding.complete_bytes(row)) if mail is None else mail
        return _submit(line, mail, following, partial(fence.pass_with, row))
    except Overtaken:
        pass
    except SmtpOutcomeUnknown as error:
        attempts.unknown(row, error)
    except (SmtpLoginRefused, SecretUnreadable) as error:
        line.refusal = line.refusal or error
    except MailwallError as error:
        (attempts.later if error.retryable else attempts.failed)(row, error)
    except DatabaseError:
        raise
    except Exception:
        logger.exception("a mail could not be handed over", extra={"outgoing_id": row.pk})
        (attempts.unknown if line.in_content else attempts.later)(row, NotHandedOver())
    return None


def _submit(line: _Line, mail: Mail, following: Mail | None, begin: Callable[[], None]) -> SubmitResult:
    """Submit; a kept connection that the server had closed meanwhile is replaced once, for nothing was said yet."""
    was_kept = line.is_kept
    session = line.session()
    try:
        return session.submit(mail, then=following, before_content=begin)
    except SmtpError as error:
        if not (was_kept and error.retryable and session.closed and not session.in_content):
            raise
    return line.session().submit(mail, then=following, before_content=begin)


def _may_send(account: EmailAccount, batch: list[Outgoing]) -> bool:
    """Whether the account may send still. If not, its mails are told as failed; those of a deactivated user wait."""
    sender = batch[0].sender
    if not sender.is_active:
        attempts.release(batch)
        attempts.tell_waiting(account.pk, SenderRests())
        return False
    try:
        if account.removed_at is not None:
            raise SenderGone
        services.sending_account(sender, account)
    except (SendingInactive, SenderGone) as error:
        if EmailAccount.objects.filter(pk=account.pk, sending_error="").exists():
            for row in batch:
                attempts.failed(row, error)
        else:
            attempts.release(batch)
        return False
    return True


def _stop(account: EmailAccount, rows: list[Outgoing], error: MailwallError) -> None:
    """The server refuses to sign in: nothing more is tried, and the account says why. Its mails wait."""
    EmailAccount.objects.filter(pk=account.pk).update(sending_error=error.message)
    attempts.release(rows, error)
    logger.warning("sending stopped", extra={"account_id": account.pk, "code": error.code})


def _put_off(account_id: int, batch: list[Outgoing], error: MailwallError) -> None:
    """The server cannot be reached: the other mails that are due need not find out one by one."""
    while batch:
        for row in batch:
            attempts.later(row, error)
        batch = attempts.claim(account_id, clock.now())
