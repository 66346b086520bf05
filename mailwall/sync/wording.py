"""The ledger in words: rules by which messages are skipped, reasons for which they failed, roles of folders."""

from __future__ import annotations

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailwall.email_accounts.models import IMPORT_RULE_LABELS
from mailwall.sync import rules
from mailwall.sync.batches import NOT_STORABLE
from mailwall.sync.interpreting import NO_TEXT

RULES: dict[str, Promise] = {
    rules.BEFORE_WINDOW: _("Older than what is fetched"),
    rules.DIRECTION: _("Not of the direction that is stored"),
    rules.REMOVED_HERE: _("Removed from Mailwall by the owner"),
    **IMPORT_RULE_LABELS,
}
REASONS: dict[str, Promise] = {
    NO_TEXT: _("The server gave no text."),
    NOT_STORABLE: _("The database refused it."),
    "not_parsable": _("It could not be understood."),
    "empty": _("The server said yes, but gave nothing."),
    "vanished": _("The server listed it, but did not give it."),
    "too_large": _("It is larger than 32 MB and its parts cannot be told apart."),
    "unparsable_structure": _("The server described its parts in a way that cannot be understood."),
}
ROLES: dict[str, Promise] = {
    "sent": pgettext_lazy("folder", "Sent"),
    "drafts": pgettext_lazy("folder", "Drafts"),
    "trash": pgettext_lazy("folder", "Trash"),
    "junk": pgettext_lazy("folder", "Spam"),
    "archive": pgettext_lazy("folder", "Archive"),
    "all": pgettext_lazy("folder", "All mail"),
}
WHY_NOT_READ: dict[str, Promise] = {
    "drafts": _("Drafts are not sent yet."),
    "trash": _("What was thrown away stays away unless you choose it."),
    "junk": _("Spam is not fetched unless you choose it."),
    "all": _("It repeats what INBOX and Sent have."),
}


def rule(name: str) -> str:
    """The rule of a skip, in words."""
    return str(RULES.get(name, name))


def reason(name: str) -> str:
    """The reason of a failure, in words."""
    return str(REASONS.get(name, name))
