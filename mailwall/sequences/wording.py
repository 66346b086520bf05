"""The sentences that people read about sequences, in their language."""

from __future__ import annotations

from collections.abc import Mapping

from django.utils.translation import gettext as _
from django.utils.translation import pgettext

from mailwall.sending import placeholders
from mailwall.sequences.errors import ChangeRefused
from mailwall.sequences.models import Enrolment
from mailwall.sequences.rules import Problem


def say_problem(problem: Problem) -> str:
    """What is wrong with a field, or why a contact cannot start."""
    sentences = {
        "too_many_steps": _("At most %(value)s steps are possible."),
        "days_range": _("Wait from 1 to %(value)s days."),
        "empty": _("This must not be empty."),
        "one_line": _("Use one line, without control characters."),
        "too_long": _("Too long: at most %(value)s characters."),
        "field_unknown": _("There is no field %(value)s. The fields are: %(known)s."),
        "braces_broken": _("A field is written {{first_name}}, with two braces on both sides."),
        "no_steps": _("Add an email or a task first."),
        "stores_no_replies": _("This account stores sent mail only, so replies would not be noticed."),
        "name_length": _("Enter a name of at most %(value)s characters."),
        "account_unknown": _("You have no such email account."),
        "is_archived": _("This sequence is archived. Restore it first."),
        "cap_range": _("Enter a number from 1 to %(value)s, or nothing for no limit."),
        "quiet_range": _("Enter a number of days from 0 to %(value)s."),
        "no_team": _("You belong to no team."),
        "opens_forbidden": _("This workspace does not measure opens. An administrator can allow it."),
        "opens_no_address": _(
            "Receivers cannot reach this Mailwall: set MAILWALL_BASE_URL to its public address first."
        ),
        "window_days": _("Choose at least one day."),
        "window_hours": _("The window must end later than it begins, on the same day."),
        "zone_unknown": _("There is no such time zone."),
        "not_found": _("There is no such contact."),
        "no_address": _("No email address."),
        "own_address": _("%(value)s is an address of a colleague or of a connected account."),
        "undeliverable": _("%(value)s sent mail back as undeliverable."),
        "suppressed": _("%(value)s wants no more mail from sequences."),
        "already_enrolled": _("Already in this sequence."),
        "missing_field": _("No value for: %(value)s."),
    }
    return sentences[problem.code] % {"value": problem.value, "known": ", ".join(placeholders.FIELDS)}


def say_refused(error: ChangeRefused) -> str:
    sentences = {
        "state": _("This cannot be done to an enrolment in its present state."),
        "contact_deleted": _("The contact was deleted."),
        "is_archived": _("This sequence is archived. Restore it first."),
        "suppressed": _("This address wants no more mail from sequences. An administrator can lift that."),
        "nothing_left": _("No step is left for this contact."),
    }
    return sentences[error.reason]


def reasons() -> Mapping[str, str]:
    """Why an enrolment is as it is: code → words."""
    return {
        "reply": _("replied"),
        "other_mail": _("wrote another email"),
        "company_mail": _("the company wrote"),
        "hard_bounce": _("the mail came back as undeliverable"),
        "refused": _("the receiver's mail server refused the address"),
        "unsubscribed": _("unsubscribed"),
        "suppressed": _("is on the list of addresses that want no mail"),
        "by_hand": pgettext("enrolment", "by hand"),
        "contact_deleted": _("the contact was deleted"),
        "account_gone": _("the email account was removed"),
        "archived": _("the sequence was archived"),
        "colleague_wrote": _("a colleague wrote lately"),
        "not_sent": _("the mail could not be sent"),
        "cancelled": _("the mail was cancelled"),
        "no_address": _("the contact has no address any more"),
        "missing_field": _("a field of the next mail has no value"),
        "away": _("is away, goes on later"),
    }


def say_reason(enrolment: Enrolment) -> str:
    """In words, '' where there is none. Nothing of a mail but that it came."""
    return reasons().get(enrolment.reason, "")
