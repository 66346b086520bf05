"""Browser door of triage: the page, its count in the navigation, a sender's messages, the review by hand."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext
from django.views.decorators.http import require_POST, require_safe

from mailwall.assignment import deeds, queries, services, suggestions, triage
from mailwall.assignment.models import MailKind
from mailwall.assignment.requests import (
    IGNORED,
    SignedIn,
    before_of,
    filter_of,
    page_or_part,
    tab_of,
    triage_url,
)
from mailwall.assignment.triage import Tally, TriageFilter
from mailwall.email_accounts.free_mail import is_free_mail
from mailwall.team import queries as team_queries

PAGE_LENGTH = 20


@login_required
@require_safe
def show_triage(request: SignedIn) -> HttpResponse:
    """Unknown senders by their newest mail, or what is ignored; the list alone for htmx."""
    wanted, tab = filter_of(request), tab_of(request)
    desk = triage.desk_of(request.user)
    tallies = triage.tallies(desk, by_domain=wanted.by_domain)
    context: dict[str, Any] = {
        "wanted": wanted,
        "tab": tab,
        "tabs": _tabs(request, wanted, tab, tallies),
        "by_sender_url": triage_url(TriageFilter(kind=wanted.kind)),
        "by_domain_url": triage_url(TriageFilter(kind=wanted.kind, by_domain=True)),
        "all_senders": sum(tally.groups for tally in tallies.values()),
        "all_messages": sum(tally.messages for tally in tallies.values()),
        "is_more": any(tally.is_more for tally in tallies.values()),
        "here_url": request.get_full_path(),
        **_review_words(request),
    }
    context |= _ignored(request, wanted) if tab == IGNORED else _groups(request, desk, wanted)
    return page_or_part(request, "assignment/triage.html", "assignment/_triage.html", context)


def _groups(request: SignedIn, desk: triage.Desk, wanted: TriageFilter) -> dict[str, Any]:
    before = before_of(request)
    groups, next_id = triage.page_of_groups(desk, wanted, before=before, limit=PAGE_LENGTH)
    found = suggestions.suggest(request.user, groups)
    rows = [
        {
            "group": group,
            "suggestions": found.get(group.key, []),
            "company": next((s.contact for s in found.get(group.key, []) if s.contact.kind == "company"), None),
            "may_ignore_domain": not is_free_mail(group.domain),
            "senders_url": triage_url(TriageFilter(kind=wanted.kind, domain=group.domain)),
        }
        for group in groups
    ]
    return {
        "rows": rows,
        "first_url": triage_url(wanted) if before is not None else "",
        "next_url": triage_url(wanted, before=next_id) if next_id is not None else "",
    }


def _ignored(request: SignedIn, wanted: TriageFilter) -> dict[str, Any]:
    after = before_of(request) or 0
    ignored = triage.ignored_list(request.user, after=after, limit=PAGE_LENGTH + 1)
    more = len(ignored) > PAGE_LENGTH
    return {
        "ignored": ignored[:PAGE_LENGTH],
        "first_url": triage_url(wanted, tab=IGNORED) if after else "",
        "next_url": triage_url(wanted, tab=IGNORED, before=ignored[PAGE_LENGTH - 1].entry.pk) if more else "",
    }


def _tabs(request: SignedIn, wanted: TriageFilter, tab: str, tallies: dict[str, Tally]) -> list[dict[str, Any]]:
    labels = {
        MailKind.PEOPLE: pgettext("senders", "People"),
        MailKind.NEWSLETTERS: _("Newsletters"),
        MailKind.AUTOMATIC: pgettext("senders", "Automatic"),
    }
    tabs = [
        {
            "label": label,
            "url": triage_url(TriageFilter(kind=kind, by_domain=wanted.by_domain)),
            "count": tallies[kind].groups,
            "is_more": tallies[kind].is_more,
            "is_current": kind == tab,
        }
        for kind, label in labels.items()
    ]
    ignored = {"label": pgettext("senders", "Ignored"), "url": triage_url(TriageFilter(), tab=IGNORED)}
    return [*tabs, {**ignored, "count": triage.count_ignored(request.user), "is_current": tab == IGNORED}]


def _review_words(request: SignedIn) -> dict[str, Any]:
    last = queries.last_review(request.user)
    return {
        "review": last,
        "review_counts": last is not None and queries.may_see_numbers(request.user, last),
        "next_review_at": queries.next_review_at(timezone.now(), team_queries.workspace()),
    }


@login_required
@require_safe
def nav_count(request: SignedIn) -> HttpResponse:
    """How many people wait, for the navigation: nothing where nobody does."""
    tally = triage.count_people(request.user)
    return HttpResponse(f"{tally.groups}{'+' if tally.is_more else ''}" if tally.groups else "")


@login_required
@require_safe
def show_messages(request: SignedIn) -> HttpResponse:
    """The newest unassigned messages of a sender or a domain."""
    wanted, address = filter_of(request), request.GET.get("address", "")[:320]
    if not (address or wanted.domain):
        raise Http404
    context = {
        "rows": triage.messages_of(request.user, wanted, address, limit=PAGE_LENGTH),
        "key": address or wanted.domain,
        "limit": PAGE_LENGTH,
    }
    return page_or_part(request, "assignment/messages.html", "assignment/_messages.html", context)


@login_required
@require_POST
def review_now(request: SignedIn) -> HttpResponse:
    """Review at once: all accounts for an admin, one's own for others."""
    review = services.review_by_hand(request.user)
    text = ngettext(
        "%(n)d message reviewed, %(assigned)d assigned.",
        "%(n)d messages reviewed, %(assigned)d assigned.",
        review.reviewed,
    )
    return deeds.answer(request, text % {"n": review.reviewed, "assigned": review.assigned})
