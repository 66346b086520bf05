"""Forms of signatures and templates. They only read; what is right is decided by the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from mailwall.sending.mail_templates import MAX_NAME_LENGTH, MAX_SUBJECT_LENGTH, TemplateDraft
from mailwall.sending.models import Sharing
from mailwall.team.models import User

GENERAL, OWN = "general", "own"


def _html_field(label: Any, *, height: int) -> forms.CharField:
    """HTML: a rich editor where scripts run, the source itself elsewhere."""
    attrs = {"data-editor": "", "data-editor-height": height, "rows": 12, "spellcheck": "true"}
    return forms.CharField(label=label, required=False, strip=False, widget=forms.Textarea(attrs=attrs))


class SignatureForm(forms.Form):
    """The general signature; of_account: that of one account, which may do with the general one."""

    choice = forms.ChoiceField(
        label=_("Signature of this account"),
        choices=[(GENERAL, _("Use my general signature")), (OWN, _("A signature of its own"))],
        widget=forms.RadioSelect,
    )
    html = _html_field(_("Signature"), height=220)

    def __init__(self, *args: Any, of_account: bool, **options: Any) -> None:
        super().__init__(*args, **options)
        if not of_account:
            del self.fields["choice"]


class TemplateForm(forms.Form):
    name = forms.CharField(
        label=_("Name of the template"), max_length=MAX_NAME_LENGTH,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )  # fmt: skip
    sharing = forms.ChoiceField(label=_("Who can use it"), choices=Sharing.choices, initial=Sharing.OWN)
    subject = forms.CharField(label=_("Subject"), max_length=MAX_SUBJECT_LENGTH, required=False)
    html = _html_field(_("Text"), height=280)

    def __init__(self, owner: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if owner.team_id is None:
            kept = [choice for choice in Sharing.choices if choice[0] != Sharing.TEAM]
            self.fields["sharing"].choices = kept  # type: ignore[attr-defined]

    def draft(self) -> TemplateDraft:
        """The template of a valid form."""
        return TemplateDraft(**self.cleaned_data)
