"""An open session walking over the folders of an account: what every step on a folder needs.

The network is never used inside a transaction. A folder that cannot be read does not stop the others.
"""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterable, Sequence

from django.db import transaction

from mailwall.email_accounts import importing, leases
from mailwall.email_accounts.import_rules import ImportRules
from mailwall.imap.errors import ImapBusy, ImapError, ImapFolderGone
from mailwall.imap.session import ImapSession
from mailwall.imap.types import FolderStatus
from mailwall.mime.addresses import fold_address
from mailwall.sync import batches, comparing, folders, rules, storing
from mailwall.sync.batches import Work
from mailwall.sync.interpreting import Scope
from mailwall.sync.models import Folder
from mailwall.sync.storing import Wanted
from mailwall.sync.turns import Turn

logger = logging.getLogger(__name__)


class Renumbered(Exception):
    """The folder got another uidvalidity since STATUS; the next pass sees to it."""


class Walk:
    """Opens folders one at a time. Every write carries the lease's token.

    first_error: what kept a folder from being read; read_any: whether another one could be.
    """

    def __init__(self, session: ImapSession, work: Work, turn: Turn) -> None:
        self.session = session
        self.work = work
        self.turn = turn
        self.open: tuple[int, FolderStatus] | None = None
        own = (work.account.address, *work.account.aliases)
        self._own_addresses = frozenset(map(fold_address, own)) - {""}
        self.first_error: ImapError | None = None
        self.read_any = False

    def guarded(self, folder: Folder, step: Callable[[], bool]) -> bool:
        """Do a step on a folder. Its own trouble is noted and counts as done, so that the others go on."""
        try:
            done = step()
        except ImapFolderGone:
            folders.mark_missing(self.work.account.pk, self.work.token, folder)
            return True
        except Renumbered:
            return True
        except ImapBusy:
            raise
        except ImapError as error:
            if self.session.closed:
                raise
            self.first_error = self.first_error or error
            self._tell(folder, error.message)
            return True
        self.read_any = True
        if folder.last_error_message:
            self._tell(folder, "")
        return done

    def _tell(self, folder: Folder, message: str) -> None:
        self.update(folder, last_error_message=message)
        if message:
            logger.warning("folder cannot be read", extra={"folder_id": folder.pk})

    def update(self, folder: Folder, forget: Iterable[int] = (), /, **values: object) -> None:
        """Write columns of a folder; forget: uids whose ledger entries go with them."""
        with transaction.atomic():
            leases.fence(self.work.account.pk, self.work.token)
            comparing.forget(folder, forget)
            Folder.objects.filter(pk=folder.pk).update(**values)
        for name, value in values.items():
            setattr(folder, name, value)

    def examine(self, folder: Folder) -> FolderStatus:
        if self.open is None or self.open[0] != folder.pk:
            self.open = None
            self.open = (folder.pk, self.session.examine(bytes(folder.raw_name)))
        status = self.open[1]
        if folder.uidvalidity is not None and status.uidvalidity != folder.uidvalidity:
            raise Renumbered
        return status

    def scope(self, folder: Folder) -> Scope:
        account = self.work.account
        return Scope(
            account_id=account.pk,
            folder_id=folder.pk,
            folder_role=folder.role,
            own_addresses=self._own_addresses,
            since=account.import_since,
            store=account.store,
            import_rules=self._import_rules,
        )

    @functools.cached_property
    def _import_rules(self) -> ImportRules:
        return importing.rules_of(self.work.account)

    def in_window(self) -> list[int]:
        """UIDs of the open folder that may lie in the window, ascending."""
        return self.session.search_since(rules.search_day(self.work.account.import_since))

    def store(
        self, folder: Folder, uids: Sequence[int], cursor: batches.CursorOf, *, scope: Scope | None = None
    ) -> bool:
        """Read and write messages in batches, the cursor with each; gives whether all of them were done."""
        return storing.store(
            self.session, self.work, self.turn, Wanted(folder, uids, scope or self.scope(folder)), cursor
        )
