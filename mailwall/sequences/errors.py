"""Why a sequence cannot be changed or started, each with its code of the API. Sentences for people: `wording.py`."""

from __future__ import annotations

from collections.abc import Sequence

from mailwall.errors import MailwallError
from mailwall.sequences.rules import Problem


class SequenceInvalid(MailwallError):
    """Nothing was saved; `problems` says which fields and why."""

    code = "invalid"

    def __init__(self, problems: Sequence[Problem]) -> None:
        super().__init__(", ".join(f"{problem.field}: {problem.code}" for problem in problems))
        self.problems = tuple(problems)


class SequenceNotFound(MailwallError):
    """There is none, or it is not the viewer's to see."""

    code = "not_found"


class NotTheOwner(MailwallError):
    """The viewer may read it, but only its owner changes it."""

    code = "not_allowed"


class SequencesOff(MailwallError):
    """The workspace's package has no sequences."""

    code = "sequences_off"


class ChangeRefused(MailwallError):
    """An enrolment cannot become what somebody asked for; `reason` is a code for `wording.py`."""

    code = "change_refused"

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason
