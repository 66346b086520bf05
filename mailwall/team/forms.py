"""Forms of the profile, of set-up and of administration. They check form only; the services know the rest."""

from __future__ import annotations

import zoneinfo
from datetime import datetime, timedelta
from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailwall.team import queries
from mailwall.team.models import Package, Role, Team, User, Workspace


def time_zone_field() -> forms.ChoiceField:
    zones = sorted(zone for zone in zoneinfo.available_timezones() if "/" in zone or zone == "UTC")
    return forms.ChoiceField(label=_("Time zone"), choices=[(zone, zone.replace("_", " ")) for zone in zones])


def name_field() -> forms.CharField:
    return forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "name"}),
    )


def email_field() -> forms.EmailField:
    attrs = {"autocomplete": "username", "autocapitalize": "none", "spellcheck": "false"}
    return forms.EmailField(label=_("Email address"), max_length=254, widget=forms.EmailInput(attrs=attrs))


def new_password_field(**options: Any) -> forms.CharField:
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password"})
    return forms.CharField(label=_("Password"), strip=False, max_length=1000, widget=widget, **options)


class SetupForm(forms.Form):
    """The first administrator."""

    language = forms.ChoiceField(label=_("Language"), choices=settings.LANGUAGES, widget=forms.RadioSelect)
    name = name_field()
    email = email_field()
    password = new_password_field(help_text=_("At least 10 characters."))
    time_zone = time_zone_field()


class ProfileForm(forms.Form):
    name = name_field()
    language = forms.ChoiceField(
        label=_("Language"), choices=[("", _("As the browser")), *settings.LANGUAGES], required=False
    )
    theme = forms.ChoiceField(
        label=_("Light or dark"),
        choices=[("", _("As the system")), ("light", _("Light")), ("dark", _("Dark"))],
        required=False,
    )
    time_zone = time_zone_field()
    shortcuts = forms.BooleanField(
        label=_("Keyboard shortcuts of single keys"),
        help_text=_("Such as g d for the Dashboard. Press ? to see them all."),
        required=False,
    )


class TokenForm(forms.Form):
    name = forms.CharField(label=_("What is it for?"), max_length=200)
    scopes = forms.ChoiceField(
        label=_("It may"), choices=[("write", _("read and change")), ("read", _("only read"))], initial="write"
    )
    days = forms.TypedChoiceField(
        label=_("Valid for"),
        choices=[(30, _("30 days")), (90, _("90 days")), (365, _("a year")), (0, _("ever"))],
        coerce=int,
        initial=90,
    )

    def expires_at(self, now: datetime) -> datetime | None:
        days = self.cleaned_data["days"]
        return now + timedelta(days=days) if days else None


class UserForm(forms.Form):
    """Of an admin, for somebody else; `is_active` only where the user exists already."""

    name = forms.CharField(
        label=pgettext_lazy("of a person", "Name"),
        max_length=200,
        widget=forms.TextInput(attrs={"autocomplete": "off"}),
    )
    email = forms.EmailField(
        label=_("Email address"),
        max_length=254,
        help_text=_("For signing in."),
        widget=forms.EmailInput(attrs={"autocomplete": "off"}),
    )
    role = forms.ChoiceField(
        label=_("Role"),
        choices=[
            (Role.USER, _("User: sees contacts, edits own")),
            (Role.MANAGER, _("Manager: also in charge of the teams they are put in charge of")),
            (Role.ADMIN, _("Administrator: all settings, users and teams")),
        ],
        initial=Role.USER,
        widget=forms.RadioSelect,
    )
    team = forms.ModelChoiceField(
        label=_("Team"), queryset=Team.objects.all(), required=False, empty_label=_("No team")
    )
    may_connect = forms.TypedChoiceField(
        label=_("May connect email accounts"),
        choices=[("", _("As the workspace says for the role")), ("yes", _("Yes")), ("no", _("No"))],
        coerce=lambda value: value == "yes",
        empty_value=None,
        required=False,
    )
    password = new_password_field(required=False)
    is_active = forms.BooleanField(
        label=_("May sign in"),
        help_text=_("Without it the user and their API tokens are refused at once; everything stays stored."),
        required=False,
    )

    def __init__(self, *args: Any, user: User | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        if user is None:
            del self.fields["is_active"]
            self.fields["password"].help_text = _("At least 10 characters. Tell it to the user; they can change it.")
        else:
            self.fields["password"].label = _("New password")
            self.fields["password"].help_text = _("Leave it empty to keep the old one. A new one ends all sessions.")

    @staticmethod
    def values_of(user: User) -> dict[str, Any]:
        may_connect = {None: "", True: "yes", False: "no"}[user.may_connect]
        return {
            "name": user.name, "email": user.email, "role": user.role, "team": user.team_id,
            "may_connect": may_connect, "is_active": user.is_active,
        }  # fmt: skip


class TeamForm(forms.Form):
    name = forms.CharField(label=_("Name of the team"), max_length=200)
    managers = forms.ModelMultipleChoiceField(
        label=_("Managers"),
        queryset=User.objects.none(),
        widget=forms.CheckboxSelectMultiple,
        help_text=_("They see mail that its owner shares with managers. Only managers and administrators stand here."),
        required=False,
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["managers"].queryset = queries.possible_managers()  # type: ignore[attr-defined]


class WorkspaceForm(forms.ModelForm):  # type: ignore[type-arg]
    time_zone = time_zone_field()
    package = forms.ChoiceField(
        label=_("Package"),
        choices=Package.choices,
        widget=forms.RadioSelect,
        help_text=_(
            "In Basic each user sends from the default account alone and sequences rest. "
            "Changing the package deletes nothing; what rested goes on with Automation."
        ),
    )
    max_accounts_per_user = forms.IntegerField(
        label=_("Email accounts per user, at most"),
        min_value=1,
        max_value=1000,
        help_text=_("Holds in Automation and counts accounts that only receive, too. Accounts beyond it stay."),
    )

    class Meta:
        model = Workspace
        fields = (
            "name", "package", "max_accounts_per_user", "users_may_connect", "managers_may_connect",
            "admins_may_connect", "review_time", "time_zone",
        )  # fmt: skip
        labels = {  # noqa: RUF012 -- Django's way
            "name": _("Name of the workspace"),
            "users_may_connect": _("Users"),
            "managers_may_connect": _("Managers"),
            "admins_may_connect": _("Administrators"),
            "review_time": _("Daily review of unassigned mail at"),
        }
        widgets = {"review_time": forms.TimeInput(format="%H:%M", attrs={"type": "time"})}  # noqa: RUF012

    def _post_clean(self) -> None:
        """The services write the row, not the form."""
