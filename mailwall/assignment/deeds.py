"""Browser door of what one does in triage. Each deed answers htmx with a toast and the event `triage-changed`, by which
the list and the counts renew themselves; without JavaScript it leads back to the list."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from mailwall.assignment import rules, sorting, suggestions, triage
from mailwall.assignment.errors import AssignmentTargetNotFound, UndoTooLate
from mailwall.assignment.forms import NewContactForm
from mailwall.assignment.requests import MAX_CHOSEN, SignedIn, back_of, page_or_part
from mailwall.assignment.sorting import Sorted
from mailwall.assignment.templatetags.triage import group_id
from mailwall.contacts import queries as contacts
from mailwall.contacts import rules as contact_rules
from mailwall.contacts.errors import AddressTaken, ContactInvalid
from mailwall.contacts.models import Contact
from mailwall.contacts.queries import ContactFilter
from mailwall.email_accounts.free_mail import domain_of

MAX_FOUND = 8


def answer(request: SignedIn, text: str, *, undo: str = "", open_url: str = "", failed: bool = False) -> HttpResponse:
    """A toast and the news that something changed; back to the list without JavaScript."""
    if not request.htmx:
        (messages.warning if failed else messages.success)(request, text)
        return redirect(back_of(request))
    undo_url = reverse("assignment:undo", args=[undo]) if undo else ""
    context = {"text": text, "undo_url": undo_url, "open_url": open_url}
    response = render(request, "assignment/_answer.html", context)
    response["HX-Trigger"] = "triage-changed"
    return response


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new_contact(request: SignedIn) -> HttpResponse:
    """The panel of a new person for one sender; POST makes the person."""
    address = (request.POST.get("address") or request.GET.get("address") or "")[:320]
    if not triage.visible_addresses(request.user, [address]):
        raise Http404
    prefix = f"g{group_id(address)}"
    form = NewContactForm(request.user, request.POST or None, initial=_initial(request, address), prefix=prefix)
    if request.method == "POST" and form.is_valid():
        try:
            done = sorting.make_contact(request.user, form.given(), new_company=form.new_company)
        except (ContactInvalid, AddressTaken) as error:
            form.refuse(error)
        else:
            return _made(request, done)
    context = {
        "form": form,
        "address": address,
        "messages_to_come": triage.messages_with(request.user, [address]),
        "companies": contacts.company_labels(request.user, form["company"].value() or ""),
        "back": back_of(request),
    }
    status = 422 if form.errors else 200
    return page_or_part(request, "assignment/new_contact.html", "assignment/_new_contact.html", context, status=status)


def _initial(request: SignedIn, address: str) -> dict[str, str]:
    name = triage.names_of(request.user, [address]).get(address, "")
    first_name, last_name = rules.name_for(name, address)
    companies = suggestions.companies_at([domain_of(address)]).get(domain_of(address), [])
    company = _label(request, companies[0]) if len(companies) == 1 else ""
    readable = contact_rules.readable_address(address)
    return {"first_name": first_name, "last_name": last_name, "company": company, "email": readable}


def _label(request: SignedIn, company: Contact) -> str:
    """The company's name, with its number where others are called the same."""
    is_alone = len(contacts.companies_labelled(request.user, company.name)) == 1
    return company.name if is_alone else contact_rules.numbered(company.name, company.pk)


@login_required
@require_POST
def new_contacts(request: SignedIn) -> HttpResponse:
    """A person for every sender that was chosen, named as their mail does."""
    return _made(request, sorting.make_contacts(request.user, _chosen(request)))


def _made(request: SignedIn, done: Sorted) -> HttpResponse:
    made = len(done.contacts)
    if not made:
        return answer(request, _("No contact was created."), failed=True)
    moved = ngettext(
        "%(n)d message is now in their history.", "%(n)d messages are now in their history.", done.messages
    )
    if made == 1:
        created = _("%(name)s was created.") % {"name": done.contacts[0].name}
    else:
        created = ngettext("%(n)d contact was created.", "%(n)d contacts were created.", made) % {"n": made}
    open_url = reverse("wall:contact", args=[done.contacts[0].pk]) if made == 1 else reverse("contacts:list")
    return answer(request, f"{created} {moved % {'n': done.messages}}", undo=done.undo, open_url=open_url)


@login_required
@require_safe
def find_contact(request: SignedIn) -> HttpResponse:
    """Contacts to give the chosen senders to."""
    chosen = triage.visible_addresses(request.user, _chosen(request))
    if not chosen:
        raise Http404
    q = request.GET.get("q", "").strip()
    found = contacts.list_contacts(request.user, ContactFilter(q=q), limit=MAX_FOUND).contacts if q else []
    context = {"chosen": chosen, "key": group_id(" ".join(chosen)), "q": q, "found": found, "back": back_of(request)}
    return page_or_part(request, "assignment/find_contact.html", "assignment/_find_contact.html", context)


@login_required
@require_POST
def give_to_contact(request: SignedIn, contact_id: int) -> HttpResponse:
    """Give a contact the addresses of the chosen senders, and with them their mail."""
    try:
        done = sorting.give_to_contact(request.user, _chosen(request), contact_id)
    except AssignmentTargetNotFound as error:
        raise Http404 from error
    name = done.contacts[0].name
    moved = ngettext(
        "%(n)d message is now in the history of %(name)s.",
        "%(n)d messages are now in the history of %(name)s.",
        done.messages,
    )
    text = moved % {"n": done.messages, "name": name}
    if done.by_hand:
        text += " " + _("Later mail comes here again: the contact is not yours to give the address to.")
    return answer(request, text, undo=done.undo, open_url=reverse("wall:contact", args=[contact_id]))


@login_required
@require_POST
def ignore(request: SignedIn) -> HttpResponse:
    """Do not offer these senders or domains any more, to this user."""
    addresses, domains = request.POST.getlist("address")[:MAX_CHOSEN], request.POST.getlist("domain")[:MAX_CHOSEN]
    visible = triage.visible_addresses(request.user, addresses)
    domains = [domain for domain in domains if triage.addresses_of_domain(request.user, domain)]
    done = sorting.ignore(request.user, addresses=visible, domains=domains)
    names = [*visible, *(f"@{domain}" for domain in domains)]
    if not names:
        return answer(request, _("Nothing was chosen."), failed=True)
    if len(names) == 1:
        text = _("%(name)s is ignored.") % {"name": contact_rules.readable_address(names[0])}
    else:
        text = ngettext("%(n)d sender is ignored.", "%(n)d senders are ignored.", len(names)) % {"n": len(names)}
    return answer(request, text, undo=done.undo)


@login_required
@require_POST
def stop_ignoring(request: SignedIn, ignored_id: int) -> HttpResponse:
    if not sorting.stop_ignoring(request.user, [ignored_id]):
        raise Http404
    return answer(request, _("This sender is offered again."))


@login_required
@require_POST
def undo(request: SignedIn, word: str) -> HttpResponse:
    try:
        sorting.undo(request.user, word)
    except UndoTooLate:
        return answer(request, _("This cannot be undone any more: somebody has gone on with it."), failed=True)
    return answer(request, _("Undone."))


def _chosen(request: SignedIn) -> list[str]:
    """The addresses that were chosen, those of chosen domains with them."""
    values = request.POST if request.method == "POST" else request.GET
    addresses = values.getlist("address")[:MAX_CHOSEN]
    for domain in values.getlist("domain")[:MAX_CHOSEN]:
        addresses += triage.addresses_of_domain(request.user, domain)
    return addresses[:MAX_CHOSEN]
