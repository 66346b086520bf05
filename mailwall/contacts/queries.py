"""Reads of contacts. Every signed-in user may read all of them; who may change one is asked by `may_edit`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from django.db.models import Count, F, Q, QuerySet, TextField
from django.db.models.functions import Cast

from mailwall.contacts import hooks, rules
from mailwall.contacts.models import Contact, ContactAddress, Kind
from mailwall.mime.addresses import fold_address
from mailwall.team.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactFilter:
    """q: words, all of which stand in name or addresses; kind: of Kind, '' for both; email: exactly this address."""

    q: str = ""
    kind: str = ""
    email: str = ""

    @property
    def is_empty(self) -> bool:
        return not (self.q.strip() or self.email.strip())


@dataclass(frozen=True, slots=True, kw_only=True)
class ContactPage:
    """contacts with company, owner and addresses loaded; next_key: (sort_key, id) to go on after, None at the end."""

    contacts: list[Contact]
    next_key: tuple[str, int] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KindCounts:
    people: int
    companies: int

    @property
    def all(self) -> int:
        return self.people + self.companies

    def of(self, kind: str) -> int:
        """How many of this kind; of both when it is ''."""
        return {Kind.PERSON.value: self.people, Kind.COMPANY.value: self.companies}.get(kind, self.all)


def list_contacts(
    viewer: User, wanted: ContactFilter, *, after: tuple[str, int] | None = None, limit: int = 50
) -> ContactPage:
    """One page in the order of folded names; two queries, however long the page."""
    rows = _matching(wanted)
    if wanted.kind:
        rows = rows.filter(kind=wanted.kind)
    if after is not None:
        key, contact_id = after
        rows = rows.filter(Q(sort_key__gt=key) | Q(sort_key=key, pk__gt=contact_id), sort_key__gte=key)
    # A search scans anyway. The cast keeps SQLite from scanning in the order of the index, row by row: 10 × slower.
    order = Cast("sort_key", TextField()) if wanted.q else F("sort_key")
    found = list(_with_details(rows).order_by(order, "id")[: limit + 1])
    last = found[limit - 1] if len(found) > limit else None
    return ContactPage(contacts=found[:limit], next_key=(last.sort_key, last.pk) if last else None)


def count_kinds(viewer: User, wanted: ContactFilter) -> KindCounts:
    """How many people and companies match, whatever `wanted.kind` says: the numbers on the tabs."""
    counts = _matching(wanted).aggregate(
        people=Count("pk", filter=Q(kind=Kind.PERSON)), companies=Count("pk", filter=Q(kind=Kind.COMPANY))
    )
    return KindCounts(people=counts["people"], companies=counts["companies"])


def contact_of(viewer: User, contact_id: int) -> Contact | None:
    """The contact with company, owner and addresses loaded, None when there is none."""
    return _with_details(Contact.objects.filter(pk=contact_id)).first()


def reload(contact: Contact) -> Contact:
    return _with_details(Contact.objects.all()).get(pk=contact.pk)


def people_of(viewer: User, company: Contact, *, limit: int = 200) -> list[Contact]:
    """The company's people by name, addresses loaded."""
    rows = Contact.objects.filter(company_id=company.pk).order_by("sort_key", "id")
    return list(rows.prefetch_related("addresses")[:limit])


def company_labels(viewer: User, q: str, *, limit: int = 20) -> list[str]:
    """What a company field suggests for these words: names, with the number where two have the same."""
    rows = _matching(ContactFilter(q=q)).filter(kind=Kind.COMPANY).order_by("sort_key", "id")
    companies = list(rows.values_list("name", "id", "sort_key")[:limit])
    times = Counter(key for _, _, key in companies)
    return [name if times[key] == 1 else rules.numbered(name, pk) for name, pk, key in companies]


def companies_labelled(viewer: User, label: str) -> list[Contact]:
    """Whom somebody means who wrote or chose this: one company, none, or several of the same name."""
    companies = Contact.objects.filter(kind=Kind.COMPANY).order_by("id")
    name, number = rules.split_number(rules.clean_line(label))
    if number is not None and (chosen := list(companies.filter(pk=number, sort_key=rules.sort_key(name)))):
        return chosen
    return list(companies.filter(sort_key=rules.sort_key(rules.clean_line(label)))[:2])


def duplicates(viewer: User, kind: str, addresses: Sequence[str], *, besides: int | None = None) -> dict[str, Contact]:
    """Which contact of this kind owns which of the normal addresses; `besides`: the contact that may own them."""
    rows = ContactAddress.objects.filter(kind=kind, address__in=addresses)
    if besides is not None:
        rows = rows.exclude(contact_id=besides)
    return {row.address: row.contact for row in rows.select_related("contact")}


def own_addresses_of(contact: Contact) -> list[str]:
    """Addresses of the contact that are ours as well (users, connected accounts): mail is never assigned by them."""
    addresses = [row.address for row in contact.addresses.all()]
    users = {fold_address(email) for email in User.objects.filter(email__in=addresses).values_list("email", flat=True)}
    ours = users | hooks.own_addresses_among(addresses)
    return [address for address in addresses if address in ours]


def may_edit(viewer: User, contact: Contact) -> bool:
    """Whether the viewer may edit and delete it: rules.may_edit with what the database knows."""
    owner = contact.owner
    return _may_act_for(viewer, owner) if owner else True


def may_give_to(viewer: User, owner: User) -> bool:
    """Whether the viewer may make this user the owner of a contact."""
    return _may_act_for(viewer, owner)


def owners_to_choose(viewer: User, *, besides: User | None = None) -> QuerySet[User]:
    """Whom the viewer may make the owner of a contact, by name; and `besides`, who owns it now."""
    choice = Q(is_active=True)
    if not viewer.is_admin:
        choice &= Q(pk=viewer.pk) | Q(team__in=viewer.managed_teams.all())
    if besides is not None:
        choice |= Q(pk=besides.pk)
    return User.objects.filter(choice).order_by("name", "id")


def _may_act_for(viewer: User, owner: User) -> bool:
    simple = owner.pk == viewer.pk or viewer.is_admin or owner.team_id is None
    return rules.may_edit(
        viewer_id=viewer.pk,
        is_admin=viewer.is_admin,
        managed_team_ids=() if simple else list(viewer.managed_teams.values_list("pk", flat=True)),
        owner_id=owner.pk,
        team_id=owner.team_id,
    )


def _matching(wanted: ContactFilter) -> QuerySet[Contact]:
    rows = Contact.objects.all()
    for word in rules.search_words(wanted.q):
        rows = rows.filter(search_key__contains=word)
    if wanted.email.strip():
        rows = rows.filter(addresses__address=fold_address(wanted.email))
    return rows


def _with_details(rows: QuerySet[Contact]) -> QuerySet[Contact]:
    return rows.select_related("company", "owner").prefetch_related("addresses")
