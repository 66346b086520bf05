"""The SQL of matching: addresses of mail against addresses of contacts, always for many messages at once.

A match is a From, To or Cc address that a contact owns and that is not our own; Bcc and Reply-To never assign, what a
hand unassigned (LinkBan) stays so. Every statement is written so that it starts from its short side.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django.db import connection

from mailwall.contacts.models import ContactAddress
from mailwall.email_accounts import queries as account_queries
from mailwall.mailstore import sql

MATCHING_ROLES = "('from', 'to', 'cc')"


def own_addresses_among(addresses: Collection[str]) -> set[str]:
    """Those of the addresses that are our own: of users, accounts and their aliases."""
    return account_queries.own_addresses().intersection(addresses)


def link_messages(message_ids: Collection[int]) -> None:
    """Add the missing links of these messages."""
    # from the messages: each has a handful of participants; the last join is an index look-up per participant
    fixed = sql.fixed_join()
    _insert_links(
        f"mailstore_participant p {fixed} mailstore_address a ON a.id = p.address_id "
        f"{fixed} contacts_contactaddress c ON c.address = a.address",
        f"{sql.one_of('p.message_id')}",
        sql.values_of(message_ids),
    )


def link_addresses(addresses: Collection[str]) -> set[int]:
    """Add the missing links of all messages with one of these addresses; gives the messages that got one."""
    return _insert_links(_from_contacts(), sql.one_of("c.address"), sql.values_of(addresses))


def link_missing(low: int, high: int, account_ids: Collection[int] | None) -> set[int]:
    """Add the missing links of messages (of these accounts, None: of all); gives the messages that got one.

    low, high: first and last id of ContactAddress to look at (see address_ranges).
    """
    # what is linked already is known from the index of links alone: rows of messages are wide and lie far apart
    condition = (
        "c.id BETWEEN %s AND %s AND NOT EXISTS (SELECT 1 FROM assignment_link l WHERE l.message_id = p.message_id "
        "AND l.contact_id = c.contact_id AND l.field = p.role AND l.address = c.address)"
    )
    if account_ids is None:
        return _insert_links(_from_contacts(), condition, low, high)
    tables = f"{_from_contacts()} {sql.fixed_join()} mailstore_message m ON m.id = p.message_id"
    return _insert_links(tables, f"{condition} AND {sql.one_of('m.account_id')}", low, high, sql.values_of(account_ids))


def address_ranges(size: int) -> list[tuple[int, int]]:
    """The ids of all addresses of contacts as (first, last) of groups of `size`."""
    ids = list(ContactAddress.objects.order_by("id").values_list("id", flat=True))
    return [(ids[start], ids[min(start + size, len(ids)) - 1]) for start in range(0, len(ids), size)]


def _from_contacts() -> str:
    # SQLite's planner would scan all addresses of mail: 167 ms against 0.3 ms at 1,000,000. CROSS JOIN fixes the order;
    # the index of participants holds the role, so that rows of participants are never read (half the time)
    fixed = sql.fixed_join()
    return (
        f"contacts_contactaddress c {fixed} mailstore_address a ON a.address = c.address "
        f"{fixed} mailstore_participant p ON p.address_id = a.id"
    )


def _insert_links(tables: str, condition: str, *parameters: Any) -> set[int]:
    # in order, so that all are found before the first is written: PostgreSQL takes the links for few at first, and
    # would look through those of this very statement once for each
    own = sql.values_of(sorted(account_queries.own_addresses()))
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO assignment_link (message_id, contact_id, field, address) "  # noqa: S608 -- names of ours
            f"SELECT p.message_id, c.contact_id, p.role, c.address FROM {tables} "
            f"WHERE {condition} AND p.role IN {MATCHING_ROLES} AND NOT ({sql.one_of('c.address')}) "
            "AND NOT EXISTS (SELECT 1 FROM assignment_linkban b "
            "WHERE b.message_id = p.message_id AND b.contact_id = c.contact_id) "
            "ORDER BY p.message_id ON CONFLICT DO NOTHING RETURNING message_id",
            [*parameters, own],
        )
        return {message_id for (message_id,) in cursor.fetchall()}


def unlink_lost_addresses(addresses: Collection[str]) -> set[int]:
    """Drop links that rest on an address which the contact does not own any more; gives the messages touched.

    Links by hand rest on no address and stay.
    """
    return _delete_links(
        f"{sql.one_of('l.address')} AND l.field <> 'hand' AND NOT EXISTS "  # noqa: S608
        "(SELECT 1 FROM contacts_contactaddress c WHERE c.address = l.address AND c.contact_id = l.contact_id)",
        sql.values_of(addresses),
    )


def unlink_own_addresses(among: Collection[str] | None = None) -> set[int]:
    """Drop links that rest on an address which is our own by now; gives the messages touched."""
    lost = account_queries.own_addresses() if among is None else own_addresses_among(among)
    return _delete_links(f"{sql.one_of('l.address')} AND l.field <> 'hand'", sql.values_of(sorted(lost)))


def _delete_links(condition: str, parameter: Any) -> set[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"DELETE FROM assignment_link WHERE id IN (SELECT l.id FROM assignment_link l WHERE {condition}) "  # noqa: S608
            "RETURNING message_id",
            [parameter],
        )
        return {message_id for (message_id,) in cursor.fetchall()}
