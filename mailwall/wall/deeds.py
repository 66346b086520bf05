"""Browser door: deeds on a message. Its owner narrows its thread or removes it, both can be undone; everybody chooses
whose pictures show."""

from __future__ import annotations

from collections.abc import Callable

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from mailwall.mailstore import services as mailstore
from mailwall.mailstore.errors import MessageNotFound
from mailwall.team.models import User
from mailwall.wall import pictures, queries
from mailwall.wall.requests import MAX_ID, SignedIn


@login_required
@require_POST
def narrow(request: SignedIn, message_id: int) -> HttpResponse:
    """Only me: the owner's mails of the thread, and what will come into it."""
    done = _("Only you see this thread now, and what will come into it.")
    return _change_thread(request, message_id, mailstore.narrow_thread, done, undo="wall:widen")


@login_required
@require_POST
def widen(request: SignedIn, message_id: int) -> HttpResponse:
    """Take back narrow()."""
    done = _("This thread is as visible as its account again.")
    return _change_thread(request, message_id, mailstore.widen_thread, done, undo="wall:narrow")


@login_required
@require_POST
def remove(request: SignedIn, message_id: int) -> HttpResponse:
    """Remove from Mailwall: at once from every screen, for good a quarter of an hour later."""
    _require_owner(request.user, message_id)
    mailstore.remove_message(request.user, message_id)
    response = render(
        request, "wall/_removed.html" if request.htmx else "wall/removed.html", {"message_id": message_id}
    )
    response["HX-Trigger"] = "triage-changed, mail-changed"
    return response


@login_required
@require_POST
def restore(request: SignedIn, message_id: int) -> HttpResponse:
    """Take back remove(), as long as that can be."""
    try:
        mailstore.restore_message(request.user, message_id if message_id <= MAX_ID else 0)
    except MessageNotFound as error:
        raise Http404 from error
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Refresh"] = "true"
        return response
    messages.success(request, _("The message is back."))
    return redirect("wall:message", message_id)


@login_required
@require_POST
def always_show_pictures(request: SignedIn, message_id: int) -> HttpResponse:
    """Show the pictures of this mail, and of all mail from its sender, without being asked."""
    return _choose_pictures(request, message_id, pictures.always_show)


@login_required
@require_POST
def show_pictures_on_request(request: SignedIn, message_id: int) -> HttpResponse:
    """Take back always_show_pictures()."""
    return _choose_pictures(request, message_id, pictures.show_on_request)


def _choose_pictures(request: SignedIn, message_id: int, choose: Callable[[User, str], None]) -> HttpResponse:
    sender = queries.message_card(request.user, min(message_id, MAX_ID)).from_
    if sender is None:
        raise Http404
    choose(request.user, sender.address)
    if not request.htmx:
        return redirect("wall:message", message_id)
    context = {"message": queries.message_card(request.user, message_id), "is_whole": request.GET.get("whole") == "1"}
    return render(request, "wall/_body.html", context)


def _change_thread(
    request: SignedIn, message_id: int, change: Callable[[User, str], int], done: str, *, undo: str
) -> HttpResponse:
    thread_key = _require_owner(request.user, message_id)
    change(request.user, thread_key)
    if not request.htmx:
        messages.success(request, done)
        return redirect("wall:message", message_id)
    context = {
        "message": queries.message_card(request.user, message_id),
        "done": done,
        "undo_url": reverse(undo, args=[message_id]),
    }
    return render(request, "wall/_narrowed.html", context)


def _require_owner(viewer: User, message_id: int) -> str:
    """The thread of a message of the viewer's own. Who may see it, but does not own it, is told so."""
    if message_id > MAX_ID:
        raise Http404
    message = queries.visible_message(viewer, message_id)
    if message.account.owner_id != viewer.pk:
        raise PermissionDenied(_("Only the owner of its account can do that with a message."))
    return message.thread_key
