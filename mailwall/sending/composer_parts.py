"""Browser door of the composer's parts: completion, what changes with From, the frames of signature and quote."""

from __future__ import annotations

import uuid

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import render
from django.utils.safestring import mark_safe
from django.utils.translation import pgettext
from django.views.decorators.clickjacking import xframe_options_sameorigin
from django.views.decorators.http import require_safe

from mailwall.email_accounts import queries as account_queries
from mailwall.sending import composer_page, draft_queries, people, senders, signatures, typed
from mailwall.sending.models import DraftMessage, DraftMode
from mailwall.sending.requests import MAX_ID, SignedIn, number


@login_required
@require_safe
def suggest_people(request: SignedIn) -> HttpResponse:
    """Receivers that the typed letters may mean, as options of a combobox."""
    found = people.people_like(request.user, request.GET.get("q", ""))
    options = [(typed.write_receiver(person), person) for person in found]
    return render(request, "sending/_people.html", {"options": options})


@login_required
@require_safe
def show_sender_parts(request: SignedIn) -> HttpResponse:
    """What changes when the writer chooses another From."""
    account = senders.senders(request.user).chosen(number(request.GET.get("account")))
    draft = DraftMessage(pk=_draft_id(request), with_signature=request.GET.get("with_signature") == "1")
    return render(
        request,
        "sending/_sender_parts.html",
        {"draft": draft, "account": account, **composer_page.of_sender(request, draft, account)},
    )


def _draft_id(request: SignedIn) -> uuid.UUID | None:
    """Of the draft that is being written; only the addresses of its deeds are made of it."""
    try:
        return uuid.UUID(request.GET.get("draft", ""))
    except ValueError:
        return None


@login_required
@require_safe
@xframe_options_sameorigin
def show_signature(request: SignedIn, account_id: int) -> HttpResponse:
    """The signature that goes with mail from an account, for a sandboxed frame."""
    account = account_queries.get_own_account(request.user, min(account_id, MAX_ID))
    return _frame(request, signatures.signature_for(request.user, account), pgettext("composer", "Signature"))


@login_required
@require_safe
@xframe_options_sameorigin
def show_quote(request: SignedIn, message_id: int) -> HttpResponse:
    """The quoted original, for a sandboxed frame."""
    mode = DraftMode.FORWARD if request.GET.get("as") == DraftMode.FORWARD else DraftMode.REPLY
    draft = DraftMessage(writer=request.user, original_id=min(message_id, MAX_ID), mode=mode)
    if not draft_queries.has_quote(request.user, draft):
        raise Http404
    return _frame(request, draft_queries.quote_of(request.user, draft).html, pgettext("composer", "Quoted message"))


def _frame(request: SignedIn, html: str, title: str) -> HttpResponse:
    """A document that runs nothing and asks no server for anything."""
    context = {"html": mark_safe(html), "title": title}  # noqa: S308 -- cleaned where it was read
    response = render(request, "sending/frame.html", context)
    response["Referrer-Policy"] = "no-referrer"
    response["Content-Security-Policy"] = (
        "sandbox; default-src 'none'; img-src data:; style-src 'unsafe-inline'; frame-ancestors 'self'; "
        "form-action 'none'; base-uri 'none'"
    )
    return response
