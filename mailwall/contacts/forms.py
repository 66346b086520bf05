"""The forms of a person and of a company. They only read; what is right is decided by rules and services."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.urls import reverse
from django.utils.html import format_html
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailwall.contacts import queries, rules, wording, zones
from mailwall.contacts.errors import AddressTaken, ContactInvalid
from mailwall.contacts.models import Contact, Kind
from mailwall.contacts.rules import ContactFields, ContactInput
from mailwall.team.models import User


class AddressRows(forms.Widget):
    """As many inputs of one name as there are addresses; drawn by contacts/_addresses.html."""

    def value_from_datadict(self, data: Mapping[str, Any], files: Any, name: str) -> list[str]:
        values = data.getlist(name) if hasattr(data, "getlist") else data.get(name, [])
        return [value.strip() for value in values if value.strip()]


class ContactForm(forms.Form):
    """What both kinds have: addresses, phone, owner."""

    kind = Kind.PERSON
    emails = forms.Field(label=gettext_lazy("Email addresses"), required=False, widget=AddressRows)
    phone = forms.CharField(label=gettext_lazy("Phone"), required=False)
    zone = forms.CharField(
        label=gettext_lazy("Time zone"), required=False,
        widget=forms.TextInput(
            attrs={"list": "zones", "autocomplete": "off", "spellcheck": "false", "placeholder": "Europe/Warsaw"}
        ),
        help_text=gettext_lazy(
            "Type a city and choose. Sequences can follow it; a person without one has their company's."
        ),
    )  # fmt: skip
    owner: forms.ModelChoiceField[User] = forms.ModelChoiceField(
        label=gettext_lazy("Owner"), queryset=User.objects.none(), required=False
    )

    def __init__(self, viewer: User, contact: Contact | None, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewer, self.contact = viewer, contact
        self.new_company = ""
        self.fields["phone"].widget.attrs.update(type="tel", autocomplete="off")
        self._prepare_owner()

    def _prepare_owner(self) -> None:
        current = self.contact.owner if self.contact else self.viewer
        owners = queries.owners_to_choose(self.viewer, besides=current)
        if len(owners) < 2:
            del self.fields["owner"]
            return
        self.fields["owner"].queryset = owners  # type: ignore[attr-defined]
        self.fields["owner"].empty_label = _("Nobody: everyone may edit")  # type: ignore[attr-defined]

    def address_rows(self) -> list[str]:
        """The addresses to show, one empty row when there is none."""
        return self["emails"].value() or [""]

    def zones(self) -> tuple[str, ...]:
        return zones.names()

    def given(self) -> ContactInput:
        """What was entered, for services; only after is_valid()."""
        values = {key: value for key, value in self.cleaned_data.items() if key in self.plain_fields()}
        if "owner" in self.fields:
            owner = self.cleaned_data.get("owner")
            values["owner_id"] = owner.pk if owner else None
        return ContactInput(kind=self.kind, emails=self.cleaned_data["emails"] or [], **values)

    def plain_fields(self) -> tuple[str, ...]:
        return ("phone", "zone")

    def clean(self) -> dict[str, Any]:
        """Everything that is wrong is said at once, what only the rules know as well."""
        given = self.given()
        for check in (
            lambda: rules.settle_fields(ContactFields(kind=self.kind), given),
            lambda: rules.settle_addresses(self.cleaned_data["emails"] or []),
        ):
            try:
                check()
            except ContactInvalid as error:
                self.refuse(error)
        return self.cleaned_data

    def refuse(self, error: ContactInvalid | AddressTaken) -> None:
        """Show under the fields what the service refused."""
        if isinstance(error, AddressTaken):
            self.add_error("emails", _taken_with_link(error))
            return
        for problem in error.problems:
            field = problem.field.partition(".")[0]
            sentence = wording.say_problem(problem)
            if sentence not in self.errors.get(field, []):
                self.add_error(field if field in self.fields else None, sentence)


class PersonForm(ContactForm):
    kind = Kind.PERSON
    first_name = forms.CharField(label=gettext_lazy("First name"), required=False)
    last_name = forms.CharField(label=gettext_lazy("Last name"), required=False)
    company = forms.CharField(label=gettext_lazy("Company"), required=False)
    create_company = forms.BooleanField(required=False)
    title = forms.CharField(label=gettext_lazy("Job title"), required=False)
    field_order = ("first_name", "last_name", "emails", "company", "create_company", "title", "phone", "zone", "owner")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.offers_company = False
        options = {"hx-get": reverse("contacts:company_options"), "hx-trigger": "input changed delay:200ms"}
        options |= {"hx-target": "#company-options", "hx-swap": "innerHTML", "list": "company-options"}
        self.fields["company"].widget.attrs.update(options, autocomplete="off")
        for name in ("first_name", "last_name"):
            self.fields[name].widget.attrs["autocomplete"] = "off"

    def company_options(self) -> list[str]:
        return queries.company_labels(self.viewer, self["company"].value() or "")

    def plain_fields(self) -> tuple[str, ...]:
        return ("first_name", "last_name", "title", "phone", "zone", "company_id")

    def clean(self) -> dict[str, Any]:
        self.cleaned_data["company_id"] = None
        label = self.cleaned_data.get("company", "")
        if label:
            self._find_company(label)
        return super().clean()

    def _find_company(self, label: str) -> None:
        current = self.contact.company if self.contact else None
        found = [current] if current and current.name == label else queries.companies_labelled(self.viewer, label)
        if len(found) == 1:
            self.cleaned_data["company_id"] = found[0].pk
        elif found:
            self.add_error("company", _("Several companies have this name. Choose one from the list, by its number."))
        elif self.cleaned_data.get("create_company"):
            self.new_company = label
        else:
            self.offers_company = True
            self.add_error("company", _("There is no company of this name yet."))


class CompanyForm(ContactForm):
    kind = Kind.COMPANY
    name = forms.CharField(label=gettext_lazy("Name"), error_messages={"required": gettext_lazy("Enter a name.")})
    field_order = ("name", "emails", "phone", "zone", "owner")

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["name"].widget.attrs["autocomplete"] = "off"

    def plain_fields(self) -> tuple[str, ...]:
        return ("name", "phone", "zone")


FORMS: dict[str, type[ContactForm]] = {Kind.PERSON: PersonForm, Kind.COMPANY: CompanyForm}


def initial_of(contact: Contact) -> dict[str, Any]:
    """The contact's values as its form shows them."""
    return {
        "first_name": contact.first_name,
        "last_name": contact.last_name,
        "name": contact.name,
        "title": contact.title,
        "phone": contact.phone,
        "zone": contact.zone,
        "company": contact.company.name if contact.company else "",
        "owner": contact.owner,
        "emails": [row.readable for row in contact.addresses.all()],
    }


def _taken_with_link(error: AddressTaken) -> str:
    if error.contact_id is None:
        return wording.say_taken(error)
    link = format_html('<a href="{}">{}</a>', reverse("wall:contact", args=[error.contact_id]), error.contact_name)
    sentence = _("%(address)s already belongs to %(contact)s.")
    before, _found, after = sentence.partition("%(contact)s")
    address = {"address": rules.readable_address(error.address)}
    return format_html("{}{}{}", before % address, link, after % address)
