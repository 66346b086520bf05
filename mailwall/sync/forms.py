"""The form of an account. It only reads; what is right is decided by email_accounts."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from django.utils.translation import gettext_lazy as _
from django.utils.translation import ngettext, pgettext_lazy

from mailwall.email_accounts import providers
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.drafts import AccountChanges, AccountDraft, ServerDraft
from mailwall.email_accounts.errors import DraftInvalid
from mailwall.email_accounts.models import EmailAccount, SecurityChoice, Store, Visibility
from mailwall.sync import history
from mailwall.team.models import User

PRIVACY_FIELDS = ("store", "visibility")
SERVER_FIELDS = ("imap_host", "imap_port", "imap_security", "smtp_host", "smtp_port", "smtp_security")
_PLAIN = {"autocapitalize": "none", "spellcheck": "false", "autocomplete": "off"}


def _host(label: Any, **options: Any) -> forms.CharField:
    return forms.CharField(label=label, max_length=255, widget=forms.TextInput(attrs=_PLAIN), **options)


def _day() -> forms.DateInput:
    return forms.DateInput(attrs={"type": "date"}, format="%Y-%m-%d")


def _clock() -> forms.TimeInput:
    return forms.TimeInput(attrs={"type": "time"}, format="%H:%M")


def _security(**options: Any) -> forms.ChoiceField:
    return forms.ChoiceField(label=_("Security"), choices=SecurityChoice.choices, initial="tls", **options)


def _password(**options: Any) -> forms.CharField:
    # spaces may belong to a password; it never comes back to the page
    widget = forms.PasswordInput(attrs={"autocomplete": "new-password", "data-password": ""})
    return forms.CharField(label=_("Password"), strip=False, required=False, widget=widget, **options)


class AccountForm(forms.Form):
    """Add or edit. kept_password: whether one is kept for this form, so that an empty field is none missing."""

    address = forms.CharField(
        label=_("Email address"), max_length=320, widget=forms.EmailInput(attrs={"autocomplete": "email"})
    )
    imap_host = _host(_("Server"))
    imap_port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65_535, initial=993)
    imap_security = _security(widget=forms.RadioSelect)
    imap_username = forms.CharField(
        label=_("User name"), max_length=320, required=False, widget=forms.TextInput(attrs=_PLAIN),
        help_text=_("Left empty: the email address."),
    )  # fmt: skip
    imap_password = _password()
    smtp_on = forms.BooleanField(label=_("Set up sending"), required=False)
    smtp_host = _host(_("Server"), required=False)
    smtp_port = forms.IntegerField(label=_("Port"), min_value=1, max_value=65_535, required=False, initial=465)
    smtp_security = _security(widget=forms.RadioSelect, required=False)
    smtp_same = forms.BooleanField(label=_("Same user and password"), required=False, initial=True)
    smtp_username = forms.CharField(
        label=_("User name"), max_length=320, required=False, widget=forms.TextInput(attrs=_PLAIN)
    )
    smtp_password = _password()
    owner: forms.ModelChoiceField[User] = forms.ModelChoiceField(
        label=_("Owner"), queryset=User.objects.none(), empty_label=None
    )
    store = forms.ChoiceField(label=_("Store"), choices=Store.choices, initial="both", widget=forms.RadioSelect)
    aliases = forms.CharField(
        label=_("Other addresses of this mailbox"),
        required=False,
        help_text=_("Separated by commas. Mail from them counts as sent."),
    )
    window = forms.ChoiceField(label=_("How far back"), initial="days", widget=forms.RadioSelect)
    import_since = forms.DateField(label=_("Since"), required=False, widget=_day())
    visibility = forms.ChoiceField(
        label=_("Who can see these messages?"), choices=Visibility.choices, widget=forms.RadioSelect
    )
    on_dashboard = forms.BooleanField(
        label=_("Show emails from this account on the Dashboard"), required=False, initial=True
    )

    def __init__(
        self, viewer: User, account: EmailAccount | None, *args: Any, kept_password: bool = False, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.account = account
        self.fields["owner"].queryset = account_queries.possible_owners(viewer)  # type: ignore[attr-defined]
        days = settings.IMPORT_WINDOW_DAYS
        last_days = ngettext("the last %(n)d day", "the last %(n)d days", days) % {"n": days}
        self.fields["window"].choices = [("days", last_days), ("since", _("since a day of your choice"))]  # type: ignore[attr-defined]
        if kept_password:
            self.fields["imap_password"].help_text = _("The password is kept. Type here to change it.")
        if account is None:
            self.fields["imap_password"].required = not kept_password
            if self.fields["owner"].queryset.count() < 2:  # type: ignore[attr-defined]
                del self.fields["owner"]
            return
        if not kept_password:
            self.fields["imap_password"].help_text = _("Left empty: the stored password stays.")
        if account.smtp_host and not account.smtp_same_password:
            self.fields["smtp_password"].help_text = _("Left empty: the stored password stays.")
        dropped = ("owner", "window", "import_since") + (PRIVACY_FIELDS if account.owner_id != viewer.pk else ())
        for name in dropped:
            del self.fields[name]

    def clean(self) -> dict[str, Any]:
        read = super().clean() or {}
        if read.get("window") == "since" and not read.get("import_since") and "import_since" not in self.errors:
            self.add_error("import_since", _("Choose a day."))
        if read.get("smtp_on") and not read.get("smtp_host"):
            self.add_error("smtp_host", _("Enter the name of the server."))
        return read

    def draft(self) -> AccountDraft:
        """The account to be added, of a valid form."""
        read = self.cleaned_data
        owner, since = read.get("owner"), read["import_since"] if read["window"] == "since" else None
        return AccountDraft(
            address=read["address"],
            imap=self._imap(),
            owner_id=owner.pk if owner else None,
            aliases=self._aliases(),
            smtp=self._smtp(),
            store=read["store"],
            visibility=read["visibility"],
            on_dashboard=read["on_dashboard"],
            import_since=since.isoformat() if since else None,
        )

    def changes(self) -> AccountChanges:
        """What an edit changes, of a valid form."""
        read = self.cleaned_data
        privacy = {name: read[name] for name in PRIVACY_FIELDS if name in read}
        return AccountChanges(
            address=read["address"], aliases=self._aliases(), imap=self._imap(), smtp=self._smtp(),
            on_dashboard=read["on_dashboard"], **privacy,
        )  # fmt: skip

    def show_errors(self, errors: tuple[tuple[str, str], ...]) -> None:
        """Put the sentences of DraftInvalid beside their fields (`imap.port` is our `imap_port`)."""
        for field, sentence in errors:
            name = field.split(".0")[0].replace(".", "_")
            self.add_error(name if name in self.fields else None, sentence)

    def _imap(self) -> ServerDraft:
        read = self.cleaned_data
        return ServerDraft(
            host=read["imap_host"],
            port=read["imap_port"],
            security=read["imap_security"],
            username=read["imap_username"],
            password=read["imap_password"] or None,
        )

    def _smtp(self) -> ServerDraft | None:
        read = self.cleaned_data
        if not read["smtp_on"]:
            return None
        own = not read["smtp_same"]
        return ServerDraft(
            host=read["smtp_host"],
            port=read["smtp_port"],
            security=read["smtp_security"] or "tls",
            username=read["smtp_username"] if own else "",
            password=(read["smtp_password"] or None) if own else "",
        )

    def _aliases(self) -> tuple[str, ...]:
        return tuple(alias.strip() for alias in self.cleaned_data["aliases"].split(",") if alias.strip())


class HistoryForm(forms.Form):
    """A range of older messages. It only reads; history.wanted_range() says what is right."""

    since = forms.DateField(label=_("Since"), widget=_day())
    until = forms.DateField(
        label=_("Until"),
        required=False,
        widget=_day(),
        help_text=_("That day included. Left empty: all that is missing."),
    )
    quiet = forms.BooleanField(label=_("Only between certain hours, every day"), required=False)
    begins = forms.TimeField(label=pgettext_lazy("hours", "From"), initial="01:00", widget=_clock())
    ends = forms.TimeField(label=pgettext_lazy("hours", "To"), initial="05:00", widget=_clock())
    per_minute = forms.IntegerField(
        label=_("At most so many messages a minute"), required=False, min_value=1,
        help_text=_("Spares a weak server. Left empty: as fast as it can, but never before new mail."),
    )  # fmt: skip

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.is_bound and not self.data.get("quiet"):
            self.fields["begins"].required = self.fields["ends"].required = False

    def range(self, account: EmailAccount) -> history.Wanted | None:
        """The range of a form, or None with the errors beside their fields."""
        if not self.is_valid():
            return None
        read = self.cleaned_data
        until = read["until"].isoformat() if read["until"] else None
        between = (f"{read['begins']:%H:%M}", f"{read['ends']:%H:%M}") if read["quiet"] else None
        try:
            return history.wanted_range(account, read["since"].isoformat(), until, between, read["per_minute"] or 0)
        except DraftInvalid as error:
            for name, sentence in error.errors:
                self.add_error({"between": "begins"}.get(name, name), sentence)
            return None


def initial_of(account: EmailAccount) -> dict[str, Any]:
    """What the form of an account shows first; never a password."""
    return {
        "address": account.address,
        "imap_host": account.imap_host,
        "imap_port": account.imap_port,
        "imap_security": account.imap_security,
        "imap_username": account.imap_username,
        "smtp_on": bool(account.smtp_host),
        "smtp_host": account.smtp_host,
        "smtp_port": account.smtp_port or 465,
        "smtp_security": account.smtp_security or "tls",
        "smtp_same": account.smtp_same_password,
        "smtp_username": account.smtp_username,
        "aliases": ", ".join(account.aliases),
        "store": account.store,
        "visibility": account.visibility,
        "on_dashboard": account.on_dashboard,
    }


def suggested_servers(address: str) -> dict[str, Any]:
    """Values of SERVER_FIELDS for the domain of the address: its provider's, else the usual names."""
    if "@" not in address:
        return {}
    found = providers.find_provider(address)
    imap, smtp = (found.imap, found.smtp) if found else providers.guess_servers(address)
    return {
        "imap_host": imap.host, "imap_port": imap.port, "imap_security": imap.security,
        "smtp_host": smtp.host, "smtp_port": smtp.port, "smtp_security": smtp.security,
    }  # fmt: skip


def is_untouched(data: Any, suggested_for: str) -> bool:
    """Whether the servers in the form are still empty, or what was suggested for an earlier address."""
    before = suggested_servers(suggested_for)
    return not data.get("imap_host") or data.get("imap_host") == before.get("imap_host")
