"""Forms of sequences. They only read; what is right is decided by the services."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from mailwall.contacts.rules import KEEP
from mailwall.email_accounts.models import EmailAccount
from mailwall.sequences import opens, queries, wording
from mailwall.sequences.errors import SequenceInvalid
from mailwall.sequences.models import CONTACT_ZONE, Sharing, Step
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.rules import EMAIL, TASK, WAIT, Problem, StepInput
from mailwall.sequences.services import SequenceInput, WindowInput
from mailwall.team.forms import time_zone_field
from mailwall.team.models import User

DAYS = (
    (1, _("Monday")), (2, _("Tuesday")), (3, _("Wednesday")), (4, _("Thursday")), (5, _("Friday")), (6, _("Saturday")),
    (7, _("Sunday")),
)  # fmt: skip
AT_ONCE, IN_WINDOW = "at_once", "in_window"
#: fields of the API → fields of the form
_FIELDS = {
    "email_account": "account", "window.days": "days", "window.to": "closes", "window.zone": "zone", "state": None,
}  # fmt: skip


def _number(label: Any, **options: Any) -> forms.IntegerField:
    return forms.IntegerField(label=label, widget=forms.NumberInput(attrs={"inputmode": "numeric"}), **options)


def _line(label: Any, max_length: int, **options: Any) -> forms.CharField:
    widget = forms.TextInput(attrs={"autocomplete": "off"})
    return forms.CharField(label=label, max_length=max_length, widget=widget, **options)


def _time(label: Any, initial: str) -> forms.TimeField:
    widget = forms.TimeInput(attrs={"type": "time"}, format="%H:%M")
    return forms.TimeField(label=label, initial=initial, widget=widget)


class RulesForm(forms.Form):
    """Name and rules of a sequence."""

    name = _line(_("Name of the sequence"), 200)
    account: forms.ModelChoiceField[EmailAccount] = forms.ModelChoiceField(
        label=_("Send from"), queryset=EmailAccount.objects.none(), required=False, empty_label=None
    )
    when = forms.ChoiceField(
        label=_("When may mail leave?"),
        choices=[(IN_WINDOW, _("Within a window")), (AT_ONCE, _("At any time, each step at once"))],
        widget=forms.RadioSelect, initial=IN_WINDOW,
    )  # fmt: skip
    days = forms.TypedMultipleChoiceField(
        label=_("Days"), choices=DAYS, coerce=int, widget=forms.CheckboxSelectMultiple, required=False,
        initial=[1, 2, 3, 4, 5],
    )  # fmt: skip
    opens = _time(pgettext_lazy("window", "From"), "08:00")
    closes = _time(pgettext_lazy("window", "To"), "16:00")
    zone = time_zone_field()
    daily_cap = _number(
        _("Most automatic emails a day"), required=False, min_value=1, initial=50,
        help_text=_("Counted for the email account over all its sequences. Empty: no limit."),
    )  # fmt: skip
    domain_cap = _number(
        _("Of these to one domain"), required=False, min_value=1,
        help_text=_("So that one company does not get many at once. Empty: no limit."),
    )  # fmt: skip
    end_on_company_reply = forms.BooleanField(
        label=_("Also end it when anybody of the contact's company writes"), required=False
    )
    measure_opens = forms.BooleanField(
        label=_("Measure opens"), required=False,
        help_text=_(
            "Each email then carries a hidden picture that tells Mailwall when it is opened. The receivers are not "
            "asked, and in many countries the law wants their consent. Only sums per step are shown."
        ),
    )  # fmt: skip
    quiet_days = _number(
        _("Days to hold after a colleague's email"), min_value=0, initial=7,
        help_text=_("Whoever had an email from a colleague within these days begins later, unless you say otherwise."),
    )  # fmt: skip
    sharing = forms.ChoiceField(label=_("Who may read it"), choices=Sharing.choices, initial=Sharing.OWN)

    def __init__(self, owner: User, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["account"].queryset = queries.accounts_to_send_from(owner)  # type: ignore[attr-defined]
        self.fields["zone"].required = False
        zones = self.fields["zone"].choices  # type: ignore[attr-defined]
        general = [("", _("The workspace's time zone")), (CONTACT_ZONE, _("The contact's time zone"))]
        self.fields["zone"].choices = [*general, *zones]  # type: ignore[attr-defined]
        self.fields["zone"].help_text = _("A contact without one has their company's, else the workspace's.")
        self._offer_opens()
        if owner.team_id is None:
            kept = [choice for choice in Sharing.choices if choice[0] != Sharing.TEAM]
            self.fields["sharing"].choices = kept  # type: ignore[attr-defined]

    def _offer_opens(self) -> None:
        """Only where the workspace allows it; switching off stays possible without an address."""
        if not opens.may_be_measured():
            del self.fields["measure_opens"]
        elif not opens.have_an_address():
            field = self.fields["measure_opens"]
            field.disabled = not self.initial.get("measure_opens")
            field.help_text = wording.say_problem(Problem(field="measure_opens", code="opens_no_address"))

    @staticmethod
    def values_of(sequence: SequenceRow) -> dict[str, Any]:
        window = queries.window_of(sequence)
        values = {
            name: getattr(sequence, name)
            for name in ("name", "daily_cap", "domain_cap", "end_on_company_reply", "quiet_days", "sharing", "zone")
        }
        values |= {
            "account": sequence.account_id,
            "measure_opens": sequence.measures_opens,
            "when": IN_WINDOW if window else AT_ONCE,
        }
        if window:
            values |= {"days": sorted(window.days), "opens": window.opens, "closes": window.closes}
        return values

    def given(self) -> SequenceInput:
        """The rules of a valid form."""
        found = self.cleaned_data
        window = None
        if found["when"] == IN_WINDOW:
            window = WindowInput(
                days=tuple(found["days"]), opens=found["opens"], closes=found["closes"], zone=found["zone"]
            )
        return SequenceInput(
            name=found["name"],
            account_id=found["account"].pk if found["account"] else None,
            window=window,
            daily_cap=found["daily_cap"],
            domain_cap=found["domain_cap"],
            end_on_company_reply=found["end_on_company_reply"],
            measures_opens=found.get("measure_opens", KEEP),
            quiet_days=found["quiet_days"],
            sharing=found["sharing"],
        )


class EmailStepForm(forms.Form):
    subject = _line(_("Subject"), 500, required=False)
    same_thread = forms.ChoiceField(
        label=_("Conversation"),
        choices=[("", _("A new conversation")), ("yes", _("Continue the one before: a reply to your own email"))],
        widget=forms.RadioSelect, required=False,
        help_text=_("To continue, leave the subject empty: “Re:” and the first subject then stand there."),
    )  # fmt: skip
    html = forms.CharField(
        label=_("Text"), strip=False,
        widget=forms.Textarea(attrs={"data-editor": "", "data-editor-height": 260, "rows": 12, "spellcheck": "true"}),
    )  # fmt: skip

    def given(self, key: int | None) -> StepInput:
        found = self.cleaned_data
        thread = bool(found["same_thread"])
        return StepInput(kind=EMAIL, key=key, subject=found["subject"], html=found["html"], same_thread=thread)

    @staticmethod
    def values_of(step: Step) -> dict[str, Any]:
        return {"subject": step.subject, "html": step.html, "same_thread": "yes" if step.same_thread else ""}


class WaitStepForm(forms.Form):
    days = _number(pgettext_lazy("wait", "Days"), min_value=1, max_value=365, initial=3)
    working_days = forms.BooleanField(
        label=_("Count working days: Monday to Friday without holidays"), required=False, initial=True
    )

    def given(self, key: int | None) -> StepInput:
        found = self.cleaned_data
        return StepInput(kind=WAIT, key=key, days=found["days"], working_days=found["working_days"])

    @staticmethod
    def values_of(step: Step) -> dict[str, Any]:
        return {"days": step.days, "working_days": step.working_days}


class TaskStepForm(forms.Form):
    title = _line(
        _("What is to be done"),
        300,
        help_text=_("It appears on your Dashboard and beside the history, such as “Call”."),
    )

    def given(self, key: int | None) -> StepInput:
        return StepInput(kind=TASK, key=key, title=self.cleaned_data["title"])

    @staticmethod
    def values_of(step: Step) -> dict[str, Any]:
        return {"title": step.title}


StepForm = EmailStepForm | WaitStepForm | TaskStepForm
STEP_FORMS: dict[str, type[EmailStepForm] | type[WaitStepForm] | type[TaskStepForm]] = {
    EMAIL: EmailStepForm, WAIT: WaitStepForm, TASK: TaskStepForm,
}  # fmt: skip


class OpensForm(forms.Form):
    is_allowed = forms.BooleanField(
        label=_("Allow users to measure opens in their sequences"), required=False,
        help_text=_("Off: no email has such a picture, and what older ones tell is not counted."),
    )  # fmt: skip


class SuppressionForm(forms.Form):
    address = forms.EmailField(label=_("Email address"), max_length=320)
    note = forms.CharField(label=_("Why"), max_length=500, required=False)


class LiftForm(forms.Form):
    note = forms.CharField(label=_("Why it may be written to again"), max_length=500)


class HolidayForm(forms.Form):
    day = forms.DateField(label=_("Day"), widget=forms.DateInput(attrs={"type": "date"}))
    name = forms.CharField(label=_("Name"), max_length=100, required=False)


def refuse(form: forms.Form, error: SequenceInvalid, *, prefix: str = "") -> None:
    """Put what the service refused to the fields. prefix: of the step that the form is about (`steps.2.`)."""
    for problem in error.problems:
        name = problem.field.removeprefix(prefix)
        field = _FIELDS.get(name, name)
        form.add_error(field if field in form.fields else None, wording.say_problem(problem))
