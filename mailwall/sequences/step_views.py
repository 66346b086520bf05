"""Browser door of steps: add, edit, move, delete. Where people are on the way, each change says for whom it is."""

from __future__ import annotations

from dataclasses import replace

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from mailwall.sending import mail_templates, placeholders
from mailwall.sequences import queries, rules, services
from mailwall.sequences.errors import SequenceInvalid
from mailwall.sequences.forms import STEP_FORMS, StepForm, refuse
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.models import Step
from mailwall.sequences.rules import StepInput
from mailwall.sequences.services import SequenceInput
from mailwall.sequences.views import SignedIn, sequence_page
from mailwall.web.editing import editing_page


@sequence_page
@editing_page
@require_http_methods(["GET", "HEAD", "POST"])
def new_step(request: SignedIn, sequence_id: int, kind: str) -> HttpResponse:
    """Add a step at the end. `?template=` fills a mail in advance."""
    if kind not in STEP_FORMS:
        raise Http404
    sequence = queries.own_sequence(request.user, sequence_id)
    form = STEP_FORMS[kind](request.POST or None, initial=_from_template(request))
    before = [services.inputs_of(step) for step in queries.steps_of(sequence)]
    if request.method == "POST" and form.is_valid():
        given = [*before, form.given(None)]
        if _saved(request, sequence, given, form, prefix=f"steps.{len(before)}."):
            messages.success(request, _("The step was added."))
            return _back(sequence)
    return _form_page(request, sequence, form, kind)


@sequence_page
@editing_page
@require_http_methods(["GET", "HEAD", "POST"])
def edit_step(request: SignedIn, sequence_id: int, key: int) -> HttpResponse:
    sequence = queries.own_sequence(request.user, sequence_id)
    steps = queries.steps_of(sequence)
    place, step = _find(steps, key)
    form_class = STEP_FORMS[step.kind]
    form = form_class(request.POST or None, initial=form_class.values_of(step))
    if request.method == "POST" and form.is_valid():
        given = [services.inputs_of(each) for each in steps]
        given[place] = form.given(key)
        if _saved(request, sequence, given, form, prefix=f"steps.{place}."):
            messages.success(request, _("The step is saved."))
            return _back(sequence)
    return _form_page(request, sequence, form, step.kind, step)


@sequence_page
@require_POST
def change_steps(request: SignedIn, sequence_id: int) -> HttpResponse:
    """Move a step up or down (`move=KEY:up`), or delete it (`delete=KEY`)."""
    sequence = queries.own_sequence(request.user, sequence_id)
    steps = queries.steps_of(sequence)
    key, _colon, way = (request.POST.get("move") or request.POST.get("delete") or "").partition(":")
    _place, step = _find(steps, int(key) if key.isascii() and key.isdigit() else -1)
    order = [each.key for each in steps]
    if "move" in request.POST:
        order = rules.moved(order, step.key, -1 if way == "up" else 1)
    else:
        order.remove(step.key)
    inputs = {each.key: services.inputs_of(each) for each in steps}
    try:
        wanted = [_startable(inputs[each], place) for place, each in enumerate(order)]
        services.update_sequence(request.user, sequence_id, SequenceInput(steps=wanted), apply_to=_apply_to(request))
    except SequenceInvalid:
        messages.error(request, _("This would leave an email without a subject. Give it one first."))
    return _back(sequence)


def _startable(step: StepInput, place: int) -> StepInput:
    """The first step continues nothing."""
    return replace(step, same_thread=False) if place == 0 else step


def _saved(request: SignedIn, sequence: SequenceRow, steps: list[StepInput], form: StepForm, *, prefix: str) -> bool:
    """Whether it was saved; what is wrong stands in the form then."""
    try:
        services.update_sequence(request.user, sequence.pk, SequenceInput(steps=steps), apply_to=_apply_to(request))
    except SequenceInvalid as error:
        refuse(form, error, prefix=prefix)
        return False
    return True


def _apply_to(request: SignedIn) -> str:
    return services.ALL if request.POST.get("apply_to") == services.ALL else services.NEW_ONLY


def _find(steps: list[Step], key: int) -> tuple[int, Step]:
    for place, step in enumerate(steps):
        if step.key == key:
            return place, step
    raise Http404


def _from_template(request: SignedIn) -> dict[str, str]:
    asked = request.GET.get("template", "")
    if not (asked.isascii() and asked.isdigit() and len(asked) < 19):
        return {}
    found = mail_templates.templates_for(request.user).filter(pk=int(asked)).first()
    return {"subject": found.subject, "html": found.html} if found else {}


def _form_page(
    request: SignedIn, sequence: SequenceRow, form: StepForm, kind: str, step: Step | None = None
) -> HttpResponse:
    is_mail = kind == rules.EMAIL
    context = {
        "sequence": sequence,
        "form": form,
        "kind": kind,
        "step": step,
        "open_count": queries.counts_of(sequence).open,
        "fields": [f"{{{{{name}}}}}" for name in placeholders.FIELDS],
        "templates": mail_templates.templates_for(request.user)[:50] if is_mail and step is None else [],
    }
    return render(request, "sequences/step.html", context, status=422 if form.errors else 200)


def _back(sequence: SequenceRow) -> HttpResponse:
    return redirect(reverse("sequences:sequence", args=[sequence.pk]) + "#steps")
