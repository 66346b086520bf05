"""Reads of triage: unassigned mail by its senders, from the counts that senders.py keeps. The viewer first, always.

Addresses of our own are left out, as no contact gets mail by them. What one ignores is listed apart.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, Max, OuterRef, Q, Sum

from mailwall.assignment.models import IgnoredSender, MailKind, Unassigned, UnassignedQuerySet, UnknownSender
from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.free_mail import FREE_MAIL_DOMAINS, domain_of, is_free_mail
from mailwall.mailstore import sql
from mailwall.mailstore.models import Message, Participant
from mailwall.team.models import User

SUBJECTS = 3
MAX_SENDERS_OF_DOMAIN = 200
MAX_ROWS_COUNTED = 2_000


@dataclass(frozen=True, slots=True, kw_only=True)
class TriageFilter:
    """kind: of MailKind. by_domain: groups are domains, not addresses. domain: only senders of this domain."""

    kind: str = MailKind.PEOPLE
    by_domain: bool = False
    domain: str = ""

    @property
    def key(self) -> str:
        """The column that makes a group."""
        return "domain" if self.by_domain else "address"


@dataclass(slots=True, kw_only=True)
class Group:
    """Unassigned mail of one sender, or of all senders of a domain (address is '' then).

    name: as the newest mail writes it. of_domain: how many visible messages the whole domain has; 0 where the domain
    says nothing (free mail). newest_id: of a message; at: its INTERNALDATE.
    """

    address: str
    domain: str
    newest_id: int
    messages: int = 0
    senders: int = 1
    of_domain: int = 0
    name: str = ""
    at: datetime | None = None
    subjects: list[str] = field(default_factory=list)
    thread_keys: list[str] = field(default_factory=list)

    @property
    def key(self) -> str:
        return self.address or self.domain


@dataclass(frozen=True, slots=True, kw_only=True)
class Tally:
    """Of one kind: how many groups, how many messages. is_more: at least so many; not all were counted."""

    groups: int = 0
    messages: int = 0
    is_more: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Whose triage it is, and what does not lie on it: addresses of our own, ignored addresses and domains."""

    viewer: User
    left_out: Collection[str]
    domains_left_out: Collection[str]

    def senders(self) -> UnassignedQuerySet:
        rows = UnknownSender.objects.visible_to(self.viewer).exclude(address__one_of=self.left_out)
        return rows.exclude(domain__one_of=self.domains_left_out) if self.domains_left_out else rows


def desk_of(viewer: User) -> Desk:
    """Three queries; for everything that one page shows."""
    ignored = list(_ignored_by(viewer).values_list("address", "domain"))
    return Desk(
        viewer=viewer,
        left_out=account_queries.own_addresses().union(address for address, _domain in ignored if address),
        domains_left_out={domain for _address, domain in ignored if domain},
    )


def page_of_groups(
    desk: Desk, wanted: TriageFilter, *, before: int | None = None, limit: int = 20
) -> tuple[list[Group], int | None]:
    """Groups, the newest mail first, and the message below which the next page begins, None at the end.

    About ten queries for a page of any length. Rows are walked in the order of an index: a row is its group's when no
    newer one of the group can be seen, so that nothing is sorted and nothing counted but what the page shows.
    """
    rows = _in_groups(desk, wanted)
    newer = rows.filter(**{wanted.key: OuterRef(wanted.key)}, newest_id__gt=OuterRef("newest_id"))
    page = rows if before is None else rows.filter(newest_id__lt=before)
    listed = list(page.filter(~Exists(newer)).order_by("-newest_id").values_list(wanted.key, "newest_id")[: limit + 1])
    groups = [_group(wanted, key, newest_id) for key, newest_id in listed[:limit]]
    _add_totals(rows, wanted, groups)
    _add_details(desk, groups, wanted.kind)
    return groups, groups[-1].newest_id if len(listed) > limit else None


def tallies(desk: Desk, *, by_domain: bool = False, kinds: Sequence[str] = MailKind.values) -> dict[str, Tally]:
    """What stands on each tab: exact of kinds with up to MAX_ROWS_COUNTED rows, else what the newest of them hold."""
    key = "domain" if by_domain else "address"
    rows = _grouped(desk.senders().filter(kind=sql.EACH), by_domain=by_domain).order_by("-newest_id")
    newest, parameters = rows.values_list(key, "messages")[: MAX_ROWS_COUNTED + 1].query.sql_with_params()
    counts = f"SELECT COUNT(*), COUNT(DISTINCT {key}), COALESCE(SUM(messages), 0) FROM ({newest}) AS newest"  # noqa: S608
    return {
        kind: Tally(groups=groups, messages=int(messages), is_more=number > MAX_ROWS_COUNTED)
        for kind, number, groups, messages in sql.for_each(counts, parameters, kinds)
    }


def count_people(viewer: User) -> Tally:
    """How many people wait to be sorted."""
    return tallies(desk_of(viewer), kinds=[MailKind.PEOPLE.value])[MailKind.PEOPLE]


def messages_with(viewer: User, addresses: Collection[str]) -> int:
    """How many unassigned messages the viewer would see at a contact that gets these addresses."""
    parts = Participant.objects.filter(address__address__in=addresses, role__in=("from", "to", "cc"))
    return Unassigned.objects.visible_to(viewer).filter(pk__in=parts.values("message_id")).count()


def messages_of(viewer: User, group: TriageFilter, address: str = "", *, limit: int = 20) -> list[Message]:
    """The newest messages of a group: of an address, else of the filter's domain; with their accounts."""
    addresses = [address] if address else addresses_of_domain(viewer, group.domain)
    marks = Unassigned.objects.visible_to(viewer).filter(kind=group.kind, counterpart__in=addresses)
    ids = list(marks.order_by("-message").values_list("pk", flat=True)[:limit])
    rows = Message.objects.visible_to(viewer).filter(pk__in=ids)
    return list(rows.select_related("account").order_by("-id"))


def addresses_of_domain(viewer: User, domain: str) -> list[str]:
    """The unknown senders of a domain that the viewer may see, the newest first."""
    rows = desk_of(viewer).senders().filter(domain=domain).values("address").annotate(newest=Max("newest_id"))
    return [row["address"] for row in rows.order_by("-newest")[:MAX_SENDERS_OF_DOMAIN]]


def visible_addresses(viewer: User, addresses: Collection[str]) -> list[str]:
    """Those of the addresses that triage shows the viewer."""
    rows = _visible(viewer).filter(address__in=addresses).values_list("address", flat=True)
    return list(rows.order_by("address").distinct())


def names_of(viewer: User, addresses: Sequence[str]) -> dict[str, str]:
    """{address: name as its newest visible unassigned mail writes it}; without those that have none."""
    rows = _visible(viewer).filter(address__in=addresses).values("address").annotate(newest=Max("newest_id"))
    return _display_names({row["newest"]: row["address"] for row in rows.order_by()})


@dataclass(frozen=True, slots=True, kw_only=True)
class Ignored:
    """An entry of the list of ignored senders. messages: unassigned ones that the viewer would see without it."""

    entry: IgnoredSender
    messages: int


def ignored_list(viewer: User, *, after: int = 0, limit: int = 50) -> list[Ignored]:
    """What the viewer ignores, theirs and everybody's, in the order it was added, with counts; two queries."""
    entries = list(_ignored_by(viewer).filter(pk__gt=after).select_related("user").order_by("pk")[:limit])
    addresses, domains = [e.address for e in entries if e.address], [e.domain for e in entries if e.domain]
    rows = _visible(viewer).filter(Q(address__in=addresses) | Q(domain__in=domains)).values_list("address", "domain")
    counts: dict[str, int] = {}
    for address, domain, total in rows.annotate(total=Sum("messages")).order_by():
        counts[address] = counts.get(address, 0) + total
        counts[f"@{domain}"] = counts.get(f"@{domain}", 0) + total
    return [Ignored(entry=e, messages=counts.get(e.address or f"@{e.domain}", 0)) for e in entries]


def count_ignored(viewer: User) -> int:
    return _ignored_by(viewer).count()


def _ignored_by(viewer: User) -> Any:
    return IgnoredSender.objects.filter(Q(user=viewer) | Q(user=None))


def _visible(viewer: User) -> UnassignedQuerySet:
    return UnknownSender.objects.visible_to(viewer).exclude(address__one_of=account_queries.own_addresses())


def _in_groups(desk: Desk, wanted: TriageFilter) -> UnassignedQuerySet:
    rows = _grouped(desk.senders().filter(kind=wanted.kind), by_domain=wanted.by_domain)
    return rows.filter(domain=wanted.domain) if wanted.domain else rows


def _grouped(rows: UnassignedQuerySet, *, by_domain: bool) -> UnassignedQuerySet:
    """Domains where anybody gets an address make no group."""
    return rows.exclude(domain__one_of=FREE_MAIL_DOMAINS) if by_domain else rows


def _group(wanted: TriageFilter, key: str, newest_id: int) -> Group:
    if wanted.by_domain:
        return Group(address="", domain=key, newest_id=newest_id)
    return Group(address=key, domain=domain_of(key), newest_id=newest_id)


def _add_totals(rows: UnassignedQuerySet, wanted: TriageFilter, groups: Sequence[Group]) -> None:
    of_page = rows.filter(**{f"{wanted.key}__in": [group.key for group in groups]}).values_list(wanted.key)
    totals = of_page.annotate(total=Sum("messages"), senders=Count("address", distinct=True)).order_by()
    found = {key: (total, number) for key, total, number in totals}
    for group in groups:
        group.messages, group.senders = found[group.key]


def _add_details(desk: Desk, groups: Sequence[Group], kind: str) -> None:
    """Names, subjects, threads and how much the domains have: four queries."""
    if not groups:
        return
    viewer = desk.viewer
    newest = _newest_messages(viewer, groups, kind)
    by_message = {message_id: group for group in groups for message_id in newest[group.key]}
    for message in Message.objects.visible_to(viewer).filter(pk__in=by_message).order_by("-id"):
        group = by_message[message.pk]
        group.at = group.at or message.internaldate
        group.subjects.append(message.subject)
        group.thread_keys.append(message.thread_key)
    names = _display_names({group.newest_id: group.address for group in groups if group.address})
    of_domains = _messages_of_domains(desk, {group.domain for group in groups})
    for group in groups:
        group.name = names.get(group.address, "")
        group.of_domain = of_domains.get(group.domain, 0)


def _newest_messages(viewer: User, groups: Sequence[Group], kind: str) -> dict[str, list[int]]:
    """The ids of the newest few messages of each group; one query, which reads the index entries that it gives."""
    of_senders = [group for group in groups if group.address]
    found: dict[str, list[int]] = {group.key: [] if group.address else [group.newest_id] for group in groups}
    if not of_senders:
        return found
    rows = Unassigned.objects.visible_to(viewer).filter(kind=kind, counterpart=sql.EACH).order_by("-message")
    statement, parameters = rows.values_list("message_id")[:SUBJECTS].query.sql_with_params()
    for address, message_id in sql.for_each(statement, parameters, [group.address for group in of_senders]):
        found[address].append(message_id)
    return found


def _display_names(address_by_message: dict[int, str]) -> dict[str, str]:
    rows = Participant.objects.filter(message_id__one_of=list(address_by_message)).exclude(name="")
    return {
        address: name
        for message_id, address, name in rows.values_list("message_id", "address__address", "name")
        if address_by_message[message_id] == address
    }


def _messages_of_domains(desk: Desk, domains: Collection[str]) -> dict[str, int]:
    telling = [domain for domain in domains if not is_free_mail(domain)]
    rows = desk.senders().filter(domain__in=telling).values_list("domain")
    return dict(rows.annotate(total=Sum("messages")).order_by())
