"""How much of an account is done before others get their turn."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from mailwall.sync.batches import Counts


@dataclass(slots=True, kw_only=True)
class Turn:
    """How much may be done before others get their turn: `seconds`, or `messages` once others wait.

    others_wait, stopping: asked between batches. counts: what has been done so far. more_history: a backfill waits for
    the next turn. for_person: somebody waits for its end.
    """

    seconds: float = 30.0
    messages: int = 500
    others_wait: Callable[[], bool] = lambda: False
    stopping: Callable[[], bool] = lambda: False
    counts: Counts = field(default_factory=Counts)
    more_history: bool = False
    for_person: bool = False
    ends_at: float = 0.0

    def __post_init__(self) -> None:
        self.ends_at = time.monotonic() + self.seconds

    @property
    def is_over(self) -> bool:
        return self.is_over_after(0)

    def is_over_after(self, messages: int) -> bool:
        """Whether it will be, once so many messages more are written."""
        if self.stopping() or time.monotonic() >= self.ends_at:
            return True
        return self.counts.read + messages >= self.messages and self.others_wait()
