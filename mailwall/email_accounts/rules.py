"""Pure decisions about accounts: who may do what, how many, and what follows from a failed attempt."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Protocol

#: minutes to wait after the first, second … failed attempt; the last one repeats. Ten tries span an hour and a half
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 2, 5, 10, 15))
PROBE_EVERY = timedelta(hours=1)
BUSY_COUNTS_ONCE_IN = timedelta(minutes=1)
EARLIEST_IMPORT_YEAR = 1970
OFTENEST = 4  # a busy account is asked so many times as often as a quiet one
SPREAD, FIRST_SPREAD = 0.2, 0.5

#: after these a human must act: nothing connects by itself, so that a mail server does not lock the person out
SIGN_IN_CODES = frozenset({"imap_login_refused", "secret_unreadable"})
BUSY_CODE = "imap_busy"
#: causes that pass without a human; an account deactivated by nothing else is probed once an hour
NETWORK_CODES = frozenset({"imap_unreachable", "imap_unknown_host", "imap_timeout", BUSY_CODE})

ACTIVE, PAUSED, NEEDS_SIGN_IN, DEACTIVATED = "active", "paused", "needs_sign_in", "deactivated"


class Viewer(Protocol):
    @property
    def pk(self) -> int: ...
    @property
    def role(self) -> str: ...


class Account(Protocol):
    @property
    def owner_id(self) -> int: ...
    @property
    def visibility(self) -> str: ...


def may_see_messages(viewer: Viewer, account: Account, manager_ids: Collection[int]) -> bool:
    """Whether the viewer may see the account's messages. manager_ids: managers of the owner's team.

    The readable twin of EmailAccountQuerySet.messages_visible_to. `owner` means the owner alone, not even an admin.
    """
    if viewer.pk == account.owner_id or account.visibility == "everyone":
        return True
    return account.visibility == "owner_and_managers" and viewer.pk in manager_ids


def may_manage(viewer: Viewer, account: Account, manager_ids: Collection[int]) -> bool:
    """Whether the viewer sees the account's settings and state, and may pause, fix or delete it."""
    return viewer.pk == account.owner_id or viewer.pk in manager_ids or viewer.role == "admin"


def may_change_privacy(viewer: Viewer, account: Account) -> bool:
    """Whether the viewer may change visibility, direction and folders: the owner alone."""
    return viewer.pk == account.owner_id


def may_add_for(actor: Viewer, owner_id: int, manager_ids: Collection[int], *, may_connect: bool) -> bool:
    """Whether the actor may add an account for this owner. manager_ids: managers of the owner's team."""
    return may_connect and (actor.pk == owner_id or actor.pk in manager_ids or actor.role == "admin")


def account_limit(package: str, max_accounts_per_user: int) -> int | None:
    """How many accounts one user may connect, receive-only ones included; None without limit."""
    return max_accounts_per_user if package == "automation" else None


class Sender(Protocol):
    """An account as sending sees it."""

    @property
    def pk(self) -> int: ...
    @property
    def smtp_host(self) -> str: ...
    @property
    def sending_active(self) -> bool: ...
    @property
    def state(self) -> str: ...
    @property
    def is_default(self) -> bool: ...


def sending_obstacle(account: Sender, package: str) -> str:
    """Why the account does not send: `no_server`, `deactivated`, `switched_off` or `package`; '' when it sends.

    In `basic` each user sends from the default account alone.
    """
    if not account.smtp_host:
        return "no_server"
    if account.state == DEACTIVATED:
        return "deactivated"
    if not account.sending_active:
        return "switched_off"
    return "package" if package == "basic" and not account.is_default else ""


def default_account(accounts: Sequence[Sender]) -> int | None:
    """Which of a user's accounts is to be the default: the present one while it can send, else the first that can.

    When none can, the present one stays, as long as it has a server for sending; None without one.
    """
    able = [account for account in accounts if not sending_obstacle(account, "automation")]
    present = next((account for account in accounts if account.is_default and account.smtp_host), None)
    if present is not None and (present in able or not able):
        return present.pk
    return able[0].pk if able else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """How an account stands with its server. next_sync_at None: it does not connect by itself."""

    state: str
    failed_attempts: int
    only_network_errors: bool
    next_sync_at: datetime | None
    last_error_code: str = ""
    last_error_at: datetime | None = None


def next_attempt_after(failed_attempts: int, code: str) -> timedelta | None:
    """How long to wait before the next try, None when only the user can help."""
    if code in SIGN_IN_CODES:
        return None
    return PAUSES[min(max(failed_attempts, 1), len(PAUSES)) - 1]


def after_failure(standing: Standing, code: str, *, counts: bool, now: datetime, max_failed_attempts: int) -> Standing:
    """What follows from a failed attempt: a grown count, a pause, `needs_sign_in` or `deactivated`.

    counts False: the error is noted and tried again, but is no failed attempt. The count of a deactivated account
    stands still: what fails there is a probe.
    """
    if standing.state == DEACTIVATED:
        healing = standing.only_network_errors and code in NETWORK_CODES
        return _noted(replace(standing, only_network_errors=healing), code, now, now + PROBE_EVERY if healing else None)
    attempts = standing.failed_attempts + (1 if counts and not _is_same_busy_spell(standing, code, now) else 0)
    only_network = standing.only_network_errors and (code in NETWORK_CODES or not counts)
    after = replace(standing, failed_attempts=attempts, only_network_errors=only_network)
    if attempts >= max_failed_attempts:
        probe_at = now + PROBE_EVERY if only_network else None
        return _noted(replace(after, state=DEACTIVATED), code, now, probe_at)
    if after.state == ACTIVE and code in SIGN_IN_CODES:
        after = replace(after, state=NEEDS_SIGN_IN)
    pause = next_attempt_after(attempts, code) if after.state == ACTIVE else None
    return _noted(after, code, now, now + pause if pause else None)


def after_success(standing: Standing, *, now: datetime, interval: timedelta) -> Standing:
    """What follows from a success: no failed attempts any more; a paused account stays paused."""
    state = PAUSED if standing.state == PAUSED else ACTIVE
    return Standing(
        state=state,
        failed_attempts=0,
        only_network_errors=True,
        next_sync_at=now + interval if state == ACTIVE else None,
    )


def poll_interval(quiet: timedelta | None, longest: timedelta) -> timedelta:
    """How long until the next synchronisation, by how long ago mail came last: a quarter of it, within bounds.

    Where mail comes, more follows soon: a busy account is asked four times as often, a quiet one (None: never any)
    after the longest interval and never later.
    """
    if quiet is None:
        return longest
    return max(longest / OFTENEST, min(longest, quiet / OFTENEST))


def spread(interval: timedelta, share: float, *, first: bool = False) -> timedelta:
    """The interval, up to a fifth shorter, so that accounts added together do not stay together. share: 0 to 1.

    The first time up to a half: they have just been read one after the other.
    """
    return interval * (1 - (FIRST_SPREAD if first else SPREAD) * share)


def places_of_host(connections: int, *, for_person: bool) -> int:
    """How many of the connections to one mail host may be used; a fifth, one at least, is for what people wait for."""
    return connections if for_person else max(1, connections - max(1, connections // 5))


def import_since(text: str | None, *, zone: tzinfo, now: datetime, window_days: int) -> datetime:
    """From when on messages are imported, in UTC.

    A date is the start of that day in the owner's zone; a date-time without offset is meant in that zone too; nothing
    is now minus the window of window_days × 24 h.

    :raises ValueError: not a date, before 1970 or in the future.
    """
    if not text:
        return now - timedelta(days=window_days)
    try:
        day = date.fromisoformat(text)
        moment = datetime(day.year, day.month, day.day, tzinfo=zone)
    except ValueError:
        moment = datetime.fromisoformat(text)
    if moment.year < EARLIEST_IMPORT_YEAR:
        raise ValueError("before 1970")
    if moment.year > now.year + 1:
        raise ValueError("in the future")  # and beyond what a change of zone can carry
    moment = (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)
    if moment > now:
        raise ValueError("in the future")
    return moment


def _is_same_busy_spell(standing: Standing, code: str, now: datetime) -> bool:
    """A server that says "busy" again within the minute is still the same failed attempt."""
    return (
        code == BUSY_CODE == standing.last_error_code
        and standing.last_error_at is not None
        and now - standing.last_error_at < BUSY_COUNTS_ONCE_IN
    )


def _noted(standing: Standing, code: str, now: datetime, next_sync_at: datetime | None) -> Standing:
    return replace(standing, last_error_code=code, last_error_at=now, next_sync_at=next_sync_at)
