"""The form of a new person made of an unknown sender. It only reads; what is right is decided by the contacts room."""

from __future__ import annotations

from typing import Any

from django import forms
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from mailwall.contacts import queries, rules, wording
from mailwall.contacts.errors import AddressTaken, ContactInvalid
from mailwall.contacts.models import Kind
from mailwall.contacts.rules import ContactFields, ContactInput, Keep
from mailwall.team.models import User


class NewContactForm(forms.Form):
    """first and last name, company by name, the sender's address."""

    first_name = forms.CharField(label=gettext_lazy("First name"), required=False)
    last_name = forms.CharField(label=gettext_lazy("Last name"), required=False)
    company = forms.CharField(label=gettext_lazy("Company"), required=False)
    create_company = forms.BooleanField(required=False)
    email = forms.CharField(label=gettext_lazy("Email address"))

    def __init__(self, viewer: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewer, self.new_company = viewer, ""
        self.company_id: int | None = None
        self.offers_company = False
        options = {"hx-get": reverse("contacts:company_options"), "hx-trigger": "input changed delay:200ms"}
        options |= {"hx-target": "next datalist", "hx-swap": "innerHTML", "list": f"{self.prefix}-companies"}
        self.fields["company"].widget.attrs.update(options)
        for name in ("first_name", "last_name", "company", "email"):
            self.fields[name].widget.attrs["autocomplete"] = "off"
        if not self.is_bound:
            self.fields["first_name"].widget.attrs["autofocus"] = True

    def clean_company(self) -> str:
        label: str = self.cleaned_data["company"]
        found = queries.companies_labelled(self.viewer, label) if label else []
        if len(found) > 1:
            raise forms.ValidationError(_("Several companies have this name. Choose one from the list, by its number."))
        if found:
            self.company_id = found[0].pk
        elif label and self.data.get(self.add_prefix("create_company")):
            self.new_company = label
        elif label:
            self.offers_company = True
            raise forms.ValidationError(_("There is no company of this name yet."))
        return label

    def clean(self) -> dict[str, Any]:
        """Everything that is wrong is said at once, what only the rules know as well."""
        given = self.given()
        for check in (
            lambda: rules.settle_fields(ContactFields(kind=Kind.PERSON), given),
            lambda: rules.settle_addresses(() if isinstance(given.emails, Keep) else given.emails),
        ):
            try:
                check()
            except ContactInvalid as error:
                self.refuse(error)
        return self.cleaned_data

    def given(self) -> ContactInput:
        """What was entered, for the contacts room."""
        values = self.cleaned_data
        return ContactInput(
            first_name=values["first_name"],
            last_name=values["last_name"],
            emails=[values["email"]] if "email" in values else [],
            company_id=self.company_id,
        )

    def refuse(self, error: ContactInvalid | AddressTaken) -> None:
        """Show under the fields what the contacts room refused."""
        if isinstance(error, AddressTaken):
            self.add_error("email", wording.say_taken(error))
            return
        for problem in error.problems:
            field = {"emails": "email"}.get(name := problem.field.partition(".")[0], name)
            self.add_error(field if field in self.fields else None, wording.say_problem(problem))
