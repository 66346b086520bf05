"""Browser door of mail on its way: the tabs Scheduled and Drafts, the state on a card, undo, and what failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_POST, require_safe

from mailwall.email_accounts.errors import sentence
from mailwall.sending import departures, draft_queries, services, tasks
from mailwall.sending.errors import OutgoingNotFound, SendingInactive, TooLate
from mailwall.sending.models import DraftMessage, Outgoing, OutgoingState
from mailwall.sending.requests import MAX_ID, SignedIn, page_or_part

IN_MOTION = (OutgoingState.HELD, OutgoingState.QUEUED, OutgoingState.SENDING)


# -- tabs of "Email messages"


@login_required
@require_safe
def list_drafts(request: SignedIn) -> HttpResponse:
    """The viewer's drafts, newest first."""
    discarded = request.session.pop("discarded", "") if not request.htmx else ""
    context = {"drafts": draft_queries.drafts_of(request.user), "discarded": discarded, **_tabs(request, "drafts")}
    return page_or_part(request, "sending/drafts.html", "sending/_drafts.html", context)


@login_required
@require_safe
def list_scheduled(request: SignedIn) -> HttpResponse:
    """The viewer's mails that wait for their time."""
    waiting = list(draft_queries.scheduled_for(request.user)[:200])
    context = {"waiting": waiting, **_tabs(request, "scheduled")}
    return page_or_part(request, "sending/scheduled.html", "sending/_scheduled.html", context)


@login_required
@require_safe
def mail_tabs(request: SignedIn) -> HttpResponse:
    """The two tabs with their counts, for the list of "Email messages"."""
    return render(request, "sending/_mail_tabs.html", _tabs(request, ""))


def _tabs(request: SignedIn, current: str) -> dict[str, Any]:
    return {
        "tab": current,
        "draft_count": DraftMessage.objects.of(request.user).unsent().count(),
        "scheduled_count": draft_queries.scheduled_for(request.user).count(),
    }


# -- on a contact's page


@login_required
@require_safe
def contact_slot(request: SignedIn, contact_id: int) -> HttpResponse:
    """Where a contact's page lets one write: the button "Email", and drafts that were begun there."""
    context = {
        "contact_id": contact_id,
        "drafts": draft_queries.drafts_about(request.user, contact_id) if contact_id <= MAX_ID else [],
    }
    return render(request, "sending/_contact_slot.html", context)


# -- the state of one mail


@login_required
@require_safe
def delivery(request: SignedIn, message_id: int) -> HttpResponse:
    """How far a mail is, polled by its card while it moves; its sender can act on it."""
    outgoing = draft_queries.visible_outgoing(request.user, message_id) if message_id <= MAX_ID else None
    if outgoing is None or outgoing.message is None:
        if request.htmx:
            return HttpResponse("")
        raise Http404
    return page_or_part(request, "sending/delivery.html", "sending/_delivery.html", _delivery(request, outgoing))


def _delivery(request: SignedIn, outgoing: Outgoing) -> dict[str, Any]:
    return {
        "outgoing": outgoing,
        "message": outgoing.message,
        "key": str(outgoing.message_id),
        "is_sender": outgoing.sender_id == request.user.pk,
        "is_moving": outgoing.state in IN_MOTION,
        "is_later": outgoing.send_at is not None and outgoing.due_at > timezone.now(),
    }


@login_required
@require_safe
def undo_toasts(request: SignedIn) -> HttpResponse:
    """What the viewer has sent in the last seconds, wherever they are now: "Sending in 15 s [Undo] [Send now]"."""
    left = int(float(request.session.pop("undo_until", 0)) - timezone.now().timestamp())
    held = list(Outgoing.objects.of(request.user).filter(state=OutgoingState.HELD, automatic=False).order_by("-pk")[:1])
    if left <= 0 or not held:
        return HttpResponse("")
    return render(request, "sending/_sent.html", {"outgoing": held[0], "seconds": left})


# -- what its sender does


@login_required
@require_POST
def undo(request: SignedIn, outgoing_id: int) -> HttpResponse:
    """Take a mail back and open its draft again."""
    return _change(request, outgoing_id, lambda: departures.take_back(request.user, outgoing_id))


@login_required
@require_POST
def cancel(request: SignedIn, outgoing_id: int) -> HttpResponse:
    """Take a mail back; its draft stays among the drafts."""

    def take_back() -> None:
        departures.take_back(request.user, outgoing_id)

    return _change(request, outgoing_id, take_back)


@login_required
@require_POST
def edit_again(request: SignedIn, outgoing_id: int) -> HttpResponse:
    """ "Edit and retry": open the draft of a mail that failed."""
    return _change(request, outgoing_id, lambda: departures.edit_failed(request.user, outgoing_id))


@login_required
@require_POST
def send_now(request: SignedIn, outgoing_id: int) -> HttpResponse:
    """Do not wait for the end of the time to undo, or for a later day."""
    return _change(request, outgoing_id, lambda: tasks.deliver(departures.send_now(request.user, outgoing_id)))


@login_required
@require_POST
def settle(request: SignedIn, outgoing_id: int) -> HttpResponse:
    """ "It was sent" or "Send again", for a mail whose fate nobody saw."""
    decision = "send_again" if request.POST.get("decision") == "send_again" else "it_was_sent"
    return _change(request, outgoing_id, lambda: tasks.deliver(services.settle(request.user, outgoing_id, decision)))


@login_required
@require_POST
def retry(request: SignedIn, outgoing_id: int) -> HttpResponse:
    """Send a failed mail again, unchanged."""
    return _change(request, outgoing_id, lambda: tasks.deliver(services.retry(request.user, outgoing_id)))


def _change(request: SignedIn, outgoing_id: int, change: Callable[[], DraftMessage | None]) -> HttpResponse:
    """Do it; then the draft it opened, else the mail's state. What is too late is told, and nothing changes."""
    try:
        draft = change() if outgoing_id <= MAX_ID else None
    except OutgoingNotFound as error:
        raise Http404 from error
    except (TooLate, SendingInactive) as error:
        return _refused(request, sentence(error))
    if draft is not None:
        request.session.pop("undo_until", None)
        return _go(request, reverse("sending:draft", args=[draft.pk]))
    if not request.htmx:
        return redirect("sending:scheduled")
    outgoing = Outgoing.objects.of(request.user).select_related("message").filter(pk=outgoing_id).first()
    if outgoing is None or outgoing.message is None:
        response = HttpResponse("")
    else:
        response = render(request, "sending/_delivery.html", _delivery(request, outgoing))
    response["HX-Trigger"] = "mail-changed"
    return response


def _refused(request: SignedIn, words: str) -> HttpResponse:
    if request.htmx:
        response = render(request, "sending/_refused.html", {"words": words})
        response["HX-Reswap"] = "none"
        return response
    messages.error(request, words)
    return redirect("sending:scheduled")


def _go(request: SignedIn, target: str) -> HttpResponse:
    if not request.htmx:
        return redirect(target)
    response = HttpResponse(status=204)
    response["HX-Redirect"] = target
    return response
