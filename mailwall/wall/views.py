"""Browser door of "Email messages", of single messages and of the search."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.safestring import mark_safe
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_POST, require_safe

from mailwall.assignment import services as assignment
from mailwall.assignment.errors import AssignmentTargetNotFound
from mailwall.contacts import queries as contacts
from mailwall.contacts.queries import ContactFilter
from mailwall.mailstore.models import Direction
from mailwall.mime.html import clean_html
from mailwall.wall import pictures, queries, results, rules
from mailwall.wall.queries import MailFilter
from mailwall.wall.requests import (
    MAX_ID,
    SignedIn,
    id_before,
    number,
    page_or_part,
    position_of,
    write_position,
)
from mailwall.web.editing import editing_page
from mailwall.web.rest import encode_cursor

PAGE_LENGTH = 30
TABS = ("all", "received", "sent", "unassigned")
MAX_SUGGESTED = 8

# -- "Email messages"


@login_required
@editing_page
@require_safe
def list_mail(request: SignedIn) -> HttpResponse:
    """All mail the viewer may see, one row per mail; the list alone for htmx."""
    tab = request.GET.get("tab", "all")
    tab = tab if tab in TABS else "all"
    q, account_id = request.GET.get("q", "").strip(), number(request.GET.get("account"))
    before = id_before(request)
    wanted = MailFilter(
        direction={"received": Direction.RECEIVED, "sent": Direction.SENT}.get(tab, ""),
        assigned=False if tab == "unassigned" else None,
        account_id=account_id,
        query=rules.parse_query(q) if q else None,
    )
    page = queries.mail_page(request.user, wanted, before=before, limit=PAGE_LENGTH)
    here = {"tab": "" if tab == "all" else tab, "account": account_id or "", "q": q}
    context = {
        "cards": page.cards,
        "tabs": _tabs(request, wanted, tab, here),
        "tab": tab,
        "q": q,
        "account_id": account_id,
        "accounts": queries.accounts_with_messages(request.user),
        "has_account": queries.has_account(request.user),
        "is_filtered": bool(q or account_id or tab != "all"),
        "first_url": _mail_url(here) if before is not None else "",
        "next_url": _mail_url({**here, "before": encode_cursor(page.next)}) if page.next is not None else "",
        "here_url": request.get_full_path(),
    }
    return page_or_part(request, "wall/mail.html", "wall/_mail.html", context)


def _tabs(request: SignedIn, wanted: MailFilter, tab: str, here: dict[str, Any]) -> list[dict[str, Any]]:
    counts = queries.tab_counts(request.user, wanted)
    labels = {
        "all": pgettext("messages", "All"),
        "received": pgettext("messages", "Received"),
        "sent": pgettext("messages", "Sent"),
        "unassigned": pgettext("messages", "Unassigned"),
    }
    return [
        {
            "label": labels[name],
            "url": _mail_url({**here, "tab": "" if name == "all" else name}),
            "is_current": name == tab,
            "count": min(counts[name], queries.MAX_COUNTED - 1),
            "is_more": counts[name] >= queries.MAX_COUNTED,
        }
        for name in TABS
    ]


def _mail_url(values: dict[str, Any]) -> str:
    query = urlencode({name: value for name, value in values.items() if value})
    return reverse("wall:mail") + (f"?{query}" if query else "")


# -- one message


@login_required
@editing_page
@require_safe
def show_message(request: SignedIn, message_id: int) -> HttpResponse:
    """The page of a message, or the preview beside the list for htmx."""
    card = queries.message_card(request.user, _checked(message_id))
    copies = queries.copies_of(request.user, card.message)
    context = {
        "card": queries.single_card(request.user, card, copies),
        "message": card,
        "copies": [copy for copy in copies if copy.id != card.id],
        "is_whole": True,
        "is_plain": request.GET.get("view") == "text",
        "with_images": request.GET.get("images") == "1",
    }
    return page_or_part(request, "wall/message.html", "wall/_preview.html", context)


@login_required
@require_safe
def show_body(request: SignedIn, message_id: int) -> HttpResponse:
    """What a message says, in another way: as text, with images, with its quotes unfolded."""
    context = {
        "message": queries.message_card(request.user, _checked(message_id)),
        "is_plain": request.GET.get("view") == "text",
        "with_images": request.GET.get("images") == "1",
        "is_open": request.GET.get("open") == "1",
        "is_whole": request.GET.get("whole") == "1",
    }
    if not request.htmx:
        return redirect("wall:message", message_id)
    return render(request, "wall/_body.html", context)


@login_required
@require_safe
@xframe_options_sameorigin
def show_frame(request: SignedIn, message_id: int) -> HttpResponse:
    """The cleaned HTML of a message for a sandboxed frame: a document that runs nothing and, unless ?images=1, asks
    no server for anything. With ?images=1 the pictures that lie in the mail are fetched from the mail server."""
    source = queries.received_html(request.user, _checked(message_id))
    with_images = request.GET.get("images") == "1"
    cleaned = clean_html(source, fold_quotes=True)
    if request.GET.get("open") == "1":
        cleaned = cleaned.replace('<details class="quoted">', '<details class="quoted" open>')
    problem = ""
    if with_images:
        cleaned, problem = pictures.with_attached(request.user, message_id, pictures.with_remote(cleaned))
    title = _("The message")
    response = render(
        request,
        "wall/frame.html",
        {
            "html": mark_safe(cleaned),  # noqa: S308 -- cleaned
            "title": title,
            "problem": problem,
            "is_simple": rules.is_simple_html(cleaned),
        },
    )
    response["Referrer-Policy"] = "no-referrer"
    response["Cross-Origin-Opener-Policy"] = "same-origin"
    return _with_frame_policy(response, with_images)


def _with_frame_policy(response: HttpResponse, with_images: bool) -> HttpResponse:
    images = "data: https: http:" if with_images else "data:"
    response["Content-Security-Policy"] = (
        "sandbox allow-popups allow-popups-to-escape-sandbox; default-src 'none'; "
        f"img-src {images}; style-src 'unsafe-inline'; frame-ancestors 'self'; form-action 'none'; base-uri 'none'"
    )
    return response


@login_required
@require_safe
def show_seers(request: SignedIn, message_id: int) -> HttpResponse:
    """ "Who can see this?": by name and rule, for every visible copy."""
    card = queries.message_card(request.user, _checked(message_id))
    copies = queries.copies_of(request.user, card.message)
    context = {
        "message": card,
        "copies": [copy for copy in copies if copy.id != card.id],
        "not_seeing": queries.not_seeing(card),
    }
    return page_or_part(request, "wall/seers.html", "wall/_seers.html", context)


@login_required
@require_safe
def show_thread(request: SignedIn, message_id: int) -> HttpResponse:
    """The other visible mails of a message's thread."""
    message = queries.visible_message(request.user, _checked(message_id))
    context = {"cards": queries.thread_page(request.user, message), "message": message}
    return page_or_part(request, "wall/thread.html", "wall/_thread.html", context)


def _checked(message_id: int) -> int:
    if message_id > MAX_ID:
        raise Http404
    return message_id


# -- assigning by hand


@login_required
@require_safe
def find_contacts(request: SignedIn, message_id: int) -> HttpResponse:
    """Contacts to assign a message to."""
    card = queries.message_card(request.user, _checked(message_id))
    q = request.GET.get("q", "").strip()
    linked = {contact.id for contact in card.contacts}
    found = contacts.list_contacts(request.user, ContactFilter(q=q), limit=MAX_SUGGESTED).contacts if q else []
    context = {"message": card, "q": q, "found": [contact for contact in found if contact.pk not in linked]}
    return page_or_part(request, "wall/assign.html", "wall/_assign.html", context)


@login_required
@require_POST
def assign(request: SignedIn, message_id: int, contact_id: int) -> HttpResponse:
    """Assign a message by hand; it survives every review."""
    return _change_links(request, message_id, contact_id, assignment.assign_by_hand, _("The message is assigned."))


@login_required
@require_POST
def unassign(request: SignedIn, message_id: int, contact_id: int) -> HttpResponse:
    """Take a message from a contact by hand; no review brings it back."""
    done = _("The message is not assigned to this contact any more.")
    return _change_links(request, message_id, contact_id, assignment.unassign_by_hand, done)


def _change_links(request: SignedIn, message_id: int, contact_id: int, change: Any, done: str) -> HttpResponse:
    try:
        change(request.user, _checked(message_id), _checked(contact_id))
    except AssignmentTargetNotFound as error:
        raise Http404 from error
    if not request.htmx:
        messages.success(request, done)
        return redirect("wall:message", message_id)
    card = queries.message_card(request.user, message_id)
    response = render(request, "wall/_links.html", {"message": card, "done": done})
    response["HX-Trigger"] = "triage-changed"
    return response


# -- search


@login_required
@require_safe
def search_all(request: SignedIn) -> HttpResponse:
    """Search over all visible mail and all notes; the results alone for htmx."""
    q, kind = request.GET.get("q", "").strip(), request.GET.get("type", "")
    kind = kind if kind in ("email", "note") else ""
    order = "best" if request.GET.get("order") == "best" else ""
    here = {"q": q, "type": kind, "order": order}
    context: dict[str, Any] = {"q": q, "kind": kind, "order": order, "cards": [], "contacts": []}
    if q:
        context |= _found(request, q, kind, order, here)
    labels = {"": pgettext("wall", "All"), "email": _("Emails"), "note": _("Notes")}
    context["chips"] = [
        {"label": label, "url": _search_url({**here, "type": name}), "is_current": name == kind}
        for name, label in labels.items()
    ]
    context["order_url"] = _search_url({**here, "order": "" if order else "best"})
    return page_or_part(request, "wall/search.html", "wall/_results.html", context)


def _found(request: SignedIn, q: str, kind: str, order: str, here: dict[str, str]) -> dict[str, Any]:
    query = rules.parse_query(q)
    if order == "best":
        skip = max(0, id_before(request) or 0)
        best = results.best_page(request.user, query, kind=kind, skip=skip, limit=PAGE_LENGTH)
        cards, mark = best.cards, encode_cursor(best.next) if best.next is not None else ""
    else:
        page = results.search_page(request.user, query, kind=kind, before=position_of(request), limit=PAGE_LENGTH)
        cards, mark = page.cards, write_position(page.next)
    is_first = not request.GET.get("before")
    named = contacts.list_contacts(request.user, ContactFilter(q=q), limit=5).contacts if is_first and not kind else []
    return {
        "cards": cards,
        "contacts": named,
        "next_url": _search_url({**here, "before": mark}) if mark else "",
        "first_url": "" if is_first else _search_url(here),
    }


def _search_url(values: dict[str, str]) -> str:
    query = urlencode({name: value for name, value in values.items() if value})
    return reverse("wall:search") + (f"?{query}" if query else "")
