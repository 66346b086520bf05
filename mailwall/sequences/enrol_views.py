"""Browser door of starting: choose contacts, see every mail with its date and all problems first, then start."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from mailwall.contacts import queries as contacts
from mailwall.contacts.models import Contact, Kind
from mailwall.contacts.queries import ContactFilter
from mailwall.sequences import enrolling, preview, queries, tasks, wording
from mailwall.sequences.errors import SequenceInvalid
from mailwall.sequences.views import MAX_ID, SignedIn, sequence_page
from mailwall.web.editing import editing_page

FOUND = 25


@sequence_page
@require_safe
def choose_sequence(request: SignedIn) -> HttpResponse:
    """For contacts chosen elsewhere (`?contact=`): which sequence? Of a company, whom."""
    queries.require_on()
    ids = _ids(request)
    rows = list(Contact.objects.filter(pk__in=ids).prefetch_related("addresses").order_by("sort_key", "pk"))
    companies = [(row, contacts.people_of(request.user, row)) for row in rows if row.kind == Kind.COMPANY]
    own = [row for row in queries.list_sequences(request.user) if row.owner_id == request.user.pk]
    context = {
        "contacts": [row for row in rows if row.kind != Kind.COMPANY],
        "companies": companies,
        "sequences": own,
        "count": len(rows),
    }
    return render(request, "sequences/choose.html", context)


@sequence_page
@require_safe
def to_sequence(request: SignedIn) -> HttpResponse:
    """The form of choose_sequence leads here: on to that sequence with the same contacts."""
    chosen = request.GET.get("sequence", "")
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 19):
        messages.error(request, _("Choose a sequence."))
        return redirect(f"{reverse('sequences:choose')}?{_query(_ids(request))}")
    sequence = queries.own_sequence(request.user, int(chosen))
    return redirect(f"{reverse('sequences:enrol', args=[sequence.pk])}?{_query(_ids(request))}")


@sequence_page
@require_http_methods(["GET", "HEAD", "POST"])
def enrol(request: SignedIn, sequence_id: int) -> HttpResponse:
    """GET: find and choose contacts, see problems and dates. POST starts those without a problem."""
    queries.require_on()
    sequence = queries.own_sequence(request.user, sequence_id)
    if request.method == "POST":
        return _start(request, sequence_id)
    ids = _ids(request)
    candidates = enrolling.check_contacts(request.user, sequence, ids) if ids else []
    q = request.GET.get("q", "").strip()
    found = contacts.list_contacts(request.user, ContactFilter(q=q), limit=FOUND).contacts if q or not ids else []
    able = [item for item in candidates if item.problem is None]
    context: dict[str, Any] = {
        "sequence": sequence,
        "steps": queries.steps_of(sequence),
        "q": q,
        "found": [row for row in found if row.pk not in set(ids)],
        "problems": [(item, wording.say_problem(item.problem)) for item in candidates if item.problem is not None],
        "plans": preview.plans_of(sequence, able),
        "with_colleague": sum(item.colleague is not None for item in able),
        "total": len(candidates),
        "query": _query(ids),
    }
    return render(request, "sequences/enrol.html", context)


def _start(request: SignedIn, sequence_id: int) -> HttpResponse:
    choice = enrolling.GO_ON if request.POST.get("if_colleague_wrote") == enrolling.GO_ON else enrolling.HOLD
    try:
        results = enrolling.enrol(request.user, sequence_id, _ids(request), if_colleague_wrote=choice)
    except SequenceInvalid as error:
        messages.error(request, " ".join(wording.say_problem(problem) for problem in error.problems))
        return redirect("sequences:sequence", sequence_id)
    sequence = queries.own_sequence(request.user, sequence_id)
    tasks.wake(sequence)
    started = sum(result.enrolment is not None for result in results)
    words = ngettext("%(n)d contact is enrolled.", "%(n)d contacts are enrolled.", started) % {"n": started}
    if sequence.state != "running":
        words += " " + _("Start the sequence, and they begin.")
    messages.success(request, words)
    return redirect("sequences:sequence", sequence_id)


@sequence_page
@editing_page
@require_safe
def show_preview(request: SignedIn, sequence_id: int, contact_id: int) -> HttpResponse:
    """Every mail as this contact will get it, with its day."""
    sequence = queries.sequence_of(request.user, sequence_id)
    contact = contacts.contact_of(request.user, contact_id)
    if contact is None:
        raise Http404
    calendar = queries.calendar_of(sequence, contact_id)
    [candidate] = enrolling.check_contacts(request.user, sequence, [contact_id])
    context = {
        "sequence": sequence,
        "contact": contact,
        "problem": wording.say_problem(candidate.problem) if candidate.problem else "",
        "items": preview.mails_of(sequence, contact, calendar, begin=timezone.now()),
        "zone": calendar.zone,
    }
    return render(request, "sequences/preview.html", context)


@sequence_page
@require_safe
def preview_for_somebody(request: SignedIn, sequence_id: int) -> HttpResponse:
    """The preview for who was enrolled last; before that for the first person of the contacts."""
    sequence = queries.sequence_of(request.user, sequence_id)
    enrolled = queries.enrolments_of(request.user, sequence).exclude(contact=None).first()
    people = contacts.list_contacts(request.user, ContactFilter(kind=Kind.PERSON), limit=1).contacts
    contact_id = enrolled.contact_id if enrolled else next((person.pk for person in people), None)
    if contact_id is None:
        messages.info(request, _("A preview shows the mails for a contact, and there is none yet."))
        return redirect("sequences:sequence", sequence_id)
    return redirect("sequences:preview", sequence_id, contact_id)


def _ids(request: SignedIn) -> list[int]:
    values = (request.POST if request.method == "POST" else request.GET).getlist("contact")
    ids = [int(value) for value in values if value.isascii() and value.isdigit() and len(value) < 19]
    return [pk for pk in dict.fromkeys(ids) if pk <= MAX_ID][: enrolling.MAX_AT_ONCE]


def _query(ids: Sequence[int]) -> str:
    return "&".join(f"contact={pk}" for pk in ids)
