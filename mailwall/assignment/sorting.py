"""Writes of triage: unknown senders become contacts, go to a contact, or are ignored; and back again.

Whatever is done can be undone for UNDO_SECONDS by a signed word that names what was made (`undo`).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.core import signing
from django.db import transaction
from django.db.models import Q

from mailwall.assignment import marks, rules, suggestions, triage
from mailwall.assignment.errors import AssignmentTargetNotFound, UndoTooLate
from mailwall.assignment.models import IgnoredSender, Link, LinkBan, LinkField, Unassigned
from mailwall.contacts import queries as contact_queries
from mailwall.contacts import services as contacts
from mailwall.contacts.errors import AddressTaken, ContactInvalid, ContactNotFound, NotAllowed
from mailwall.contacts.models import Contact, ContactAddress
from mailwall.contacts.rules import ContactInput, Keep
from mailwall.email_accounts.free_mail import domain_of
from mailwall.team.models import User

UNDO_SECONDS = 15 * 60
MADE_TOGETHER = timedelta(seconds=5)
_SALT = "mailwall.assignment.undo"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sorted:
    """What was done. messages: unassigned before that the viewer may see; undo: the word that takes it back.

    contacts: that were made, or got the senders. by_hand: the contact is not the viewer's to change, so that only the
    messages were assigned.
    """

    messages: int
    undo: str
    contacts: Sequence[Contact] = ()
    by_hand: bool = False


# -- new contacts


def make_contact(viewer: User, given: ContactInput, *, new_company: str = "") -> Sorted:
    """One person from a form. Raises what contacts.services.create_contact does; nothing was saved then."""
    messages = triage.messages_with(viewer, [] if isinstance(given.emails, Keep) else given.emails)
    contact = contacts.create_contact(viewer, given, new_company=new_company)
    return Sorted(messages=messages, contacts=[contact], undo=_word(viewer, contacts=[contact.pk]))


def make_contacts(viewer: User, addresses: Collection[str]) -> Sorted:
    """A person for each sender that the viewer sees, named as their mail does, with the company of their domain where
    there is exactly one. Each is a transaction of its own; an address that somebody took meanwhile is passed over."""
    visible = triage.visible_addresses(viewer, addresses)
    messages, names = triage.messages_with(viewer, visible), triage.names_of(viewer, visible)
    companies = suggestions.companies_at({domain_of(address) for address in visible})
    made = []
    for address in visible:
        of_domain = companies.get(domain_of(address), [])
        first_name, last_name = rules.name_for(names.get(address, ""), address)
        given = ContactInput(
            first_name=first_name,
            last_name=last_name,
            emails=[address],
            company_id=of_domain[0].pk if len(of_domain) == 1 else None,
        )
        try:
            made.append(contacts.create_contact(viewer, given))
        except (AddressTaken, ContactInvalid):
            continue
    return Sorted(messages=messages, contacts=made, undo=_word(viewer, contacts=[contact.pk for contact in made]))


# -- to an existing contact


def give_to_contact(viewer: User, addresses: Collection[str], contact_id: int) -> Sorted:
    """Give a contact the addresses of these senders, so that all their mail, also what comes, is theirs.

    A contact that the viewer may not change gets the visible messages by hand instead.

    :raises AssignmentTargetNotFound: there is no such contact, or no such sender for the viewer.
    """
    visible = triage.visible_addresses(viewer, addresses)
    contact = contact_queries.contact_of(viewer, contact_id)
    if contact is None or not visible:
        raise AssignmentTargetNotFound("There is no such contact or sender.")
    messages = triage.messages_with(viewer, visible)
    before = [row.address for row in contact.addresses.all()]
    gained = [address for address in visible if address not in before]
    try:
        if not gained:
            raise NotAllowed("edit")
        contacts.update_contact(viewer, contact_id, ContactInput(emails=[*before, *gained]))
    except (NotAllowed, AddressTaken):
        _assign_by_hand(viewer, visible, contact_id)
        word = _word(viewer, contact=contact_id, by_hand=visible)
        return Sorted(messages=messages, contacts=[contact], by_hand=True, undo=word)
    word = _word(viewer, contact=contact_id, gained=gained)
    return Sorted(messages=messages, contacts=[contact], undo=word)


def _assign_by_hand(viewer: User, addresses: Collection[str], contact_id: int) -> None:
    with transaction.atomic():
        rows = Unassigned.objects.visible_to(viewer).filter(counterpart__in=addresses)
        ids = list(rows.values_list("pk", flat=True))
        LinkBan.objects.filter(message_id__one_of=ids, contact_id=contact_id).delete()
        Link.objects.bulk_create(
            [Link(message_id=pk, contact_id=contact_id, field=LinkField.HAND, linked_by=viewer) for pk in ids],
            ignore_conflicts=True,
        )
        marks.settle(ids)


# -- ignoring


def ignore(
    viewer: User, *, addresses: Collection[str] = (), domains: Collection[str] = (), for_all: bool = False
) -> Sorted:
    """Offer these no more in triage: to the viewer, or (for_all, by admins) to nobody. Mail stays as it is."""
    user = None if for_all and viewer.is_admin else viewer
    wanted = [(address, "") for address in addresses] + [("", domain) for domain in domains]
    made = []
    for address, domain in wanted:
        row, is_new = IgnoredSender.objects.get_or_create(user=user, address=address, domain=domain)
        made += [row.pk] if is_new else []
    return Sorted(messages=0, undo=_word(viewer, ignored=made))


def stop_ignoring(viewer: User, ids: Collection[int]) -> int:
    """Offer these in triage again; what holds for everybody is an admin's to change. How many there were."""
    whose = Q(user=viewer) | Q(user=None) if viewer.is_admin else Q(user=viewer)
    return int(IgnoredSender.objects.filter(whose, pk__in=ids).delete()[0])


# -- undo


def undo(viewer: User, word: str) -> None:
    """Take back what `word` names, as far as nobody went on with it.

    :raises UndoTooLate: the time is over, or somebody has changed it since.
    """
    try:
        done: dict[str, Any] = signing.loads(word, salt=_SALT, max_age=UNDO_SECONDS)
    except signing.BadSignature as error:
        raise UndoTooLate("It is too late to undo this.") from error
    if done["by"] != viewer.pk:
        raise UndoTooLate("Somebody else did this.")
    stop_ignoring(viewer, done.get("ignored", ()))
    with transaction.atomic():
        for contact_id in done.get("contacts", ()):
            _unmake(viewer, contact_id)
        if "contact" in done:
            _take_back(viewer, done)


def _unmake(viewer: User, contact_id: int) -> None:
    contact = Contact.objects.filter(pk=contact_id).select_related("company").first()
    if contact is None:
        return
    if not _is_untouched(contact):
        raise UndoTooLate("Somebody has gone on with this contact. Delete it on its own page.")
    contacts.delete_contact(viewer, contact_id)
    company = contact.company
    if company is not None and contact.created_at - company.created_at < MADE_TOGETHER and _is_untouched(company):
        contacts.delete_contact(viewer, company.pk)


def _is_untouched(contact: Contact) -> bool:
    """Nobody edited it, and nothing hangs on it but its addresses and the links that matching made."""
    if contact.updated_at - contact.created_at > MADE_TOGETHER:
        return False
    hanging = [relation for relation in contact._meta.related_objects if relation.related_model is not ContactAddress]
    return not any(_rows_of(relation, contact).exists() for relation in hanging)


def _rows_of(relation: Any, contact: Contact) -> Any:
    rows = relation.related_model._default_manager.filter(**{relation.field.name: contact})
    return rows.filter(field=LinkField.HAND) if relation.related_model is Link else rows


def _take_back(viewer: User, done: dict[str, Any]) -> None:
    contact = contact_queries.contact_of(viewer, done["contact"])
    if contact is None:
        raise UndoTooLate("There is no such contact any more.")
    if gained := set(done.get("gained", ())):
        left = [row.address for row in contact.addresses.all() if row.address not in gained]
        try:
            contacts.update_contact(viewer, contact.pk, ContactInput(emails=left))
        except (NotAllowed, ContactNotFound) as error:
            raise UndoTooLate("This contact is not yours to change any more.") from error
    if addresses := done.get("by_hand"):
        links = Link.objects.filter(contact=contact, field=LinkField.HAND, linked_by=viewer)
        links = links.filter(message__counterpart__in=addresses)
        ids = list(links.values_list("message_id", flat=True))
        links.delete()
        marks.settle(ids)


def _word(viewer: User, **what: Any) -> str:
    return signing.dumps({"by": viewer.pk, **what}, salt=_SALT, compress=True)
