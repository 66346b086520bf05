"""Wake-ups of the queue `fast`: ids in, one service call. What is lost here is found again by the tick."""

from __future__ import annotations

from mailwall.sending.models import Outgoing


def deliver(outgoing: Outgoing) -> None:
    """Wake a worker when a queued mail is due, after the commit. A queue that is away delays it until the next tick."""
