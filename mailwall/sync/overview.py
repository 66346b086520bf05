"""The accounts as people see them: with counts, progress and errors in words. The viewer comes first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from django.conf import settings
from django.utils import timezone

from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts import rules as account_rules
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.sync import history, queries
from mailwall.sync.history import Standing
from mailwall.sync.models import Backfill, SyncRun
from mailwall.sync.queries import Counts, Progress
from mailwall.team import queries as team_queries
from mailwall.team.models import User

TIME_LEFT_FROM = 0.05  # of an import: before that any estimate is a guess


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRow:
    """One line of the list. counts and progress are None where the viewer may not see the account's messages.

    error: the last error in the viewer's language. run: the download that somebody waits for. heals: deactivated, but
    tried once an hour by itself. paused_folders (their names), history (older messages that are being fetched): where
    the viewer may see the messages.
    sending_obstacle: as account_rules.sending_obstacle, or 'refused' by the mail server.
    """

    account: EmailAccount
    is_own: bool
    counts: Counts | None
    progress: Progress | None
    run: SyncRun | None
    error: str
    heals: bool
    sending_obstacle: str
    limit: int
    paused_folders: tuple[str, ...]
    history: Standing | None

    @property
    def sending_active(self) -> bool:
        return not self.sending_obstacle

    @property
    def importing(self) -> bool:
        """The first import goes on."""
        if self.progress is None or self.account.state != State.ACTIVE or self.account.failed_attempts:
            return False
        return not self.progress.done

    @property
    def busy(self) -> bool:
        """The list looks again soon."""
        fetches = self.history is not None and self.history.progress.state == Backfill.State.RUNNING
        return self.importing or self.run is not None or fetches

    @property
    def assigned_percent(self) -> int:
        return _percent(self.counts.assigned, self.counts.downloaded) if self.counts else 0

    @property
    def import_percent(self) -> int:
        return _percent(self.progress.seen, self.progress.total) if self.progress else 0

    @property
    def minutes_left(self) -> int | None:
        """Of the import, once it can be told."""
        progress = self.progress
        if progress is None or progress.eta_at is None or progress.seen < progress.total * TIME_LEFT_FROM:
            return None
        return max(1, ceil((progress.eta_at - timezone.now()).total_seconds() / 60))


def rows_for(viewer: User, accounts: Sequence[EmailAccount]) -> list[AccountRow]:
    """The accounts, which the viewer manages, with all that the list shows; the queries do not grow with them."""
    ids = [account.pk for account in accounts]
    visible = account_queries.message_accounts(viewer, ids)
    counts, progress = queries.account_counts(visible, viewer), queries.progress_of(visible)
    runs, paused = queries.open_runs(ids), queries.paused_folders(visible)
    fetching = history.standings([account for account in accounts if account.pk in counts])
    package = team_queries.workspace().package
    return [
        AccountRow(
            account=account,
            is_own=account.owner_id == viewer.pk,
            counts=counts.get(account.pk),
            progress=progress.get(account.pk),
            run=runs.get(account.pk),
            error=account_queries.error_sentence(account),
            heals=account_queries.probe_due(account),
            sending_obstacle=account_rules.sending_obstacle(account, package) or _refused(account),
            limit=settings.MAX_FAILED_ATTEMPTS,
            paused_folders=paused.get(account.pk, ()),
            history=fetching.get(account.pk),
        )
        for account in accounts
    ]


def _refused(account: EmailAccount) -> str:
    return "refused" if account.sending_error else ""


def run_error(run: SyncRun) -> str:
    """Why a run failed, in the language of now as long as the account still says so."""
    account = run.account
    if (account.last_error_code, account.last_error_message) == (run.error_code, run.error_message):
        return account_queries.error_sentence(account)
    return run.error_message


def _percent(part: int, whole: int) -> int:
    return 100 * part // whole if whole else 0
