"""Browser door: the list of sequences, and one sequence with its steps, rules and people."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.dates import WEEKDAYS_ABBR
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe
from django_htmx.middleware import HtmxDetails

from mailwall.email_accounts.errors import sentence
from mailwall.sending.errors import SendingInactive
from mailwall.sequences import enrolling, listing, opens, queries, services, tasks, wording
from mailwall.sequences.errors import ChangeRefused, NotTheOwner, SequenceInvalid, SequenceNotFound, SequencesOff
from mailwall.sequences.forms import RulesForm, refuse
from mailwall.sequences.models import CONTACT_ZONE, SequenceState
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.services import SequenceInput
from mailwall.team.models import User

View = Callable[..., HttpResponse]
DAYS_SHORT = tuple((number, WEEKDAYS_ABBR[number - 1]) for number in range(1, 8))
MAX_ID = 2**63 - 1


class SignedIn(HttpRequest):
    """A request that has passed login_required and the htmx middleware."""

    user: User
    htmx: HtmxDetails


def sequence_page(view: View) -> View:
    """For the signed-in; what the services refuse as a page: 404, 403, or in Basic why there are no sequences."""

    @login_required
    @wraps(view)
    def guarded(request: SignedIn, *args: Any, **options: Any) -> HttpResponse:
        if any(isinstance(value, int) and value > MAX_ID for value in options.values()):
            raise Http404
        try:
            return view(request, *args, **options)
        except SequenceNotFound as error:
            raise Http404 from error
        except NotTheOwner as error:
            raise PermissionDenied(_("Only its owner changes a sequence.")) from error
        except SequencesOff:
            return render(request, "sequences/off.html", status=403)

    return guarded


@sequence_page
@require_safe
def list_sequences(request: SignedIn) -> HttpResponse:
    archived = request.GET.get("archived") == "1"
    context = {
        "sequences": queries.list_sequences(request.user, archived=archived),
        "is_archive": archived,
        "are_on": queries.are_on(),
        "has_account": queries.accounts_to_send_from(request.user).exists(),
    }
    return render(request, "sequences/list.html", context)


@sequence_page
@require_http_methods(["GET", "HEAD", "POST"])
def new_sequence(request: SignedIn) -> HttpResponse:
    queries.require_on()
    form = RulesForm(request.user, request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            sequence = services.create_sequence(request.user, form.given())
        except SequenceInvalid as error:
            refuse(form, error)
        else:
            messages.success(request, _("“%(name)s” was made. Now add its steps.") % {"name": sequence.name})
            return redirect("sequences:sequence", sequence.pk)
    return render(request, "sequences/rules.html", {"form": form}, status=422 if form.errors else 200)


@sequence_page
@require_http_methods(["GET", "HEAD", "POST"])
def edit_rules(request: SignedIn, sequence_id: int) -> HttpResponse:
    sequence = queries.own_sequence(request.user, sequence_id)
    form = RulesForm(request.user, request.POST or None, initial=RulesForm.values_of(sequence))
    if request.method == "POST" and form.is_valid():
        try:
            tasks.wake(services.update_sequence(request.user, sequence_id, form.given()))
        except SequenceInvalid as error:
            refuse(form, error)
        except SendingInactive as error:
            form.add_error("account", sentence(error))
        else:
            messages.success(request, _("The rules are saved."))
            return redirect(f"{reverse('sequences:sequence', args=[sequence_id])}?tab=rules")
    return render(
        request, "sequences/rules.html", {"form": form, "sequence": sequence}, status=422 if form.errors else 200
    )


@sequence_page
@require_safe
def show_sequence(request: SignedIn, sequence_id: int) -> HttpResponse:
    """The page, or its list of people alone for htmx."""
    sequence = queries.sequence_of(request.user, sequence_id)
    people = listing.people_page(request.user, sequence, request.GET)
    context: dict[str, Any] = {"sequence": sequence, "people": people, "is_own": sequence.owner_id == request.user.pk}
    asks_for_part = request.htmx and not request.htmx.history_restore_request
    if not asks_for_part:
        context |= page_context(request.user, sequence)
        context["tab"] = "rules" if request.GET.get("tab") == "rules" else "steps"
    response = render(request, "sequences/_people.html" if asks_for_part else "sequences/sequence.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


def page_context(viewer: User, sequence: SequenceRow) -> dict[str, Any]:
    """What stands around the list of people."""
    return {
        "steps": listing.step_rows(sequence),
        "open_count": queries.counts_of(sequence).open,
        "window": queries.window_of(sequence),
        "zone": queries.zone_of(sequence),
        "follows_contacts": sequence.zone == CONTACT_ZONE,
        "days": DAYS_SHORT,
        "has_opens": opens.are_shown(sequence),
        "trouble": listing.trouble_of(sequence),
        "are_on": queries.are_on(),
    }


@sequence_page
@require_POST
def change_state(request: SignedIn, sequence_id: int) -> HttpResponse:
    """Start, pause, or back to a draft; the address says to which state."""
    wanted = request.POST.get("state", "")
    if wanted not in SequenceState.values:
        raise Http404
    try:
        tasks.wake(services.update_sequence(request.user, sequence_id, SequenceInput(state=wanted)))
    except SequenceInvalid as error:
        messages.error(request, " ".join(wording.say_problem(problem) for problem in error.problems))
    except SendingInactive as error:
        messages.error(request, sentence(error))
    else:
        words = {
            "running": _("The sequence runs."),
            "paused": _("The sequence is paused: no step runs."),
            "draft": _("The sequence is a draft."),
        }
        messages.success(request, words[wanted])
    return redirect("sequences:sequence", sequence_id)


@sequence_page
@require_POST
def duplicate(request: SignedIn, sequence_id: int) -> HttpResponse:
    source = queries.sequence_of(request.user, sequence_id)
    name = pgettext("sequence", "%(name)s (copy)") % {"name": source.name[:180]}
    copy = services.duplicate_sequence(request.user, sequence_id, name=name)
    messages.success(request, _("This is the copy, a draft."))
    return redirect("sequences:sequence", copy.pk)


@sequence_page
@require_POST
def archive(request: SignedIn, sequence_id: int) -> HttpResponse:
    services.archive_sequence(request.user, sequence_id)
    messages.success(request, _("The sequence is archived, and whoever was on the way has been stopped."))
    return redirect("sequences:list")


@sequence_page
@require_POST
def restore(request: SignedIn, sequence_id: int) -> HttpResponse:
    services.restore_sequence(request.user, sequence_id)
    messages.success(request, _("The sequence is back, paused."))
    return redirect("sequences:sequence", sequence_id)


@sequence_page
@require_POST
def pause_all(request: SignedIn, sequence_id: int) -> HttpResponse:
    enrolling.pause_all(request.user, sequence_id)
    messages.success(request, _("Everybody on the way is paused."))
    return redirect("sequences:sequence", sequence_id)


@sequence_page
@require_POST
def change_enrolment(request: SignedIn, enrolment_id: int) -> HttpResponse:
    """Pause, go on or remove one contact; back to the page, or the list alone for htmx."""
    try:
        enrolment = enrolling.change_enrolment(request.user, enrolment_id, request.POST.get("state", ""))
    except ChangeRefused as error:
        messages.error(request, wording.say_refused(error))
        found = queries.enrolment_of(request.user, enrolment_id)
        return redirect("sequences:sequence", found.sequence_id)
    tasks.wake(enrolment.sequence)
    if request.htmx:
        people = listing.people_page(request.user, enrolment.sequence, request.POST)
        context = {"sequence": enrolment.sequence, "people": people, "is_own": True}
        return render(request, "sequences/_people.html", context)
    return redirect(reverse("sequences:sequence", args=[enrolment.sequence_id]) + "#people")
