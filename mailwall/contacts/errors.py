"""What can be wrong with a contact that somebody gives us. The sentences for people are in `wording.py`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from mailwall.errors import MailwallError


@dataclass(frozen=True, slots=True, kw_only=True)
class FieldProblem:
    """field: as the API names it (`emails.0`); code: stable; value: what was given, or the limit that it breaks."""

    field: str
    code: str
    value: str = ""


class ContactInvalid(MailwallError):
    """Nothing was saved; `problems` says which fields and why."""

    code = "invalid"

    def __init__(self, problems: Sequence[FieldProblem]) -> None:
        super().__init__(", ".join(f"{problem.field}: {problem.code}" for problem in problems))
        self.problems = tuple(problems)


class AddressTaken(MailwallError):
    """Another contact of the same kind owns the address. contact_id None: it did a moment ago, and is gone by now."""

    code = "address_taken"

    def __init__(self, address: str, *, field: str, contact_id: int | None, contact_name: str) -> None:
        super().__init__("The address belongs to another contact.")
        self.address, self.field, self.contact_id, self.contact_name = address, field, contact_id, contact_name


class NotAllowed(MailwallError):
    """The viewer may see the contact but not do this; `reason` is a code for `wording.py`."""

    code = "not_allowed"

    def __init__(self, reason: str, *, owner_name: str = "") -> None:
        super().__init__(reason)
        self.reason, self.owner_name = reason, owner_name


class ContactNotFound(MailwallError):
    """There is no contact of this id (any more)."""

    code = "not_found"
