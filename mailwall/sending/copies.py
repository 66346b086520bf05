"""What is done in the account's Sent folder: the copy is filed there, and mails of unknown outcome are looked for.

A copy is filed by APPEND, unless the server files by itself; the folder is found by its role or name, never made. The
copy has a life of its own: it may fail and come later, the mail is sent all the same. IMAP outside transactions.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import transaction
from django.db.models import F, QuerySet
from django.utils import timezone

from mailwall.email_accounts import connection, places
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.imap.errors import ImapError, ImapFolderGone
from mailwall.imap.session import ImapSession, open_session
from mailwall.mailstore.models import DeliveryState, OtherMessageId
from mailwall.mime.compose import OWN_ID_FIELD
from mailwall.mime.pixels import without_pixel
from mailwall.sending import hooks, rules, services
from mailwall.sending.models import CopyState, Outgoing, OutgoingContent, OutgoingState
from mailwall.web.run_ids import logged_as
from mailwall.web.secrets import SecretUnreadable

logger = logging.getLogger(__name__)

AT_ONCE = 20
JOB_SECONDS = 300.0
PLACE_SECONDS = 30.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sent:
    """The open Sent folder. patience: how long the server may take to file a copy itself."""

    session: ImapSession
    raw_name: bytes
    patience: timedelta

    def has(self, row: Outgoing) -> bool:
        if OtherMessageId.objects.filter(message=row.message_id).exists():
            return True  # the synchronisation has recognised it under the server's own Message-ID
        self.session.noop()  # so that what came since the folder was opened is found too
        return bool(self.session.search_message_ids([row.message_id_header], fields=("Message-ID", OWN_ID_FIELD)))


@logged_as("file")
def work_account(account_id: int, *, stopping: Callable[[], bool] = lambda: False) -> None:
    """Do what is due in one account's Sent folder. Several workers may: each mail is claimed in the database."""
    account = EmailAccount.objects.filter(pk=account_id).first()
    while account is not None and not stopping():
        now = timezone.now()
        sought, wanted = (
            _claim(_sought(account_id, now), "look_at", now),
            _claim(_wanted(account_id, now), "copy_at", now),
        )
        if not sought and not wanted:
            return
        try:
            if account.removed_at is not None or account.state in (State.NEEDS_SIGN_IN, State.DEACTIVATED):
                raise ImapError(ImapError.code)
            with (
                places.place(account_id, wait_seconds=PLACE_SECONDS),
                open_session(connection.imap_settings(account), job_deadline_seconds=JOB_SECONDS) as session,
            ):
                _work(session, account, sought, wanted)
        except (ImapError, SecretUnreadable, places.NoPlace) as error:
            logger.info("Sent cannot be reached", extra={"account_id": account_id, "code": error.code})
            for row in sought:
                _not_found(row)
            for row in wanted:
                _put_off(row)


def _work(session: ImapSession, account: EmailAccount, sought: list[Outgoing], wanted: list[Outgoing]) -> None:
    """Rows that are done leave their list; what is left when the connection breaks is put off."""
    sent = _open_sent(session, account)
    while sought:
        row = sought[0]  # where some receivers have it, a copy does not tell about the others
        (_found if sent is not None and not row.accepted and sent.has(row) else _not_found)(row)
        sought.pop(0)
    while wanted:
        if sent is None:
            _no_folder(wanted[0])
        else:
            _file(sent, wanted[0])
        wanted.pop(0)


def _open_sent(session: ImapSession, account: EmailAccount) -> _Sent | None:
    """The folder, open; None when the account has none. Copies that waited for one are wanted again."""
    folder = next((each for each in session.list_folders() if each.role == "sent" and each.selectable), None)
    if folder is None:
        return None
    try:
        session.examine(folder.raw_name)
    except ImapFolderGone:
        return None
    if account.lacks_sent_folder:
        waiting = Outgoing.objects.filter(account=account, copy_state=CopyState.NO_FOLDER)
        waiting.update(copy_state=CopyState.WANTED, copy_at=timezone.now())
        EmailAccount.objects.filter(pk=account.pk).update(lacks_sent_folder=False)
    return _Sent(session=session, raw_name=folder.raw_name, patience=_patience(account))


def _patience(account: EmailAccount) -> timedelta:
    """By what is known of the provider, else by what the server did with the mail before."""
    if rules.files_by_itself((account.imap_host, account.smtp_host)):
        return rules.SERVER_FILES_WITHIN
    settled = Outgoing.objects.filter(account=account, copy_state__in=(CopyState.FILED, CopyState.BY_SERVER))
    before = settled.order_by("-pk").values_list("copy_state", flat=True).first()
    if before is None:
        return rules.UNKNOWN_SERVER_FILES_WITHIN
    return rules.SERVER_FILES_WITHIN if before == CopyState.BY_SERVER else timedelta()


# -- mails whose outcome is unknown


def _sought(account_id: int, now: datetime) -> QuerySet[Outgoing]:
    return Outgoing.objects.filter(account_id=account_id, state=OutgoingState.SENDING, look_at__lte=now)


def _found(row: Outgoing) -> None:
    """It lies in Sent, so it was sent, and the server has filed it."""
    with transaction.atomic():
        values = {"state": OutgoingState.SENT, "sent_at": row.data_started_at, "settled_at": timezone.now()}
        free = {"lease_token": "", "lease_until": None, "copy_state": CopyState.BY_SERVER, **services.NO_ERROR}
        if Outgoing.objects.filter(pk=row.pk, state=OutgoingState.SENDING).update(**values, **free):
            OutgoingContent.objects.filter(outgoing=row).delete()
            services.show_delivery(row, DeliveryState.SENT)
            hooks.tell_outgoing_settled(row.pk, hooks.SENT)


def _not_found(row: Outgoing) -> None:
    """Look again soon; after ten minutes its sender must decide."""
    now = timezone.now()
    mine = Outgoing.objects.filter(pk=row.pk, state=OutgoingState.SENDING)
    if row.data_started_at is not None and now - row.data_started_at < rules.LOOK_FOR:
        mine.update(look_at=now + rules.LOOK_AGAIN_AFTER)
        return
    with transaction.atomic():
        if mine.update(state=OutgoingState.NEEDS_REVIEW, look_at=None, lease_token="", lease_until=None):
            services.show_delivery(row, DeliveryState.UNKNOWN)
            logger.warning("a mail needs its sender's decision", extra={"outgoing_id": row.pk})


# -- copies


def _wanted(account_id: int, now: datetime) -> QuerySet[Outgoing]:
    return Outgoing.objects.filter(account_id=account_id, copy_state=CopyState.WANTED, copy_at__lte=now)


def _file(sent: _Sent, row: Outgoing) -> None:
    """File one copy, unless it is there. Raises ImapError when the connection is gone."""
    now, sent_at = timezone.now(), row.sent_at or row.created_at
    try:
        if sent.has(row):
            _settle_copy(row, CopyState.FILED if row.copy_attempts else CopyState.BY_SERVER)
        elif not row.copy_attempts and (again_at := rules.server_has_until(sent.patience, sent_at, now)):
            _claimed(row).update(copy_at=again_at)
        elif _claimed(row).update(copy_attempts=F("copy_attempts") + 1):
            content = OutgoingContent.objects.filter(outgoing=row).first()
            if content is not None:
                # the sender's own reading must not count as an opening
                raw = without_pixel(bytes(content.raw)) if row.automatic else bytes(content.raw)
                raw = bytes(content.raw_bcc) + raw
                sent.session.append(sent.raw_name, raw, flags=("\\Seen",), internaldate=sent_at)
            _settle_copy(row, CopyState.FILED)
    except ImapFolderGone:
        _no_folder(row)
    except ImapError as error:
        if sent.session.closed:
            raise
        logger.info("copy in Sent refused", extra={"outgoing_id": row.pk, "code": error.code})
        _put_off(row)


def _settle_copy(row: Outgoing, state: CopyState) -> None:
    with transaction.atomic():
        if _claimed(row).update(copy_state=state, copy_at=None):  # some receivers may wait for it still
            OutgoingContent.objects.filter(outgoing=row, outgoing__state=OutgoingState.SENT).delete()


def _no_folder(row: Outgoing) -> None:
    """The account says so; the copy waits until there is a folder."""
    if _claimed(row).update(copy_state=CopyState.NO_FOLDER, copy_at=None):
        EmailAccount.objects.filter(pk=row.account_id).update(lacks_sent_folder=True)


def _put_off(row: Outgoing) -> None:
    now, sent_at = timezone.now(), row.sent_at or row.created_at
    if now - sent_at > rules.COPY_GIVE_UP_AFTER:
        _claimed(row).update(copy_state=CopyState.FAILED, copy_at=None)
    else:
        _claimed(row).update(copy_at=now + rules.copy_pause(sent_at, now))


# -- claims: the moment at which a row is due next is pushed beyond the time of a lease


def _claim(due: QuerySet[Outgoing], moment: str, now: datetime) -> list[Outgoing]:
    until = now + timedelta(seconds=settings.LEASE_SECONDS)
    mine = []
    for row in due.order_by(moment, "pk")[:AT_ONCE]:
        if due.filter(pk=row.pk, **{moment: getattr(row, moment)}).update(**{moment: until}):
            setattr(row, moment, until)
            mine.append(row)
    return mine


def _claimed(row: Outgoing) -> QuerySet[Outgoing]:
    return Outgoing.objects.filter(pk=row.pk, copy_state=CopyState.WANTED, copy_at=row.copy_at)
