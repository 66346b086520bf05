"""Rows keep their values on the way through text, and every table of the product is taken."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, time

from django.apps import apps

from mailwall.operations import tables
from mailwall.operations.tables import Checksum


def table(label: str) -> tables.Table:
    return next(each for each in tables.all_tables(apps) if each.label == label)


def test_a_table_comes_after_those_that_it_points_at():
    order = [each.label for each in tables.all_tables(apps)]
    for parent, child in [
        ("team.Team", "team.User"),
        ("team.User", "email_accounts.EmailAccount"),
        ("mailstore.Message", "mailstore.MessageBody"),
        ("contacts.Contact", "assignment.Link"),
        ("team.User", "team.Team_managers"),
    ]:
        assert order.index(parent) < order.index(child)


def test_no_table_of_ours_is_forgotten():
    ours = {model._meta.label for model in apps.get_models() if model.__module__.startswith("mailwall.")}
    assert ours <= {each.label for each in tables.all_tables(apps)}


def test_every_kind_of_value_survives():
    values = {
        "EmailAccount": ("email_accounts.EmailAccount", "secret_id", uuid.uuid4()),
        "Folder": ("sync.Folder", "raw_name", b"\x00\xff&AOk-"),
        "Message": ("mailstore.Message", "internaldate", datetime(2026, 11, 25, 1, 2, 3, 456789, tzinfo=UTC)),
        "references": ("mailstore.Message", "references", ["a@b", {"ż": None}]),
        "Workspace": ("team.Workspace", "review_time", time(3, 5)),
        "MessageBody": ("mailstore.MessageBody", "text", "zażółć\n\u2028😀 \udc80"),
    }
    for label, name, value in values.values():
        found = table(label)
        row = [value if each == name else None for each in found.names]
        assert found.decode(found.encode(row)) == row


def test_a_checksum_does_not_depend_on_the_order_but_on_every_row():
    one, other, third = Checksum(), Checksum(), Checksum()
    for line in ("a", "b", "b"):
        one.add(line)
    for line in ("b", "a", "b"):
        other.add(line)
    for line in ("a", "a", "b"):
        third.add(line)
    assert one.as_text() == other.as_text() != third.as_text()
