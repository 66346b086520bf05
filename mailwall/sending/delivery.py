"""Handing over what is due: one account at a time, over one kept connection. SMTP is spoken outside transactions."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from functools import partial

from django.db import DatabaseError
from django.utils import timezone

from mailwall.email_accounts import connection
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError
from mailwall.sending import attempts, forwarding, services
from mailwall.sending.attempts import Overtaken
from mailwall.sending.errors import NotHandedOver, SenderGone, SendingInactive
from mailwall.sending.models import Outgoing
from mailwall.smtp.errors import SmtpError, SmtpLoginRefused, SmtpOutcomeUnknown
from mailwall.smtp.submit import SmtpSession
from mailwall.smtp.types import SubmitResult
from mailwall.web.run_ids import logged_as
from mailwall.web.secrets import SecretUnreadable

logger = logging.getLogger(__name__)


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
    with contextlib.closing(_Line(account)) as line:
        while not stopping() and (batch := attempts.claim(account_id, timezone.now())):
            if not _may_send(account, batch):
                return taken
            while batch and not stopping():
                row = batch.pop(0)
                taken += _hand_over(line, row)
                if line.refusal is not None:
                    _stop(account, [row, *batch], line.refusal)
                    return taken
                if line.trouble is not None:
                    _put_off(account_id, batch, line.trouble)
                    return taken
            attempts.release(batch)
    return taken


class _Line:
    """The connection to an account's server, opened when it is needed, kept while it lasts.

    trouble: it cannot be opened now. refusal: the server, or our own key, refuses to sign in.
    """

    def __init__(self, account: EmailAccount) -> None:
        self.sender_address = account.address
        self.trouble: MailwallError | None = None
        self.refusal: MailwallError | None = None
        self._account = account
        self._session: SmtpSession | None = None

    @property
    def is_kept(self) -> bool:
        return self._session is not None and not self._session.closed

    def session(self) -> SmtpSession:
        """Raises SmtpError or SecretUnreadable, and remembers why."""
        if self._session is None or self._session.closed:
            try:
                settings = connection.smtp_settings(self._account)
                if settings is None:
                    raise SendingInactive(SendingInactive.MSGID_NO_SMTP, {"address": self.sender_address})
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


def _hand_over(line: _Line, row: Outgoing) -> bool:
    """One try; whatever comes of it is written. True: the server took the mail."""
    try:
        result = _submit(line, row, forwarding.complete_bytes(row))
    except Overtaken:
        return False
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
        _after_our_own_fault(row)
    else:
        attempts.sent(row, {address: refusal.words for address, refusal in result.refused.items()})
        return True
    return False


def _submit(line: _Line, row: Outgoing, raw: bytes) -> SubmitResult:
    """Submit; a kept connection that the server had closed meanwhile is replaced once, for nothing was said yet."""
    was_kept = line.is_kept
    say = partial(SmtpSession.submit, sender=line.sender_address, receivers=row.receivers, raw_message=raw)
    try:
        return say(line.session(), before_data=partial(attempts.begin_data, row))
    except SmtpError as error:
        if not (was_kept and error.retryable and not line.is_kept and _is_untouched(row)):
            raise
    return say(line.session(), before_data=partial(attempts.begin_data, row))


def _is_untouched(row: Outgoing) -> bool:
    return Outgoing.objects.filter(pk=row.pk, lease_token=row.lease_token, data_started_at__isnull=True).exists()


def _after_our_own_fault(row: Outgoing) -> None:
    """Before DATA it is tried again; after it nobody knows."""
    error = NotHandedOver()
    (attempts.later if _is_untouched(row) else attempts.unknown)(row, error)


def _may_send(account: EmailAccount, batch: list[Outgoing]) -> bool:
    """Whether the account may send still; if not, its mails are told as failed, with the reason."""
    sender = batch[0].sender
    try:
        if account.removed_at is not None or not sender.is_active:
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
        batch = attempts.claim(account_id, timezone.now())
