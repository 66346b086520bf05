"""From SQLite to PostgreSQL: all rows, checked; an interrupted move goes on."""

from __future__ import annotations

import pytest

from tests.rig import migrated

pytestmark = [pytest.mark.slow, pytest.mark.postgres]


def test_everything_moves_is_checked_and_found_by_search(seeded_sqlite, on_postgres):
    before = seeded_sqlite.digest()
    url = on_postgres.env["MAILWALL_DATABASE_URL"]
    told = seeded_sqlite.ok("move-database", "--to", url)
    assert "each compared with the old one" in told
    assert on_postgres.look(word="Żółw 299") == (before, 1)
    file = "from mailwall.sending.models import DraftFile as F; print(bytes(F.objects.get(filename='plan.pdf').raw_content) == bytes(range(250)) * 280)"
    assert on_postgres.python(file).strip() == "True"
    assert "has users already" in seeded_sqlite.refused("move-database", "--to", url)
    new = "from mailwall.contacts.models import Contact as C; print(C.objects.create(kind='company', name='New').pk)"
    assert int(on_postgres.python(new)) > 10


def test_an_interrupted_move_goes_on_without_copying_twice(seeded_sqlite, on_postgres):
    url = on_postgres.env["MAILWALL_DATABASE_URL"]
    broken = "\n".join(
        [
            "from mailwall.operations import tables",
            "from django.core.management import call_command",
            "whole, left = tables.Table.insert, [3]",
            "def insert(self, alias, lines):",
            "    if self.label == 'mailstore.Message':",
            "        left[0] -= 1",
            "        if not left[0]: raise KeyboardInterrupt",
            "    whole(self, alias, lines)",
            "tables.BATCH_ROWS, tables.Table.insert = 100, insert",
            f"call_command('move_database', '--to', {url!r})",
        ]
    )
    assert seeded_sqlite.run("shell", "-c", broken).returncode != 0
    count = "from mailwall.mailstore.models import Message; print(Message.objects.count())"
    assert int(on_postgres.python(count)) == 200
    seeded_sqlite.ok("move-database", "--to", url)
    assert on_postgres.digest() == seeded_sqlite.digest()


def test_the_same_database_is_no_target(on_sqlite):
    migrated.put_into(on_sqlite.data)
    assert "same database" in on_sqlite.refused("move-database", "--to", "sqlite")
