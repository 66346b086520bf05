"""Browser door of a contact's page: its history and notes."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailwall.contacts import queries as contacts
from mailwall.contacts.models import Contact, Kind
from mailwall.wall import queries, services
from mailwall.wall.errors import NoteNotYours
from mailwall.wall.filters import KINDS, WallFilter
from mailwall.wall.forms import NoteForm
from mailwall.wall.grouping import note_card
from mailwall.wall.models import Note
from mailwall.wall.requests import MAX_ID, SignedIn, page_or_part, position_of, write_position
from mailwall.web.editing import editing_page

PAGE_LENGTH = 20


@login_required
@editing_page
@require_safe
def show_contact(request: SignedIn, contact_id: int) -> HttpResponse:
    """The page of a contact; its feed alone for htmx."""
    contact = _contact(request, contact_id)
    context = _feed(request, contact)
    if not request.htmx:
        context |= _frame_of(request, contact)
    return page_or_part(request, "wall/contact.html", "wall/_feed.html", context)


@login_required
@require_safe
def show_feed(request: SignedIn, contact_id: int) -> HttpResponse:
    """More of a contact's history, for "Show older"; without htmx the page itself."""
    contact = _contact(request, contact_id)
    if not request.htmx:
        return redirect(f"{reverse('wall:contact', args=[contact_id])}?{request.GET.urlencode()}")
    part = "wall/_older.html" if request.GET.get("before") else "wall/_feed.html"
    return render(request, part, _feed(request, contact))


@login_required
@require_safe
def show_thread(request: SignedIn, contact_id: int, message_id: int) -> HttpResponse:
    """The other mails of a thread on this wall."""
    contact = _contact(request, contact_id)
    message = queries.visible_message(request.user, message_id)
    cards = queries.thread_page(request.user, message, queries.wall_contact_ids(contact))
    return page_or_part(
        request, "wall/thread.html", "wall/_thread.html", {"cards": cards, "contact": contact, "message": message}
    )


def _feed(request: SignedIn, contact: Contact) -> dict[str, Any]:
    wanted, before = WallFilter.read(request.GET), position_of(request)
    people = queries.wall_contact_ids(contact)
    page = queries.wall_page(
        request.user,
        [pk for pk in people if str(pk) == wanted.person] or people,
        kind=wanted.type,
        query=wanted.query(),
        before=before,
        limit=PAGE_LENGTH,
    )
    here = reverse("wall:contact", args=[contact.pk])
    labels = {"": pgettext("wall", "All"), "email": _("Emails"), "note": _("Notes")}
    return {
        "contact": contact,
        "is_company": contact.kind == Kind.COMPANY,
        "cards": page.cards,
        "wanted": wanted,
        "q": wanted.q,
        "kind": wanted.type,
        "chips": [
            {"label": labels[name], "url": wanted.url(here, type=name), "is_current": name == wanted.type}
            for name in KINDS
        ],
        "choices": _choices(request, contact, wanted),
        "shown_at": datetime.fromtimestamp(before.second, UTC) if before and request.htmx else None,
        "clear_url": here,
        "here_url": wanted.url(here, before=request.GET.get("before", "")),
        "older_query": wanted.url("", before=write_position(page.next)).lstrip("?") if page.next else "",
        "first_url": wanted.url(here) if before else "",
    }


def _frame_of(request: SignedIn, contact: Contact) -> dict[str, Any]:
    """What the page shows around the history."""
    is_company = contact.kind == Kind.COMPANY
    return {
        "may_edit": contacts.may_edit(request.user, contact),
        "people": contacts.people_of(request.user, contact) if is_company else [],
        "note_form": NoteForm(),
        "has_account": queries.has_account(request.user),
    }


def _choices(request: SignedIn, contact: Contact, wanted: WallFilter) -> dict[str, list[tuple[str, str, bool]]]:
    """The lists to choose from: (value, words, whether it is chosen)."""
    ways = [("", _("Both")), ("received", pgettext("messages", "Received")), ("sent", pgettext("messages", "Sent"))]
    found = {"way": [(value, words, value == wanted.way) for value, words in ways]}
    if contact.kind == Kind.COMPANY and (people := contacts.people_of(request.user, contact)):
        rows = [("", _("Everybody")), *((str(person.pk), person.name) for person in people)]
        found["person"] = [(value, words, value == wanted.person) for value, words in rows]
    return found


def _contact(request: SignedIn, contact_id: int) -> Contact:
    contact = contacts.contact_of(request.user, contact_id) if contact_id <= MAX_ID else None
    if contact is None:
        raise Http404
    return contact


# -- notes


@login_required
@require_POST
def add_note(request: SignedIn, contact_id: int) -> HttpResponse:
    """Write a note; it stands on top of the history at once."""
    contact = _contact(request, contact_id)
    form = NoteForm(request.POST)
    if form.is_valid():
        services.add_note(request.user, contact, form.cleaned_data["text"])
        if request.htmx:
            context = _feed(request, contact) | {"note_form": NoteForm(), "is_added": True}
            return render(request, "wall/_note_added.html", context)
        messages.success(request, _("The note is saved."))
        return redirect("wall:contact", contact.pk)
    if request.htmx:
        response = render(request, "wall/_note_form.html", {"contact": contact, "note_form": form, "is_open": True})
        response["HX-Retarget"] = "#note-form"
        response["HX-Reswap"] = "outerHTML"
        return response
    context = _feed(request, contact) | _frame_of(request, contact) | {"note_form": form, "is_open": True}
    return render(request, "wall/contact.html", context, status=422)


@login_required
@require_safe
def show_note(request: SignedIn, note_id: int) -> HttpResponse:
    """One note, as htmx puts it back after editing; else the wall it stands on."""
    note = _note(note_id)
    if not request.htmx:
        return redirect("wall:contact", note.contact_id)
    return _note_card(request, note)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_note(request: SignedIn, note_id: int) -> HttpResponse:
    """Change one's own note, in place."""
    note = _own_note(request, note_id)
    form = NoteForm(
        request.POST if request.method == "POST" else None, initial={"text": note.text}, prefix=f"n{note.pk}"
    )
    if form.is_valid():
        services.edit_note(request.user, note, form.cleaned_data["text"])
        if request.htmx:
            return _note_card(request, note)
        messages.success(request, _("The note is saved."))
        return redirect("wall:contact", note.contact_id)
    return page_or_part(
        request, "wall/edit_note.html", "wall/_edit_note.html", {"note": note, "form": form, "contact": note.contact}
    )


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete_note(request: SignedIn, note_id: int) -> HttpResponse:
    """Ask, then delete one's own note."""
    note = _own_note(request, note_id)
    if request.method == "POST":
        services.delete_note(request.user, note)
        if request.htmx:
            return render(request, "wall/_note_deleted.html")
        messages.success(request, _("The note is deleted."))
        return redirect("wall:contact", note.contact_id)
    return page_or_part(
        request, "wall/delete_note.html", "wall/_delete_note.html", {"note": note, "contact": note.contact}
    )


def _note(note_id: int) -> Note:
    if note_id > MAX_ID:
        raise Http404
    return queries.visible_note(note_id)


def _own_note(request: SignedIn, note_id: int) -> Note:
    note = _note(note_id)
    if note.author_id != request.user.pk:
        raise PermissionDenied(str(NoteNotYours(_("Only its author can change or delete a note."))))
    return note


def _note_card(request: HttpRequest, note: Note) -> HttpResponse:
    return render(request, "wall/_note.html", {"card": note_card(note), "contact": note.contact})
