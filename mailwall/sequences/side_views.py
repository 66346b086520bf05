"""Fragments that pages of lower rooms show by URL name: a contact's sequences, the day's tasks and replies."""

from __future__ import annotations

from django.contrib import messages
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailwall.contacts import queries as contacts
from mailwall.contacts.models import Contact
from mailwall.sequences import chores, listing, queries
from mailwall.sequences.views import SignedIn, sequence_page


@sequence_page
@require_safe
def of_contact(request: SignedIn, contact_id: int) -> HttpResponse:
    """Beside a contact's history: the sequences it is in, open tasks, and the way into one."""
    contact = contacts.contact_of(request.user, contact_id)
    if contact is None:
        raise Http404
    ids = [contact.pk, *Contact.objects.filter(company=contact).values_list("pk", flat=True)]
    context = {
        "contact": contact,
        "rows": [listing.row_of(request.user, row) for row in queries.enrolments_of_contact(request.user, ids)],
        "tasks": chores.open_tasks(request.user, contact_ids=ids),
        "are_on": queries.are_on(),
    }
    return _part(request, "sequences/_contact.html", "sequences/contact.html", context)


@sequence_page
@require_safe
def today(request: SignedIn) -> HttpResponse:
    """On the Dashboard: what is to be done, and who replied to one's sequences lately."""
    context = {
        "tasks": chores.open_tasks(request.user),
        "replies": queries.latest_replies(request.user),
    }
    return _part(request, "sequences/_today.html", "sequences/today.html", context)


@sequence_page
@require_POST
def finish_task(request: SignedIn, task_id: int) -> HttpResponse:
    """Done, or with `undo` not done yet. Again does nothing."""
    is_undo = request.POST.get("undo") == "1"
    task = chores.set_done(request.user, task_id, not is_undo)
    if task is None:
        raise Http404
    if request.htmx:
        return render(request, "sequences/_task_done.html", {"task": task, "is_undo": is_undo})
    messages.success(request, _("The task is open again.") if is_undo else _("The task is done."))
    target = request.POST.get("next", "")
    is_ours = url_has_allowed_host_and_scheme(target, {request.get_host()}, require_https=request.is_secure())
    return redirect(target if is_ours else reverse("wall:contact", args=[task.contact_id]))


def _part(request: SignedIn, part: str, page: str, context: dict[str, object]) -> HttpResponse:
    response = render(request, part if request.htmx else page, context)
    response["Vary"] = "HX-Request"
    return response
