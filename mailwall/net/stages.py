"""A connection test told stage by stage, the same for IMAP and SMTP."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from mailwall.net.errors import ServerError, gettext_noop
from mailwall.net.types import Stage

TOTAL_SECONDS = 15.0
MSGID_NOT_ENCRYPTED = gettext_noop("This connection is not encrypted: anyone on the way can read the password.")

Step: TypeAlias = Callable[[float], str]


def run(steps: Sequence[tuple[str, Step]], *, total_seconds: float = TOTAL_SECONDS) -> Iterator[Stage]:
    """Run the steps in order and tell each as it ends; after a failure the rest is told as not reached (ok None).

    A step is told how many seconds are left; it gives a msgid ('' when there is nothing to say) or raises ServerError.
    """
    deadline = time.monotonic() + total_seconds
    for index, (name, step) in enumerate(steps):
        begin = time.monotonic()
        try:
            msgid = step(max(0.5, deadline - begin))
        except ServerError as error:
            yield Stage(
                stage=name,
                ok=False,
                ms=_ms_since(begin),
                code=error.code,
                message=error.message,
                details=error.details,
                msgid=error.msgid,
                params=error.params,
            )
            yield from (Stage(stage=later, ok=None) for later, _ in steps[index + 1 :])
            return
        yield Stage(stage=name, ok=True, ms=_ms_since(begin), message=msgid, msgid=msgid)


def _ms_since(begin: float) -> int:
    return round((time.monotonic() - begin) * 1000)
