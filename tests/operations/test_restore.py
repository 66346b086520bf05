"""Backup and restore by the command line, on both databases and from one to the other."""

from __future__ import annotations

import fcntl
import shutil

import pytest

from tests.operations.conftest import Installation, on
from tests.rig import migrated

pytestmark = pytest.mark.slow
PASSPHRASE = "correct horse battery\n"
CLEAR = "from mailwall.demo import services; services.clear()"
#: what restoring changes on purpose
AT_REST = {"sending.Outgoing", "mailstore.Message"}


def back_up(installation: Installation, file) -> None:
    installation.ok("backup", str(file), "--passphrase-file", "-", stdin=PASSPHRASE)


def restore(installation: Installation, file) -> str:
    return installation.ok("restore", str(file), "--passphrase-file", "-", stdin=PASSPHRASE)


@pytest.mark.postgres
def test_a_restored_installation_is_as_it_was_and_mail_that_may_have_left_waits(seeded_postgres, tmp_path):
    before = seeded_postgres.digest()
    back_up(seeded_postgres, tmp_path / "b.mailwall")
    assert seeded_postgres.digest(after=CLEAR) != before
    told = restore(seeded_postgres, tmp_path / "b.mailwall")
    assert "1 mails may have left since" in told
    after, found = seeded_postgres.look(word="Żółw 299")
    assert {name for name in before if before[name] != after[name]} <= AT_REST
    assert found == 1
    state = "from mailwall.sending.models import Outgoing; print(Outgoing.objects.get().state)"
    assert seeded_postgres.python(state).strip() == "needs_review"
    # numbers go on where they were: nothing new takes the place of something restored
    seeded_postgres.ok(
        "user",
        "add",
        "new@ours.example",
        "--name",
        "New",
        "--role",
        "user",
        "--password-stdin",
        stdin="a-good-one-22\n",
    )
    # what was there before the restore is still there: the demo cleared
    kept = told.split("is kept: ")[1].split("\n")[0]
    assert kept


def test_a_bad_file_or_passphrase_changes_nothing(seeded_sqlite, tmp_path):
    good = tmp_path / "b.mailwall"
    back_up(seeded_sqlite, good)
    before, raw = seeded_sqlite.digest(), good.read_bytes()
    changed = bytearray(raw)
    changed[len(raw) // 2] ^= 1
    for name, content in (("cut", raw[: len(raw) // 2]), ("changed", bytes(changed))):
        bad = tmp_path / name
        bad.write_bytes(content)
        assert "Nothing was changed" in seeded_sqlite.refused(
            "restore", str(bad), "--passphrase-file", "-", stdin=PASSPHRASE
        )
    said = seeded_sqlite.refused("restore", str(good), "--passphrase-file", "-", stdin="another passphrase\n")
    assert "another passphrase or key" in said
    assert seeded_sqlite.digest() == before


@pytest.mark.parametrize(
    "end",
    ["os.kill(os.getpid(), 9)", pytest.param("raise OSError(28, 'No space left')", marks=pytest.mark.exhaustive)],
)
@pytest.mark.parametrize("database", ["seeded_sqlite", pytest.param("seeded_postgres", marks=pytest.mark.postgres)])
def test_a_load_that_breaks_leaves_everything_as_it_was_and_the_next_one_works(database, end, request, tmp_path):
    installation = request.getfixturevalue(database)
    file = tmp_path / "b"
    back_up(installation, file)
    change = "from mailwall.contacts.models import Contact; Contact.objects.update(name='Changed since')"
    before = installation.digest(after=change)
    (tmp_path / "passphrase").write_text(PASSPHRASE)
    broken = "\n".join(
        [
            "import os",
            "from mailwall.operations import tables",
            "from django.core.management import call_command",
            "whole = tables.Table.insert",
            "def insert(self, alias, lines):",
            "    whole(self, alias, lines)",
            f"    if self.label == 'mailstore.Message': {end}",
            "tables.Table.insert = insert",
            f"call_command('restore', {str(file)!r}, '--passphrase-file', {str(tmp_path / 'passphrase')!r})",
        ]
    )
    assert installation.run("shell", "-c", broken).returncode != 0
    assert installation.look(word="Żółw 299") == (before, 1)
    restore(installation, file)
    after, found = installation.look(word="Żółw 299")
    assert after["contacts.Contact"] != before["contacts.Contact"]
    assert found == 1


@pytest.mark.postgres
def test_a_backup_of_sqlite_is_restored_on_postgresql_and_back(seeded_sqlite, on_postgres, tmp_path):
    before = seeded_sqlite.digest()
    back_up(seeded_sqlite, tmp_path / "one")
    restore(on_postgres, tmp_path / "one")
    back_up(on_postgres, tmp_path / "two")
    seeded_sqlite.python(CLEAR)
    restore(seeded_sqlite, tmp_path / "two")
    for each in (on_postgres, seeded_sqlite):
        after, found = each.look(word="Text 299")
        assert {name for name in before if before[name] != after[name]} <= AT_REST
        assert found == 1


def test_a_fresh_machine_opens_passwords_with_the_old_key_and_says_what_to_do_without(seeded_sqlite, tmp_path):
    back_up(seeded_sqlite, tmp_path / "b")
    fresh = Installation(data=tmp_path / "fresh")
    assert "4 stored passwords do not open" in restore(fresh, tmp_path / "b")
    said = fresh.run("sync")
    assert said.returncode == 1
    state = "from mailwall.email_accounts.models import EmailAccount as E; print(set(E.objects.values_list('state', 'last_error_code')))"
    assert fresh.python(state).strip() == "{('needs_sign_in', 'secret_unreadable')}"
    with_key = Installation(data=tmp_path / "with-key")
    with_key.data.mkdir()
    shutil.copy(seeded_sqlite.data / "secret.key", with_key.data)
    assert "do not open" not in restore(with_key, tmp_path / "b")
    assert "✔ key\n" in with_key.ok("doctor", "--no-network")


def test_it_refuses_while_mailwall_runs_there(on_sqlite, tmp_path):
    migrated.put_into(on_sqlite.data)
    back_up(on_sqlite, tmp_path / "b")
    with (on_sqlite.data / "running.lock").open("w") as running:
        fcntl.flock(running, fcntl.LOCK_SH)
        said = on_sqlite.refused("restore", str(tmp_path / "b"), "--passphrase-file", "-", stdin=PASSPHRASE)
    assert "Mailwall runs" in said
    with (on_sqlite.data / "running.lock").open("w") as alone:
        fcntl.flock(alone, fcntl.LOCK_EX)
        assert "being restored" in on_sqlite.refused("worker")


@pytest.mark.postgres
def test_on_postgresql_it_refuses_while_anybody_else_is_connected(postgres, tmp_path):
    import psycopg

    installation = on(postgres, tmp_path / "data", template="mailwall")
    back_up(installation, tmp_path / "b")
    with psycopg.connect(installation.env["MAILWALL_DATABASE_URL"]):
        said = installation.refused("restore", str(tmp_path / "b"), "--passphrase-file", "-", stdin=PASSPHRASE)
    assert "1 other connections" in said


def test_a_backup_of_an_older_mailwall_is_brought_up_to_date(on_sqlite, tmp_path):
    """Made at the first schema that landed, as far as the users' table."""
    migrated.put_into(on_sqlite.data)
    back = "\n".join(
        [
            "from django.core.management import call_command",
            "for target in ('sequences', 'zero'), ('sending', '0001'), ('assignment', '0003'):",
            "    call_command('migrate', *target, verbosity=0)",
        ]
    )
    on_sqlite.python(back)  # messages have the column of their mark again
    older = "\n".join(
        [
            "from pathlib import Path",
            "from mailwall.operations import backup, versions",
            "from mailwall.operations.envelope import Lock",
            "from django.db import connection",
            "from django.db.migrations.executor import MigrationExecutor",
            "nodes = [('team', '0001_initial'), ('email_accounts', '0001_initial'), ('mailstore', '0001_initial')]",
            "versions.newest = lambda alias: nodes",
            "backup.apps = MigrationExecutor(connection).loader.project_state(nodes).apps",
            f"backup.write_backup(Path({str(tmp_path / 'old')!r}), Lock(passphrase='correct horse battery'))",
        ]
    )
    on_sqlite.python(older)
    fresh = Installation(data=tmp_path / "fresh")
    restore(fresh, tmp_path / "old")
    assert "✔ migrations" in fresh.ok("doctor", "--no-network")


def test_passphrases_are_asked_for_and_must_not_be_short(on_sqlite, tmp_path):
    assert "nobody to ask" in on_sqlite.refused("backup", str(tmp_path / "b"))
    assert "at least 10" in on_sqlite.refused("backup", str(tmp_path / "b"), "--passphrase-file", "-", stdin="short\n")
    key = tmp_path / "key"
    key.write_bytes(b"x" * 31)
    assert "at least 32" in on_sqlite.refused("backup", str(tmp_path / "b"), "--key-file", str(key))
    assert not (tmp_path / "b").exists()
