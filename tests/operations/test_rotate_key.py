"""After rotate-key every password opens with the new key and with it alone; a crash in the middle does no harm."""

from __future__ import annotations

import pytest
from django.core.management import CommandError, call_command

from mailwall.email_accounts import connection, resealing
from mailwall.email_accounts.models import EmailAccount
from mailwall.web import secrets
from tests.cast import make_account, make_user

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    secrets._cache.clear()
    yield tmp_path
    secrets._cache.clear()


@pytest.fixture
def accounts() -> list[EmailAccount]:
    owner = make_user("alice@ours.example")
    return [with_password(make_account(owner), f"pass-{number}") for number in range(5)]


def with_password(account: EmailAccount, password: str) -> EmailAccount:
    account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
    account.save()
    return account


def passwords() -> list[str]:
    return [connection.imap_settings(account).password for account in EmailAccount.objects.order_by("pk")]


def test_all_passwords_open_afterwards_and_the_old_key_opens_none(accounts, data_dir):
    before = passwords()
    old = list(EmailAccount.objects.values_list("secret_id", "sealed_imap_password"))
    call_command("rotate_key")
    assert passwords() == before
    for secret_id, sealed in old:
        with pytest.raises(secrets.SecretUnreadable):
            secrets.unseal(sealed, bound_to=f"{secret_id}:imap")
    (data_dir / "sealing.keys").unlink()
    secrets._cache.clear()
    assert resealing.count_unreadable() == 5


def test_an_interrupted_rotation_goes_on_with_the_same_new_key(accounts, monkeypatch):
    before, whole, left = passwords(), secrets.seal, [3]

    def dying(plain: str, *, bound_to: str) -> str:
        left[0] -= 1
        if not left[0]:
            raise KeyboardInterrupt
        return whole(plain, bound_to=bound_to)

    monkeypatch.setattr(secrets, "seal", dying)
    with pytest.raises(KeyboardInterrupt):
        call_command("rotate_key")
    monkeypatch.undo()
    assert passwords() == before
    assert secrets.is_rotating()
    newest = secrets._keys()[0]
    call_command("rotate_key")
    assert secrets._keys() == [newest]
    assert passwords() == before


def test_twice_makes_another_key_each_time(accounts):
    before = passwords()
    call_command("rotate_key")
    [first] = secrets._keys()
    call_command("rotate_key")
    [second] = secrets._keys()
    assert first != second
    assert passwords() == before


def test_a_password_that_no_key_opens_keeps_the_old_keys_unless_forced(accounts):
    EmailAccount.objects.filter(pk=accounts[0].pk).update(sealed_imap_password=accounts[1].sealed_imap_password)
    with pytest.raises(CommandError, match="1 passwords do not open"):
        call_command("rotate_key")
    assert secrets.is_rotating()
    call_command("rotate_key", "--force")
    assert not secrets.is_rotating()


def test_the_new_key_can_be_copied_to_other_machines_first(accounts):
    call_command("rotate_key", "--new-key-only")
    assert all(not secrets.is_sealed_with_newest(a.sealed_imap_password) for a in EmailAccount.objects.all())
    call_command("rotate_key")
    assert all(secrets.is_sealed_with_newest(a.sealed_imap_password) for a in EmailAccount.objects.all())
