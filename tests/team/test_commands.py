"""`mailwall user` and `mailwall token`."""

from __future__ import annotations

import io
import subprocess
import sys

import pytest
from django.core.management import CommandError, call_command

from mailwall.team import queries, services
from mailwall.team.models import Team, User
from tests.cast import PASSWORD


def run(*arguments: str, stdin: str = "", monkeypatch: pytest.MonkeyPatch | None = None) -> str:
    out = io.StringIO()
    if monkeypatch:
        monkeypatch.setattr(sys, "stdin", io.StringIO(stdin))
    call_command(*arguments, stdout=out)
    return out.getvalue()


def test_user_add_makes_the_team_and_puts_managers_in_charge(db, monkeypatch):
    run("user", "add", "bob@ours.example", "--name", "Bob", "--role", "manager", "--team", "Sales")
    add = ("user", "add", "Alice@ours.example", "--team", "Sales", "--password-stdin")
    run(*add, stdin=PASSWORD + "\n", monkeypatch=monkeypatch)
    alice = User.objects.get(email="alice@ours.example")
    assert (alice.name, alice.role, alice.check_password(PASSWORD)) == ("alice", "user", True)
    assert [person.email for person in queries.managers_of(alice)] == ["bob@ours.example"]
    assert Team.objects.count() == 1


@pytest.mark.parametrize(
    ("arguments", "stdin", "words"),
    [
        (("add", "alice@ours.example"), "", "already"),
        (("add", "nonsense"), "", "not an email address"),
        (("add", "new@ours.example", "--team", "North", "--password-stdin"), "short\n", "too short"),
        (("add", "new@ours.example", "--password-stdin"), "", "No password"),
        (("set-password", "nobody@ours.example", "--password-stdin"), PASSWORD, "no user"),
    ],
)
def test_mistakes_are_one_sentence_and_change_nothing(cast, monkeypatch, arguments, stdin, words):
    with pytest.raises(CommandError, match=words):
        run("user", *arguments, stdin=stdin, monkeypatch=monkeypatch)
    assert User.objects.count() == 4
    assert Team.objects.count() == 1


def test_list_names_everybody_once(cast):
    lines = run("user", "list").splitlines()
    assert len(lines) == 4
    assert f"{cast.alice.pk}\talice@ours.example\tAlice\tuser\tSales\tactive" in lines


def test_set_password(cast, monkeypatch):
    run("user", "set-password", "alice@ours.example", "--password-stdin", stdin=PASSWORD, monkeypatch=monkeypatch)
    assert User.objects.get(pk=cast.alice.pk).check_password(PASSWORD)


def test_token_create_prints_the_token_alone(cast):
    token = run("token", "create", "Alice@ours.example", "--name", "Backup", "--scopes", "read").strip()
    found = services.use_token(token)
    assert (found.user, found.name, found.scopes) == (cast.alice, "Backup", ["read"])


@pytest.mark.parametrize(
    ("arguments", "words"),
    [(("nobody@ours.example",), "no active user"), (("alice@ours.example", "--scopes", "fly"), "fly")],
)
def test_token_create_refuses_in_one_sentence(cast, arguments, words):
    with pytest.raises(CommandError, match=words):
        run("token", "create", *arguments)


def test_without_tables_the_command_says_what_to_do_and_no_traceback(tmp_path):
    code = "import sys; sys.argv = ['mailwall', 'user', 'list']; from mailwall.config.cli import main; main()"
    environment = {"MAILWALL_DATA_DIR": str(tmp_path), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "mailwall migrate" in done.stderr
    assert "Traceback" not in done.stderr
