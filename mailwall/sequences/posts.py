"""What the wall tells of sequences: that a contact was enrolled, and how it ended. Words and who may read them.

A post is as visible as the mail of the sending account. That a mail ended the sequence is said only to those who may
see that mail; the others read that it ended.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from mailwall.sequences.models import Enrolment
from mailwall.team.models import User


def tell_enrolled(enrolments: Sequence[Enrolment], *, by: User, at: datetime) -> None:
    """Post that these contacts were enrolled; wants `sequence` loaded."""


def tell_end(enrolments: Sequence[Enrolment], *, by: User | None, at: datetime) -> None:
    """Post how these ended; wants `sequence` loaded."""
