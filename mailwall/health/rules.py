"""Pure: where an error arose, how far behind accounts are, whose beat is old."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

LAG_SECONDS = (60, 180, 360, 720, 1800, 3600, 21_600, 86_400)
SILENT_AFTER = timedelta(seconds=60)
CLOCK_OFF_SECONDS = 5.0

_STAGE_BY_CODE: Mapping[str, str] = {
    "host_invalid": "name", "host_not_allowed": "name", "imap_unknown_host": "name", "imap_unreachable": "connect",
    "imap_timeout": "connect", "imap_tls_failed": "encryption", "imap_login_refused": "sign_in", "imap_busy": "sign_in",
    "imap_protocol_error": "greeting", "secret_unreadable": "key",
}  # fmt: skip


def stage_of(code: str) -> str:
    """Where an attempt that never signed in broke, by its code; 'other' for what no server did."""
    return _STAGE_BY_CODE.get(code, "other")


@dataclass(frozen=True, slots=True, kw_only=True)
class Fleet:
    """Active accounts as they stand now. lags: how many had their last success at most LAG_SECONDS ago, each bound
    counted with all below it, the last one everybody. due: their time has come and no worker has them. overdue: no
    success for more than two intervals."""

    states: Mapping[str, int]
    lags: Sequence[int]
    due: int = 0
    overdue: int = 0
    working: int = 0

    @property
    def active(self) -> int:
        return self.lags[-1]

    @property
    def by_lag(self) -> list[int]:
        """Each bound's own, without those below it."""
        return [count - below for count, below in zip(self.lags, [0, *self.lags], strict=False)]


def is_silent(seen_at: datetime, now: datetime) -> bool:
    """Whether a process that beats every few seconds must be dead, or cut off."""
    return now - seen_at > SILENT_AFTER
