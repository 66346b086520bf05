"""REST door of this room: walls, notes, messages, search."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from django.http import Http404, HttpRequest
from django.utils.translation import gettext as _
from ninja import Router, Schema

from mailwall.contacts import queries as contacts
from mailwall.contacts.models import Contact
from mailwall.mailstore import services as mailstore
from mailwall.mailstore.models import Message
from mailwall.mime.html import clean_html
from mailwall.wall import queries, results, rules, schemas, search, services
from mailwall.wall.errors import NoteInvalid, NoteNotYours
from mailwall.wall.queries import CardPage, MailFilter, Position
from mailwall.web.rest import DEFAULT_LIMIT, PROBLEMS, ApiProblem, Page, clamp_limit, decode_cursor, encode_cursor

router = Router(by_alias=True)


class NoteIn(Schema):
    text: str


@router.get("/contacts/{int:contact_id}/wall", response={200: Page[schemas.WallItem], **PROBLEMS})
def read_wall(
    request: HttpRequest,
    contact_id: int,
    q: str = "",
    type: Literal["", "email", "note"] = "",
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """A contact's history, newest first: one item per thread and per mail, of a company with its people's."""
    contact = _contact(request, contact_id)
    page = queries.wall_page(
        request.user,  # type: ignore[arg-type]
        queries.wall_contact_ids(contact),
        kind=type,
        query=rules.parse_query(q) if q.strip() else None,
        before=_position(cursor),
        limit=clamp_limit(limit),
    )
    return {"items": [schemas.wall_item(card) for card in page.cards], "next_cursor": _cursor_of(page)}


@router.post("/contacts/{int:contact_id}/notes", response={201: schemas.NoteOut, **PROBLEMS})
def create_note(request: HttpRequest, contact_id: int, payload: NoteIn) -> tuple[int, dict[str, Any]]:
    """Write a note on the contact's wall."""
    contact = _contact(request, contact_id)
    try:
        note = services.add_note(request.user, contact, payload.text)  # type: ignore[arg-type]
    except NoteInvalid as error:
        raise _invalid(error) from error
    return 201, schemas.note_fields(note)


@router.patch("/notes/{int:note_id}", response={200: schemas.NoteOut, **PROBLEMS})
def update_note(request: HttpRequest, note_id: int, payload: NoteIn) -> dict[str, Any]:
    """Change one's own note."""
    try:
        note = services.edit_note(request.user, queries.visible_note(note_id), payload.text)  # type: ignore[arg-type]
    except NoteInvalid as error:
        raise _invalid(error) from error
    except NoteNotYours as error:
        raise ApiProblem(403, error.code, str(error)) from error
    return schemas.note_fields(note)


@router.delete("/notes/{int:note_id}", response={204: None, **PROBLEMS})
def delete_note(request: HttpRequest, note_id: int) -> tuple[int, None]:
    """Delete one's own note."""
    try:
        services.delete_note(request.user, queries.visible_note(note_id))  # type: ignore[arg-type]
    except NoteNotYours as error:
        raise ApiProblem(403, error.code, str(error)) from error
    return 204, None


@router.get("/messages", response={200: Page[schemas.MessageOut], **PROBLEMS})
def list_messages(
    request: HttpRequest,
    assigned: bool | None = None,
    email_account: int | None = None,
    direction: Literal["", "received", "sent"] = "",
    contact: int | None = None,
    message_id: str = "",
    since: str = "",
    until: str = "",
    q: str = "",
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """Messages as each account has them, newest first. since and until: a date (until inclusive) or a date-time."""
    before, limit = decode_cursor(cursor, (int,)), clamp_limit(limit)
    wanted = MailFilter(
        direction=direction,
        assigned=assigned,
        account_id=_id(email_account),
        contact_id=_id(contact),
        message_id=message_id.strip().strip("<>").replace("\x00", ""),
        since=_moment(request, "since", since),
        until=_moment(request, "until", until, end_of_day=True),
        query=rules.parse_query(q) if q.strip() else None,
    )
    found = queries.messages_page(
        request.user,  # type: ignore[arg-type]
        wanted,
        before=before[0] if before else None,
        limit=limit,
    )
    return {
        "items": [schemas.message_fields(card) for card in found.cards],
        "next_cursor": encode_cursor(found.next) if found.next is not None else None,
    }


@router.get("/messages/{int:message_id}", response={200: schemas.MessageDetailOut, **PROBLEMS})
def read_message(request: HttpRequest, message_id: int) -> dict[str, Any]:
    """One message: text whole, HTML cleaned with remote sources in data-remote-src."""
    viewer: Any = request.user
    card = queries.message_card(viewer, _id(message_id) or 0)
    html = clean_html(queries.received_html(viewer, card.id)) if card.has_html else None
    return {**schemas.message_fields(card), "html": html or None}


class MessagePatch(Schema):
    """only_owner: whether the message's thread is for the owner of the account alone."""

    only_owner: bool


@router.patch("/messages/{int:message_id}", response={200: schemas.MessageDetailOut, **PROBLEMS})
def change_message(request: HttpRequest, message_id: int, payload: MessagePatch) -> dict[str, Any]:
    """Narrow the thread of one's own message to oneself, with what will come into it, or widen it again."""
    message = _own_message(request, message_id)
    change = mailstore.narrow_thread if payload.only_owner else mailstore.widen_thread
    change(request.user, message.thread_key)  # type: ignore[arg-type]
    return read_message(request, message_id)


@router.delete("/messages/{int:message_id}", response={204: None, **PROBLEMS})
def remove_message(request: HttpRequest, message_id: int) -> tuple[int, None]:
    """Remove one's own message, with one's own copies of it, from Mailwall. No synchronisation brings it back."""
    mailstore.remove_message(request.user, _own_message(request, message_id).pk)  # type: ignore[arg-type]
    return 204, None


@router.get("/search", response={200: Page[schemas.HitOut], **PROBLEMS})
def find(
    request: HttpRequest,
    q: str = "",
    type: Literal["", "email", "note"] = "",
    order: Literal["newest", "best"] = "newest",
    cursor: str | None = None,
    limit: int = DEFAULT_LIMIT,
) -> dict[str, Any]:
    """Mails and notes with all the words (the last may be a beginning), "phrases", and from: to: in:received|sent
    has:attachment before: after:."""
    if not q.strip():
        raise ApiProblem(422, "query_empty", _("Say what to look for."), errors=[("q", _("Say what to look for."))])
    viewer: Any = request.user
    query, limit = rules.parse_query(q), clamp_limit(limit)
    if order == "best":
        skip = decode_cursor(cursor, (int,))
        best = results.best_page(viewer, query, kind=type, skip=max(0, skip[0]) if skip else 0, limit=limit)
        return {
            "items": [schemas.hit(card) for card in best.cards],
            "next_cursor": encode_cursor(best.next) if best.next is not None else None,
        }
    page = results.search_page(viewer, query, kind=type, before=_position(cursor), limit=limit)
    return {"items": [schemas.hit(card) for card in page.cards], "next_cursor": _cursor_of(page)}


# -- translating


def _contact(request: HttpRequest, contact_id: int) -> Contact:
    contact = contacts.contact_of(request.user, contact_id) if contact_id < 2**63 else None  # type: ignore[arg-type]
    if contact is None:
        raise Http404
    return contact


def _own_message(request: HttpRequest, message_id: int) -> Message:
    viewer: Any = request.user
    message = queries.visible_message(viewer, _id(message_id) or 0)
    if message.account.owner_id != viewer.pk:
        raise ApiProblem(403, "not_allowed", _("Only the owner of its account can do that with a message."))
    return message


def _id(value: int | None) -> int | None:
    """An id that a database takes; what is too large for one belongs to nothing."""
    return value if value is None or abs(value) < 2**63 else 0


def _moment(request: HttpRequest, field: str, text: str, *, end_of_day: bool = False) -> datetime | None:
    if not text.strip():
        return None
    zone = search.zone_of(request.user)  # type: ignore[arg-type]
    moment = rules.read_moment(text.strip().replace(" ", "+"), zone, end_of_day=end_of_day)
    if moment is None:
        message = _("Give a date such as 2026-11-09, or a date and time.")
        raise ApiProblem(422, "invalid", message, errors=[(field, message)])
    return moment


def _position(cursor: str | None) -> Position | None:
    values = decode_cursor(cursor, (int, int, int))
    if values is None:
        return None
    second, rank, pk = values
    if not 0 <= second < 2**33 or rank not in (queries.POST_RANK, queries.NOTE_RANK, queries.EMAIL_RANK):
        raise ApiProblem(422, "cursor_invalid", _("This cursor is not one of ours."), errors=[("cursor", "")])
    return Position(second=second, rank=rank, id=pk)


def _cursor_of(page: CardPage) -> str | None:
    return encode_cursor(page.next.second, page.next.rank, page.next.id) if page.next else None


def _invalid(error: NoteInvalid) -> ApiProblem:
    return ApiProblem(422, error.code, str(error), errors=[("text", str(error))])
