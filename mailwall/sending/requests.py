"""What the pages of the composer share: the signed-in request, what a posted form says, full page or fragment."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django_htmx.middleware import HtmxDetails

from mailwall.sending import senders, typed
from mailwall.sending.draft_queries import Origin
from mailwall.sending.drafts import DraftContent
from mailwall.sending.errors import LetterInvalid
from mailwall.sending.models import DraftMode
from mailwall.team.models import User

MAX_ID = 2**63 - 1


class SignedIn(HttpRequest):
    """A request that has passed login_required and the htmx middleware."""

    user: User
    htmx: HtmxDetails


def page_or_part(
    request: SignedIn, page: str, part: str, context: dict[str, Any], *, status: int = 200
) -> HttpResponse:
    """The full page, or its fragment when htmx asks."""
    asks_for_part = request.htmx and not request.htmx.history_restore_request and not request.htmx.boosted
    response = render(request, part if asks_for_part else page, context, status=status)
    patch_vary_headers(response, ["HX-Request"])
    return response


def posted_content(request: SignedIn) -> DraftContent:
    """What the composer's form holds."""
    form = request.POST
    return DraftContent(
        account=senders.posted(request.user, number(form.get("account"))),
        to=form.get("to", ""),
        cc=form.get("cc", ""),
        bcc=form.get("bcc", ""),
        subject=form.get("subject", ""),
        body=form.get("body", ""),
        is_plain=bool(form.get("is_plain")),
        with_signature=bool(form.get("with_signature")),
        with_quote=bool(form.get("with_quote")),
        forward_attachments=tuple(pk for text in form.getlist("forward") if (pk := number(text)) is not None),
    )


def posted_origin(request: SignedIn) -> Origin:
    """What a draft is about that this form saves for the first time."""
    return origin_of(
        mode=request.POST.get("mode", ""),
        original=request.POST.get("original", ""),
        contact=request.POST.get("contact", ""),
    )


def asked_origin(request: SignedIn) -> Origin:
    """What a new composer is about: `?reply=`, `?reply_all=`, `?forward=` a message; `?contact=`; `?to=`."""
    contact, to = request.GET.get("contact", ""), request.GET.get("to", "")[:2000]
    for mode in (DraftMode.REPLY, DraftMode.REPLY_ALL, DraftMode.FORWARD):
        if mode in request.GET:
            return origin_of(mode=mode, original=request.GET[mode], contact=contact)
    return origin_of(mode=DraftMode.NEW, contact=contact, to=to)


def origin_of(*, mode: str, original: str = "", contact: str = "", to: str = "") -> Origin:
    return Origin(
        mode=mode if mode in DraftMode.values else DraftMode.NEW,
        original_id=number(original),
        contact_id=number(contact),
        to=to,
    )


def posted_version(request: SignedIn) -> int:
    """Upon which version the form was written; `over`: the writer has seen another one and wants to replace it."""
    version = number(request.POST.get("over") or request.POST.get("version"), least=0)
    return version or 0


def posted_moment(request: SignedIn) -> datetime | None:
    """When to send: at once (None), or later, in the writer's zone.

    :raises LetterInvalid: the moment is none, or past.
    """
    when, now = request.POST.get("when", ""), timezone.localtime()
    if when == "tomorrow":
        return typed.tomorrow_morning(now)
    if when == "monday":
        return typed.monday_morning(now)
    if when != "pick":
        return None
    try:
        moment = datetime.fromisoformat(request.POST.get("send_at", "")).replace(tzinfo=now.tzinfo)
    except ValueError as error:
        raise LetterInvalid([("send_at", _("Choose a day and a time."))]) from error
    if moment <= now:
        raise LetterInvalid([("send_at", _("This moment has passed. Choose a later one."))])
    return moment


def number(text: str | None, *, least: int = 1) -> int | None:
    """An id or count typed into an address or a form, else None."""
    usable = bool(text) and str(text).isascii() and str(text).isdigit() and len(str(text)) < 19
    return int(str(text)) if usable and int(str(text)) >= least else None


def new_draft_id() -> uuid.UUID:
    return uuid.uuid4()
