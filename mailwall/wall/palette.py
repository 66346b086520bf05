"""What Ctrl K answers while one types: contacts, pages, things to do, and the search over all mail."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from mailwall.contacts import queries as contacts
from mailwall.contacts.models import Contact, Kind
from mailwall.contacts.queries import ContactFilter
from mailwall.mime.fold import fold_text
from mailwall.wall.requests import SignedIn
from mailwall.web.templatetags.shell import NAVIGATION, url_or_nothing

FOUND = 6
#: (URL name, what follows the address, icon, words); a page that does not exist is left out
DEEDS: tuple[tuple[str, str, str, Promise], ...] = (
    ("sending:compose", "", "mail-plus", _("Write an email")),
    ("contacts:new", "", "user-plus", _("New person")),
    ("contacts:new", "?kind=company", "building", _("New company")),
    ("sync:account_new", "", "plus", _("Add an email account")),
    ("sync:accounts", "", "mail", _("Email accounts")),
    ("team:profile", "", "user-circle", _("Profile")),
)


@login_required
@require_safe
def show_palette(request: SignedIn) -> HttpResponse:
    """The answers for `?q=` as options of a list; without words the pages and deeds."""
    q = request.GET.get("q", "").strip()[:200]
    found = contacts.list_contacts(request.user, ContactFilter(q=q), limit=FOUND).contacts if q else []
    options = [_contact(contact) for contact in found]
    options += [option for option in _places() if _matches(q, option["words"])]
    if q:
        url = f"{reverse('wall:search')}?{urlencode({'q': q})}"
        options.append({"url": url, "icon": "search", "words": q, "is_search": True})
    return render(request, "wall/_palette.html", {"options": options, "q": q})


def _contact(contact: Contact) -> dict[str, Any]:
    icon = "building" if contact.kind == Kind.COMPANY else "user"
    addresses = list(contact.addresses.all())
    hint = contact.company.name if contact.company else addresses[0].readable if addresses else ""
    return {"url": reverse("wall:contact", args=[contact.pk]), "icon": icon, "words": contact.name, "hint": hint}


def _places() -> list[dict[str, Any]]:
    pages = [(name, "", icon, label) for name, icon, label, _key, _count in NAVIGATION]
    found = [(url_or_nothing(name), rest, icon, label) for name, rest, icon, label in (*pages, *DEEDS)]
    return [{"url": url + rest, "icon": icon, "words": str(label)} for url, rest, icon, label in found if url]


def _matches(q: str, words: str) -> bool:
    """Every word typed begins a word of it."""
    have = fold_text(words).split()
    return all(any(word.startswith(typed) for word in have) for typed in fold_text(q).split())
