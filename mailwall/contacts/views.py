"""Browser door: the list, the forms, deleting. A contact's own page is the wall's."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe
from django_htmx.middleware import HtmxDetails

from mailwall.contacts import queries, services, wording
from mailwall.contacts.errors import AddressTaken, ContactInvalid, ContactNotFound, NotAllowed
from mailwall.contacts.forms import FORMS, ContactForm, initial_of
from mailwall.contacts.models import Contact, Kind
from mailwall.contacts.queries import ContactFilter
from mailwall.team import queries as team_queries
from mailwall.team.models import Package, User
from mailwall.web.rest import ApiProblem, decode_cursor, encode_cursor

PAGE_LENGTH = 50


class SignedIn(HttpRequest):
    """A request that has passed login_required and the htmx middleware."""

    user: User
    htmx: HtmxDetails


@login_required
@require_safe
def list_contacts(request: SignedIn) -> HttpResponse:
    """The page, or its list alone for htmx."""
    kind = request.GET.get("kind", "")
    wanted = ContactFilter(q=request.GET.get("q", ""), kind=kind if kind in Kind.values else "")
    after = _after(request)
    page = queries.list_contacts(request.user, wanted, after=after, limit=PAGE_LENGTH)
    counts = queries.count_kinds(request.user, wanted)
    context = {
        "wanted": wanted,
        "contacts": page.contacts,
        "tabs": _tabs(wanted, counts),
        "matches": counts.of(wanted.kind),
        "first_url": _list_url(wanted) if after else "",
        "next_url": _list_url(wanted, after=encode_cursor(*page.next_key)) if page.next_key else "",
        "has_sequences": team_queries.workspace().package == Package.AUTOMATION,
    }
    asks_for_part = request.htmx and not request.htmx.history_restore_request
    response = render(request, "contacts/_list.html" if asks_for_part else "contacts/list.html", context)
    patch_vary_headers(response, ["HX-Request"])
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_contact(request: SignedIn) -> HttpResponse:
    """`?kind=company`; `?email=` and `?company=` (a label) fill the form in advance."""
    asked = request.GET.get("kind", "")
    kind = asked if asked in Kind.values else Kind.PERSON
    initial: dict[str, Any] = {
        key: request.GET[key] for key in ("first_name", "last_name", "name", "company") if key in request.GET
    }
    initial |= {"emails": request.GET.getlist("email"), "owner": request.user}
    form = FORMS[kind](request.user, None, request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        contact = _save(request, form)
        if contact is not None:
            messages.success(request, _("%(name)s was added.") % {"name": contact.name})
            return redirect("wall:contact", contact.pk)
    return _form_page(request, form, kind)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit_contact(request: SignedIn, contact_id: int) -> HttpResponse:
    contact = _contact_to_edit(request, contact_id)
    form = FORMS[contact.kind](request.user, contact, request.POST or None, initial=initial_of(contact))
    if request.method == "POST" and form.is_valid():
        saved = _save(request, form)
        if saved is not None:
            messages.success(request, _("%(name)s was saved.") % {"name": saved.name})
            return redirect("wall:contact", saved.pk)
    return _form_page(request, form, contact.kind)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete_contact(request: SignedIn, contact_id: int) -> HttpResponse:
    """GET asks, POST deletes."""
    contact = _contact_to_edit(request, contact_id)
    if request.method != "POST":
        return render(request, "contacts/delete.html", {"contact": contact})
    try:
        services.delete_contact(request.user, contact_id)
    except (ContactNotFound, NotAllowed) as error:
        raise _as_page(error) from error
    messages.success(request, _("%(name)s was deleted. The mail stays.") % {"name": contact.name})
    return redirect("contacts:list")


@login_required
@require_safe
def company_options(request: SignedIn) -> HttpResponse:
    """What the company field suggests for what was typed so far."""
    labels = queries.company_labels(request.user, request.GET.get("company", ""))
    return render(request, "contacts/_company_options.html", {"labels": labels})


def _save(request: SignedIn, form: ContactForm) -> Contact | None:
    """The saved contact; None when it was refused, the form then says why."""
    try:
        if form.contact is None:
            saved = services.create_contact(request.user, form.given(), new_company=form.new_company)
        else:
            saved = services.update_contact(request.user, form.contact.pk, form.given(), new_company=form.new_company)
    except (ContactInvalid, AddressTaken) as error:
        form.refuse(error)
        return None
    except (ContactNotFound, NotAllowed) as error:
        raise _as_page(error) from error
    for address in queries.own_addresses_of(saved):
        messages.warning(request, wording.say_own_address(address))
    return saved


def _contact_to_edit(request: SignedIn, contact_id: int) -> Contact:
    contact = queries.contact_of(request.user, contact_id)
    if contact is None:
        raise Http404
    if not queries.may_edit(request.user, contact):
        raise _as_page(NotAllowed("edit", owner_name=str(contact.owner)))
    return contact


def _as_page(error: ContactNotFound | NotAllowed) -> Exception:
    return PermissionDenied(wording.say_not_allowed(error)) if isinstance(error, NotAllowed) else Http404()


def _form_page(request: SignedIn, form: ContactForm, kind: str) -> HttpResponse:
    status = 422 if form.errors else 200
    context = {"form": form, "kind": kind, "contact": form.contact}
    return render(request, "contacts/form.html", context, status=status)


def _after(request: SignedIn) -> tuple[str, int] | None:
    """Where the page begins; a cursor that is not ours means the first page."""
    try:
        values = decode_cursor(request.GET.get("after"), (str, int))
    except ApiProblem:
        return None
    return (values[0], values[1]) if values else None


def _tabs(wanted: ContactFilter, counts: queries.KindCounts) -> list[dict[str, Any]]:
    labels = {"": _("All"), Kind.PERSON: _("People"), Kind.COMPANY: _("Companies")}
    return [
        {
            "label": label,
            "url": _list_url(ContactFilter(q=wanted.q, kind=kind)),
            "count": counts.of(kind),
            "current": kind == wanted.kind,
        }
        for kind, label in labels.items()
    ]


def _list_url(wanted: ContactFilter, *, after: str = "") -> str:
    query = {"q": wanted.q, "kind": wanted.kind, "after": after}
    text = urlencode({key: value for key, value in query.items() if value})
    return reverse("contacts:list") + (f"?{text}" if text else "")
