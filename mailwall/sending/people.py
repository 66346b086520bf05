"""Completion of receivers: whom a few typed letters may mean, of those that the viewer may know of."""

from __future__ import annotations

from django.db import connection
from django.db.models import Exists, OuterRef, Q

from mailwall.contacts import queries as contacts
from mailwall.contacts.queries import ContactFilter
from mailwall.mailstore.models import Address as StoredAddress
from mailwall.mailstore.models import Message, Participant, ParticipantRole
from mailwall.mime.addresses import fold_address
from mailwall.mime.types import Address
from mailwall.team.models import User

MAX_PEOPLE = 8
MAX_ROWS_TRIED = 100


def people_like(viewer: User, q: str) -> list[Address]:
    """Whom these letters may mean: contacts by name or address, then addresses of mail that the viewer may see."""
    q = q.strip()[:200]
    if not q:
        return []
    found: dict[str, Address] = {}
    for contact in contacts.list_contacts(viewer, ContactFilter(q=q), limit=MAX_PEOPLE).contacts:
        for row in contact.addresses.all():
            found.setdefault(row.address, Address(name=contact.name, address=row.readable))
    if len(found) < MAX_PEOPLE:
        for person in _correspondents(viewer, fold_address(q) or q.lower()):
            found.setdefault(person.address, person)
    return list(found.values())[:MAX_PEOPLE]


def _correspondents(viewer: User, beginning: str) -> list[Address]:
    """Addresses that begin so and stand in a message that the viewer may see, with the name they had last."""
    seen = Participant.objects.filter(address=OuterRef("pk")).exclude(role=ParticipantRole.BCC)
    seen = seen.filter(message__in=Message.objects.visible_to(viewer))
    ids = list(
        StoredAddress.objects.filter(_begins_with(beginning))
        .filter(Exists(seen))
        .order_by("address")
        .values_list("pk", flat=True)[:MAX_PEOPLE]
    )
    named = Participant.objects.filter(address__in=ids, message__in=Message.objects.visible_to(viewer))
    newest = named.exclude(role=ParticipantRole.BCC).order_by("-message_id")[:MAX_ROWS_TRIED]
    names: dict[str, str] = {}
    for address, name in newest.values_list("address__address", "name"):
        names[address] = names.get(address) or name
    return [Address(name=name, address=address) for address, name in names.items()]


def _begins_with(beginning: str) -> Q:
    """By the index: SQLite's LIKE does not use it, and PostgreSQL's order of texts depends on its locale."""
    if connection.vendor == "postgresql":
        return Q(address__startswith=beginning)
    return Q(address__gte=beginning, address__lt=beginning + "\U0010ffff")
