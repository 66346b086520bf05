"""Mail that arrives: stored and assigned, as a synchronisation does it; and what became of it."""

from __future__ import annotations

from mailwall.assignment import services
from mailwall.assignment.models import Link, Unassigned
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.mailstore.types import IncomingMessage
from tests.mailstore.makers import put


def arrive(account: EmailAccount, *mails: IncomingMessage) -> list[Message]:
    rows = put(account, *mails)
    services.assign_messages([row.pk for row in rows])
    return rows


def is_assigned(message: Message) -> bool:
    """As the mark has it, which goes with the links."""
    is_marked = Unassigned.objects.filter(message=message).exists()
    assert is_marked != Link.objects.filter(message=message).exists(), "a mark or a link, never both"
    return not is_marked
