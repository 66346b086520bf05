"""Writes of contacts. Each is one transaction, in which the mail of changed addresses finds its new place as well."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db import IntegrityError, transaction

from mailwall.contacts import hooks, queries, rules
from mailwall.contacts.errors import AddressTaken, ContactInvalid, ContactNotFound, FieldProblem, NotAllowed
from mailwall.contacts.models import Contact, ContactAddress, Kind
from mailwall.contacts.rules import KEEP, ContactFields, ContactInput, Keep
from mailwall.team.models import User


def create_contact(viewer: User, given: ContactInput, *, new_company: str = "") -> Contact:
    """Make a person (unless `kind` says company), owned by the viewer unless `owner_id` says another.

    new_company: the name of a company to make as well, for this person.

    :raises ContactInvalid, AddressTaken, NotAllowed: nothing was saved.
    """
    kind = Kind.PERSON if given.kind is KEEP else given.kind
    fields = rules.settle_fields(ContactFields(kind=kind), given)
    addresses = _settle_addresses(given)
    with transaction.atomic():
        if new_company:
            fields = replace(fields, company_id=_make_company(viewer, new_company))
        contact = Contact(owner=_choose_owner(viewer, given.owner_id, current=viewer))
        _save(contact, fields, addresses)
        contact = _with_addresses(viewer, contact, addresses, given)
        hooks.tell_addresses_changed(sorted(addresses))
    return contact


def update_contact(viewer: User, contact_id: int, given: ContactInput, *, new_company: str = "") -> Contact:
    """Change what is given and leave the rest; `emails` replaces all addresses.

    new_company: the name of a company to make as well, for this person.

    :raises ContactNotFound, NotAllowed, ContactInvalid, AddressTaken: nothing was changed.
    """
    with transaction.atomic():
        contact = _lock_for_edit(viewer, contact_id)
        fields = rules.settle_fields(_fields_of(contact), given)
        if new_company:
            fields = replace(fields, company_id=_make_company(viewer, new_company))
        before = [row.address for row in contact.addresses.all()]
        after = before if given.emails is KEEP else _settle_addresses(given)
        contact.owner = _choose_owner(viewer, given.owner_id, current=contact.owner)
        clock = (contact.zone, contact.company_id)
        _save(contact, fields, after)
        if after != before:
            contact = _with_addresses(viewer, contact, after, given)
            hooks.tell_addresses_changed(sorted(set(before) ^ set(after)))
        if clock != (contact.zone, contact.company_id):
            hooks.tell_zone_changed(contact.pk)
    return contact


def delete_contact(viewer: User, contact_id: int) -> None:
    """Delete a contact with its addresses, notes and links. Mail stays; what only it was linked to is unassigned again.

    :raises ContactNotFound, NotAllowed: nothing was deleted.
    """
    with transaction.atomic():
        contact = _lock_for_edit(viewer, contact_id)
        addresses = sorted(row.address for row in contact.addresses.all())
        hooks.tell_contact_leaves(contact.pk)
        contact.delete()
        hooks.tell_addresses_changed(addresses)


def _lock_for_edit(viewer: User, contact_id: int) -> Contact:
    rows = Contact.objects.select_for_update(of=("self",)).select_related("owner")
    contact = rows.prefetch_related("addresses").filter(pk=contact_id).first()
    if contact is None:
        raise ContactNotFound("There is no such contact.")
    if not queries.may_edit(viewer, contact):
        raise NotAllowed("edit", owner_name=str(contact.owner))
    return contact


def _make_company(viewer: User, name: str) -> int:
    return create_contact(viewer, ContactInput(kind=Kind.COMPANY, name=name)).pk


def _fields_of(contact: Contact) -> ContactFields:
    return ContactFields(
        kind=contact.kind,
        name=contact.name,
        first_name=contact.first_name,
        last_name=contact.last_name,
        title=contact.title,
        phone=contact.phone,
        zone=contact.zone,
        company_id=contact.company_id,
    )


def _settle_addresses(given: ContactInput) -> list[str]:
    return [] if given.emails is KEEP else rules.settle_addresses(given.emails)


def _choose_owner(viewer: User, owner_id: int | Keep | None, *, current: User | None) -> User | None:
    if owner_id is KEEP or owner_id == (current.pk if current else None):
        return current
    if owner_id is None:
        return None
    owner = User.objects.filter(pk=owner_id, is_active=True).first()
    if owner is None:
        raise ContactInvalid([FieldProblem(field="owner", code="owner_unknown")])
    if not queries.may_give_to(viewer, owner):
        raise NotAllowed("owner")
    return owner


def _save(contact: Contact, fields: ContactFields, addresses: Sequence[str]) -> None:
    if fields.company_id is not None and fields.company_id != contact.company_id:
        _require_company(fields.company_id)
    contact.kind = fields.kind
    contact.name, contact.first_name, contact.last_name = fields.name, fields.first_name, fields.last_name
    contact.title, contact.phone, contact.company_id = fields.title, fields.phone, fields.company_id
    contact.zone = fields.zone
    contact.sort_key = rules.sort_key(fields.name)
    contact.search_key = rules.search_key(fields.name, addresses)
    contact.save()


def _require_company(company_id: int) -> None:
    """Also keeps the company from being deleted until this transaction ends."""
    company = Contact.objects.select_for_update(no_key=True).filter(pk=company_id).first()
    if company is None:
        raise ContactInvalid([FieldProblem(field="company", code="company_unknown")])
    if company.kind != Kind.COMPANY:
        raise ContactInvalid([FieldProblem(field="company", code="company_is_person")])


def _with_addresses(viewer: User, contact: Contact, addresses: list[str], given: ContactInput) -> Contact:
    """Make `addresses` the contact's, in this order. Two who claim one at the same time: the constraint decides."""
    _refuse_taken(viewer, contact, addresses, given)
    rows = {row.address: row for row in ContactAddress.objects.filter(contact=contact)}
    contact.addresses.exclude(address__in=addresses).delete()
    kept: list[ContactAddress] = []
    new: list[ContactAddress] = []
    for position, address in enumerate(addresses):
        row = rows.get(address) or ContactAddress(contact=contact, kind=contact.kind, address=address)
        row.position = position
        (kept if row.pk else new).append(row)
    ContactAddress.objects.bulk_update(kept, ["position"])
    try:
        with transaction.atomic():
            # in one order for everybody: two inserts with the same addresses wait for each other, never in a circle
            ContactAddress.objects.bulk_create(sorted(new, key=lambda row: row.address))
    except IntegrityError as error:
        _refuse_taken(viewer, contact, addresses, given, cause=error)
        raise AddressTaken(new[0].address, field="emails", contact_id=None, contact_name="") from error
    return queries.reload(contact)


def _refuse_taken(
    viewer: User, contact: Contact, addresses: list[str], given: ContactInput, *, cause: IntegrityError | None = None
) -> None:
    taken = queries.duplicates(viewer, contact.kind, addresses, besides=contact.pk)
    for address in addresses:
        if address in taken:
            place = rules.place_of(address, () if given.emails is KEEP else given.emails)
            owner = taken[address]
            raise AddressTaken(
                address, field=f"emails.{place}", contact_id=owner.pk, contact_name=owner.name
            ) from cause
