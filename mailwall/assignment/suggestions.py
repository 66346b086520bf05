"""Whom an unknown sender may belong to, and why we think so. Only ever shown: none of this links mail by itself."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from mailwall.assignment import queries
from mailwall.assignment.models import Link
from mailwall.assignment.triage import Group
from mailwall.contacts.models import Contact, ContactAddress, Kind
from mailwall.contacts.rules import clean_line, sort_key
from mailwall.email_accounts.free_mail import is_free_mail
from mailwall.mailstore.models import Message, Participant, ParticipantRole
from mailwall.team.models import User

SAME_NAME, REPLY_TO, THREAD, DOMAIN = "name", "reply_to", "thread", "domain"
MAX_SUGGESTIONS = 3
MAX_THREAD_MESSAGES = 200


@dataclass(slots=True, kw_only=True)
class Suggestion:
    """A contact that a sender may belong to; reasons: SAME_NAME, REPLY_TO, THREAD or DOMAIN, the strongest first."""

    contact: Contact
    reasons: list[str] = field(default_factory=list)

    @property
    def works_at(self) -> bool:
        """Whether it says no more than where the sender seems to work."""
        return self.reasons == [DOMAIN]


def suggest(viewer: User, groups: Sequence[Group]) -> dict[str, list[Suggestion]]:
    """{group's key: suggestions}, for a page of groups at once; at most seven queries."""
    found: dict[str, dict[int, Suggestion]] = defaultdict(dict)
    for reason, pairs in (
        (SAME_NAME, _by_name(groups)),
        (REPLY_TO, _by_reply_to(groups)),
        (THREAD, _by_thread(viewer, groups)),
        (DOMAIN, _by_domain(groups)),
    ):
        for group, contact in pairs:
            of_contact = found[group.key].setdefault(contact.pk, Suggestion(contact=contact))
            if reason not in of_contact.reasons:
                of_contact.reasons.append(reason)
    return {key: list(of_group.values())[:MAX_SUGGESTIONS] for key, of_group in found.items()}


def companies_at(domains: Collection[str]) -> dict[str, list[Contact]]:
    """The companies that have, or whose people have, addresses at these domains; nobody's where anybody gets one."""
    telling = [domain for domain in domains if domain and not is_free_mail(domain)]
    rows = ContactAddress.objects.filter(domain__in=telling)
    ids: dict[str, set[int]] = defaultdict(set)
    for domain, company_id in rows.filter(kind=Kind.COMPANY).values_list("domain", "contact_id").distinct():
        ids[domain].add(company_id)
    of_people = rows.filter(kind=Kind.PERSON, contact__company__isnull=False)
    for domain, company_id in of_people.values_list("domain", "contact__company__pk").distinct():
        ids[domain].add(company_id)
    companies = Contact.objects.in_bulk({pk for of_domain in ids.values() for pk in of_domain})
    return {domain: [companies[pk] for pk in sorted(of_domain)] for domain, of_domain in ids.items()}


def _by_domain(groups: Sequence[Group]) -> Iterator[tuple[Group, Contact]]:
    companies = companies_at({group.domain for group in groups})
    return ((group, company) for group in groups for company in companies.get(group.domain, ()))


def _by_name(groups: Sequence[Group]) -> Iterator[tuple[Group, Contact]]:
    """People of the same name; one word alone, such as "Office", is no name."""
    keys = {group.key: sort_key(clean_line(group.name)) for group in groups if " " in clean_line(group.name)}
    people: dict[str, list[Contact]] = defaultdict(list)
    for person in Contact.objects.filter(kind=Kind.PERSON, sort_key__in=set(keys.values())).order_by("pk")[:100]:
        people[person.sort_key].append(person)
    return ((group, person) for group in groups for person in people.get(keys.get(group.key, ""), ()))


def _by_reply_to(groups: Sequence[Group]) -> Iterator[tuple[Group, Contact]]:
    """Owners of the address that answers should go to."""
    by_message = {group.newest_id: group for group in groups if group.address}
    rows = Participant.objects.filter(message_id__one_of=list(by_message), role=ParticipantRole.REPLY_TO)
    wanted = [(by_message[pk], address) for pk, address in rows.values_list("message_id", "address__address")]
    owners = _owners({address for group, address in wanted if address != group.address})
    return ((group, owner) for group, address in wanted for owner in owners.get(address, ()))


def _by_thread(viewer: User, groups: Sequence[Group]) -> Iterator[tuple[Group, Contact]]:
    """Whom other mail of the same conversation, that the viewer may see, is assigned to."""
    by_thread: dict[str, list[Group]] = defaultdict(list)
    for group in groups:
        for key in dict.fromkeys(group.thread_keys):
            by_thread[key].append(group)
    others = queries.assigned(Message.objects.visible_to(viewer).filter(thread_key__in=by_thread)).order_by("-id")
    threads = dict(others.values_list("id", "thread_key")[:MAX_THREAD_MESSAGES])
    links = Link.objects.filter(message_id__one_of=list(threads)).select_related("contact").order_by("contact_id")
    return ((group, link.contact) for link in links for group in by_thread[threads[link.message_id]])


def _owners(addresses: Iterable[str]) -> dict[str, list[Contact]]:
    owners: dict[str, list[Contact]] = defaultdict(list)
    for row in ContactAddress.objects.filter(address__in=set(addresses)).select_related("contact").order_by("kind"):
        owners[row.address].append(row.contact)
    return owners
