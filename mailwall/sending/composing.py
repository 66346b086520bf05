"""Browser door of the composer: its page, or its fragment inside another room's page."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import timedelta

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from mailwall.email_accounts.errors import sentence
from mailwall.mime.html import html_to_text
from mailwall.sending import (
    composer_page,
    departures,
    draft_queries,
    drafts,
    mail_templates,
    rules,
    tasks,
)
from mailwall.sending.errors import (
    AttachmentForgotten,
    DraftConflict,
    DraftNotFound,
    FileRefused,
    LetterInvalid,
    SendingError,
    SendingInactive,
)
from mailwall.sending.models import DraftMessage, Outgoing
from mailwall.sending.requests import (
    SignedIn,
    asked_origin,
    number,
    posted_content,
    posted_moment,
    posted_origin,
    posted_version,
)
from mailwall.web.editing import editing_page

UNDO_SECONDS = 15
MAX_FILES_AT_ONCE = 100


# -- opening


@login_required
@editing_page
@require_safe
def open_composer(request: SignedIn) -> HttpResponse:
    """A new message or an answer; an answer that was begun already goes on where it was."""
    origin = asked_origin(request)
    begun = draft_queries.unsent_answer(request.user, origin)
    return composer_page.show(request, begun or draft_queries.begin_draft(request.user, origin))


@login_required
@editing_page
@require_safe
def open_draft(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """A saved draft. One that is on its way is shown where its mail is."""
    draft = _own(request, draft_id)
    if draft.outgoing is not None and draft.outgoing.message_id:
        return redirect("sending:delivery", draft.outgoing.message_id)
    if draft.outgoing is not None:
        return redirect("sending:scheduled")
    return composer_page.show(request, draft)


def _own(request: SignedIn, draft_id: uuid.UUID) -> DraftMessage:
    try:
        return draft_queries.draft_of(request.user, draft_id)
    except DraftNotFound as error:
        raise Http404 from error


# -- saving


@login_required
@editing_page
@require_POST
def save(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """Save what was typed. The composer's script gets the new version alone, a form without scripts the page."""
    is_quiet = request.headers.get("X-Autosave") == "1"
    try:
        draft = _save(request, draft_id)
    except DraftConflict as error:
        if is_quiet:
            return render(request, "sending/_conflict.html", composer_page.told(error), status=409)
        return composer_page.show(request, _as_posted(request, error.draft), status=409, error=error)
    except FileRefused as error:
        if is_quiet:
            return HttpResponse(sentence(error), status=422, content_type="text/plain; charset=utf-8")
        return composer_page.show(request, _as_posted(request, None, draft_id), status=422, error=error)
    if is_quiet:
        return render(request, "sending/_saved.html", {"draft": draft})
    if request.htmx:
        return composer_page.show(request, draft)
    messages.success(request, _("The draft is saved."))
    return redirect("sending:draft", draft.pk)


def _save(request: SignedIn, draft_id: uuid.UUID) -> DraftMessage:
    try:
        return drafts.save_draft(
            request.user,
            draft_id,
            posted_content(request),
            version=posted_version(request),
            origin=posted_origin(request),
        )
    except DraftNotFound as error:
        raise Http404 from error


def _as_posted(request: SignedIn, stored: DraftMessage | None, draft_id: uuid.UUID | None = None) -> DraftMessage:
    """The draft with what the form holds, not saved: nothing typed is lost when it cannot be."""
    draft = stored or draft_queries.begin_draft(request.user, posted_origin(request))
    if stored is None and draft_id is not None:
        draft.pk = draft_id
    content = posted_content(request)
    for name in ("account", "to", "cc", "bcc", "subject", "body", "is_plain", "with_signature", "with_quote"):
        setattr(draft, name, getattr(content, name))
    draft.forward_attachments = list(content.forward_attachments)
    draft.version = posted_version(request)
    return draft


def _saved_then(
    request: SignedIn, draft_id: uuid.UUID, then: Callable[[DraftMessage], SendingError | None]
) -> HttpResponse:
    """Save, do something with the draft, and show the composer again."""
    try:
        draft = _save(request, draft_id)
        error = then(draft)
    except DraftConflict as conflict:
        return composer_page.show(request, _as_posted(request, conflict.draft), status=409, error=conflict)
    except FileRefused as refused:
        return composer_page.show(request, _as_posted(request, None, draft_id), status=422, error=refused)
    return composer_page.show(request, _own(request, draft_id), status=422 if error else 200, error=error)


@login_required
@editing_page
@require_POST
def switch_plain(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """Between rich and plain text; what was written stays."""

    def switch(draft: DraftMessage) -> None:
        body = html_to_text(draft.body) if not draft.is_plain else rules.html_of(draft.body)
        drafts.set_body(request.user, draft, body, is_plain=not draft.is_plain)

    return _saved_then(request, draft_id, switch)


@login_required
@editing_page
@require_POST
def use_template(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """Put a template into the mail, filled for the first receiver; what cannot be filled yet stays to be seen."""
    template = mail_templates.templates_for(request.user).filter(pk=number(request.POST.get("template")) or 0).first()

    def use(draft: DraftMessage) -> None:
        if template is not None:
            departures.use_template(request.user, draft, template)

    return _saved_then(request, draft_id, use)


@login_required
@editing_page
@require_POST
def place_in_text(request: SignedIn, draft_id: uuid.UUID, *, also_quote: bool) -> HttpResponse:
    """Have the signature, and the quote too, in the text of this mail, to be edited."""
    return _saved_then(
        request, draft_id, lambda draft: departures.place_in_text(request.user, draft, also_quote=also_quote)
    )


@login_required
@editing_page
@require_POST
def attach(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """Attach the files that were chosen or dropped."""

    def add(draft: DraftMessage) -> SendingError | None:
        refused = drafts.attach(request.user, draft.pk, request.FILES.getlist("files")[:MAX_FILES_AT_ONCE])
        return LetterInvalid([("files", sentence(one)) for one in refused]) if refused else None

    return _saved_then(request, draft_id, add)


@login_required
@editing_page
@require_POST
def detach(request: SignedIn, draft_id: uuid.UUID, file_id: int) -> HttpResponse:
    """Remove an attached file."""
    return _saved_then(request, draft_id, lambda draft: drafts.detach(request.user, draft.pk, file_id))


# -- sending


@login_required
@editing_page
@require_POST
def send(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """Save and send, at once or later; what cannot be sent is told, and stays in the composer."""
    try:
        moment = posted_moment(request)
        outgoing = departures.save_and_send(
            request.user,
            draft_id,
            posted_content(request),
            version=posted_version(request),
            origin=posted_origin(request),
            send_at=moment,
            confirmed=request.POST.get("confirmed") == "1",
            uploads=request.FILES.getlist("files")[:MAX_FILES_AT_ONCE],
        )
    except DraftNotFound as error:
        raise Http404 from error
    except DraftConflict as error:
        return composer_page.show(request, _as_posted(request, error.draft), status=409, error=error)
    except (LetterInvalid, AttachmentForgotten, SendingInactive, FileRefused) as error:
        return composer_page.show(request, _kept(request, draft_id), status=422, error=error)
    tasks.deliver(outgoing)
    return _sent(request, draft_id, outgoing)


def _kept(request: SignedIn, draft_id: uuid.UUID) -> DraftMessage:
    """The draft as it was saved before sending failed; as posted where not even that was possible."""
    stored = DraftMessage.objects.of(request.user).filter(pk=draft_id).first()
    if stored is not None and stored.version > posted_version(request):
        return _own(request, draft_id)
    return _as_posted(request, _own(request, draft_id) if stored else None, draft_id)


def _sent(request: SignedIn, draft_id: uuid.UUID, outgoing: Outgoing) -> HttpResponse:
    request.session["undo_until"] = (timezone.now() + timedelta(seconds=UNDO_SECONDS)).timestamp()
    if request.POST.get("inline") and request.htmx:
        response = render(request, "sending/_sent.html", {"outgoing": outgoing, "seconds": UNDO_SECONDS})
        response["HX-Trigger-After-Settle"] = "mail-changed"
        return response
    target = _back_to(_own(request, draft_id))
    if not request.htmx:
        return redirect("sending:scheduled")
    response = HttpResponse(status=204)
    response["HX-Redirect"] = target
    return response


def _back_to(draft: DraftMessage) -> str:
    """Where the writer came from."""
    if draft.contact_id:
        return reverse("wall:contact", args=[draft.contact_id])
    if draft.original_id:
        return reverse("wall:message", args=[draft.original_id])
    return reverse("wall:mail")


# -- throwing away


@login_required
@editing_page
@require_POST
def discard(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """Throw the draft away; the message that says so offers to undo."""
    try:
        is_saved = drafts.discard(request.user, draft_id)
    except DraftNotFound as error:
        raise Http404 from error
    if request.htmx and request.POST.get("inline"):
        response = render(request, "sending/_discarded.html", {"draft_id": draft_id, "is_saved": is_saved})
        response["HX-Trigger-After-Settle"] = "drafts-changed"
        return response
    if request.htmx and request.POST.get("listed"):
        return render(request, "sending/_discarded.html", {"draft_id": draft_id, "is_saved": is_saved})
    if is_saved:
        request.session["discarded"] = str(draft_id)
    target = reverse("sending:drafts")
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = target
        return response
    return redirect(target)


@login_required
@editing_page
@require_POST
def restore(request: SignedIn, draft_id: uuid.UUID) -> HttpResponse:
    """Undo throwing away."""
    _own(request, draft_id)
    drafts.restore(request.user, draft_id)
    if request.htmx:
        response = HttpResponse(status=204)
        response["HX-Redirect"] = reverse("sending:draft", args=[draft_id])
        return response
    return redirect("sending:draft", draft_id)
