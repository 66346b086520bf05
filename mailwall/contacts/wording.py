"""The sentences that people read about what is wrong with a contact, in their language."""

from __future__ import annotations

from django.utils.translation import gettext as _

from mailwall.contacts.errors import AddressTaken, FieldProblem, NotAllowed
from mailwall.contacts.rules import readable_address


def say_problem(problem: FieldProblem) -> str:
    sentences = {
        "name_missing": _("Enter a name."),
        "too_long": _("Too long: at most %(value)s characters."),
        "too_many": _("Too many addresses: at most %(value)s."),
        "not_an_address": _("“%(value)s” is not an email address."),
        "kind_fixed": _("A person cannot become a company, nor a company a person."),
        "people_only": _("Only people have this; leave it empty for a company."),
        "company_unknown": _("There is no such company."),
        "company_is_person": _("A person's company must be a company, not a person."),
        "zone_unknown": _("There is no time zone “%(value)s”. Choose one from the list, such as Europe/Warsaw."),
        "owner_unknown": _("There is no such user, or they are no longer active."),
    }
    return sentences[problem.code] % {"value": problem.value}


def say_taken(error: AddressTaken) -> str:
    return _("%(address)s already belongs to %(contact)s.") % {
        "address": readable_address(error.address),
        "contact": error.contact_name or _("another contact"),
    }


def say_not_allowed(error: NotAllowed) -> str:
    sentences = {
        "edit": _("This contact belongs to %(owner)s. They, their manager or an administrator can change it."),
        "owner": _("You can give a contact only to yourself, or to the people of the teams that you manage."),
    }
    return sentences[error.reason] % {"owner": error.owner_name}


def say_own_address(address: str) -> str:
    return _("%(address)s is an address of a colleague or of a connected account: it never assigns mail by itself.") % {
        "address": readable_address(address)
    }
