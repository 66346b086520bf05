"""Browser door of the tab "Ignored senders": what is never imported, and whom triage does not offer."""

from __future__ import annotations

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext
from django.views.decorators.http import require_http_methods, require_POST

from mailwall.assignment import sorting, triage
from mailwall.email_accounts import errors as account_errors
from mailwall.email_accounts import import_rules, importing, queries
from mailwall.email_accounts.errors import ImportRuleRefused
from mailwall.email_accounts.import_rules import ImportRuleKind
from mailwall.email_accounts.models import IMPORT_RULE_LABELS, EmailAccount
from mailwall.sync import skipping
from mailwall.sync.views import SignedIn
from mailwall.team.models import User

MINE, ALL = "mine", "all"
MAX_IGNORED = 200


class RuleForm(forms.Form):
    """kind: a rule, or an address or domain; scope: one's accounts, one of them, or by admins the whole workspace."""

    kind = forms.ChoiceField(label=gettext_lazy("Never import"))
    value = forms.CharField(label=gettext_lazy("Address or domain"), required=False, max_length=320)
    scope = forms.ChoiceField(label=gettext_lazy("For"))

    def __init__(self, viewer: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewer = viewer
        self.accounts = {str(a.pk): a for a in EmailAccount.objects.connected().filter(owner=viewer).order_by("id")}
        kinds = [(str(ImportRuleKind.ADDRESS), _("An address or a domain"))]
        kinds += [(kind, str(label)) for kind, label in IMPORT_RULE_LABELS.items() if kind not in importing.OF_VALUE]
        scopes = [(MINE, _("All my accounts")), *((pk, account.address) for pk, account in self.accounts.items())]
        scopes += [(ALL, _("The whole workspace"))] if viewer.is_admin else []
        self.fields["kind"].choices = kinds  # type: ignore[attr-defined]
        self.fields["scope"].choices = scopes  # type: ignore[attr-defined]
        self.fields["value"].widget.attrs.update(autocomplete="off", placeholder="@bank.example")

    def save(self) -> bool:
        """Add the rule; False when it was refused, the form then says why."""
        scope = self.cleaned_data["scope"]
        try:
            importing.add_rule(
                self.viewer,
                self.cleaned_data["kind"],
                self.cleaned_data["value"],
                account=self.accounts.get(scope),
                for_all=scope == ALL,
            )
        except ImportRuleRefused as error:
            self.add_error("value", account_errors.sentence(error))
            return False
        return True


class IgnoreForm(forms.Form):
    """An address or a domain that triage shall not offer, to the viewer or by admins to everybody."""

    sender = forms.CharField(label=gettext_lazy("Address or domain"), max_length=320)
    everybody = forms.BooleanField(label=gettext_lazy("For everybody"), required=False)

    prefix = "ignore"

    def __init__(self, viewer: User, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.viewer = viewer
        self.fields["sender"].widget.attrs["autocomplete"] = "off"
        if not viewer.is_admin:
            del self.fields["everybody"]

    def save(self) -> bool:
        """Ignore; False when it is neither an address nor a domain, the form then says so."""
        try:
            kind, value = importing.settle_value(self.cleaned_data["sender"])
        except ImportRuleRefused as error:
            self.add_error("sender", account_errors.sentence(error))
            return False
        thing = {"addresses": [value]} if kind == ImportRuleKind.ADDRESS else {"domains": [value]}
        sorting.ignore(self.viewer, **thing, for_all=bool(self.cleaned_data.get("everybody")))
        return True


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def never_import(request: SignedIn) -> HttpResponse:
    """Both lists with a form each; POST adds to the one whose form was sent."""
    asked = request.POST if request.method == "POST" else None
    is_ignoring = asked is not None and "ignore-sender" in asked
    rule_form = RuleForm(request.user, None if is_ignoring else asked)
    ignore_form = IgnoreForm(request.user, asked if is_ignoring else None)
    form: RuleForm | IgnoreForm = ignore_form if is_ignoring else rule_form
    if asked is not None and form.is_valid() and form.save():
        messages.success(request, _("Saved."))
        return redirect("sync:never_import")
    context = {
        "rule_form": rule_form,
        "ignore_form": ignore_form,
        "rules": importing.rules_for(request.user),
        "ignored": triage.ignored_list(request.user, limit=MAX_IGNORED),
        "colleague_domains": sorted(import_rules.domains_of_colleagues(queries.own_addresses())),
    }
    return render(request, "sync/never_import.html", context, status=422 if form.errors else 200)


@login_required
@require_POST
def remove_rule(request: SignedIn, rule_id: int) -> HttpResponse:
    """Take back a rule; what it kept out of the window comes with the next synchronization."""
    try:
        number = skipping.remove_rule(request.user, rule_id)
    except ImportRuleRefused as error:
        if error.msgid == ImportRuleRefused.MSGID_GONE:
            raise Http404 from error
        messages.warning(request, account_errors.sentence(error))
        return redirect("sync:never_import")
    text = _("The rule is removed.")
    if number:
        again = ngettext(
            "%(n)d message of the import window is looked at again.",
            "%(n)d messages of the import window are looked at again.",
            number,
        )
        text = f"{text} {again % {'n': number}}"
    messages.success(request, text)
    return redirect("sync:never_import")
