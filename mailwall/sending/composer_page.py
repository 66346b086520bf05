"""What the composer shows: its context, and an error at the field it belongs to."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from django.utils.translation import pgettext

from mailwall.email_accounts.errors import sentence
from mailwall.email_accounts.models import EmailAccount
from mailwall.sending import draft_queries, mail_templates, rules, senders, signatures, typed
from mailwall.sending.errors import AttachmentForgotten, DraftConflict, LetterInvalid, SendingError
from mailwall.sending.models import DraftMessage
from mailwall.sending.requests import SignedIn, page_or_part


def show(
    request: SignedIn, draft: DraftMessage, *, status: int = 200, error: SendingError | None = None
) -> HttpResponse:
    context = _context(request, draft) | told(error)
    return page_or_part(request, "sending/compose.html", "sending/_composer.html", context, status=status)


def _context(request: SignedIn, draft: DraftMessage) -> dict[str, Any]:
    able = senders.senders(request.user)
    account = able.chosen(draft.account_id)
    now = timezone.localtime()
    return {
        "draft": draft,
        "title": draft.subject or draft.get_mode_display(),
        "senders": able,
        "account": account,
        **of_sender(request, draft, account),
        "has_quote": draft_queries.has_quote(request.user, draft),
        "baggage": draft_queries.baggage_of(request.user, draft),
        "limit_bytes": rules.MAX_FILES_BYTES,
        "templates": mail_templates.templates_for(request.user)[:200],
        "presets": [
            ("tomorrow", pgettext("send later", "Tomorrow"), typed.tomorrow_morning(now)),
            ("monday", pgettext("send later", "Monday"), typed.monday_morning(now)),
        ],
        "earliest": now + timedelta(minutes=1),
        "inline": _place(request),
    }


def _place(request: SignedIn) -> str:
    """The id of the element of another page that holds the composer, '' on its own page."""
    if request.method == "POST":
        return request.POST.get("inline", "")
    target = request.htmx.target if request.htmx else ""
    return "" if target in (None, "composer") else target or ""


def of_sender(request: SignedIn, draft: DraftMessage, account: EmailAccount | None) -> dict[str, Any]:
    """What changes with From: who will see the mail, and the signature."""
    if account is None:
        return {"readers": None, "has_signature": False}
    return {
        "readers": senders.readers_of(request.user, account),
        "has_signature": bool(signatures.signature_for(request.user, account)),
    }


def told(error: SendingError | None) -> dict[str, Any]:
    """What the composer says about an error, at its field where there is one."""
    if error is None:
        return {}
    if isinstance(error, LetterInvalid):
        errors: dict[str, list[str]] = {}
        for field, words in error.errors:
            errors.setdefault(_FIELDS.get(field, "form"), []).append(words)
        return {"errors": errors}
    if isinstance(error, AttachmentForgotten):
        return {"asks_attachment": True}
    if isinstance(error, DraftConflict):
        return {"conflict": sentence(error), "other": error.draft}
    return {"errors": {"form": [sentence(error)]}}


#: where the composer shows what is wrong with a field of the letter
_FIELDS = {
    **{name: name for name in ("to", "cc", "bcc", "subject", "body", "files", "send_at")},
    "html": "body", "text": "body", "attachments": "files", "forward_attachments": "files",
}  # fmt: skip
