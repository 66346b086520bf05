"""Loading the demo makes ordinary rows; clearing it leaves exactly what was there before."""

from __future__ import annotations

import socket

import pytest
from django.apps import apps

from mailwall.contacts.models import Contact
from mailwall.demo import services
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Address
from mailwall.team.models import AuditEntry, Role, Team, User, Workspace
from tests.cast import make_account, make_contact, make_raw, make_user, store

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def data_dir(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    return tmp_path


def counts() -> dict[str, int]:
    """Rows by table, but for the log, and for addresses, which mail shares and nobody owns."""
    models = [model for model in apps.get_models() if model not in (AuditEntry, Workspace, Address)]
    return {model.__name__: model._default_manager.count() for model in models}


def test_an_empty_installation_gets_people_with_roles_contacts_and_connected_accounts():
    demo = services.load()
    roles = dict(User.objects.values_list("email", "role"))
    assert roles["office@brzoza.example"] == Role.ADMIN
    assert roles["maria@brzoza.example"] == Role.MANAGER
    assert [user.email for user in Team.objects.get().managers.all()] == ["maria@brzoza.example"]
    assert all(user.check_password(demo.password) for user in User.objects.all())
    assert EmailAccount.objects.connected().filter(imap_port=demo.imap_port, state="active").count() == 4
    assert Contact.objects.filter(kind="company").count() == 5
    assert services.loaded() == demo


def test_the_record_with_the_passwords_is_for_its_owner_alone(data_dir):
    services.load()
    assert (data_dir / "demo/loaded.json").stat().st_mode & 0o077 == 0


def test_it_is_not_loaded_twice_nor_unasked_beside_other_data():
    make_user("erin@ours.example", "admin")
    with pytest.raises(services.DemoRefused, match="--force"):
        services.load()
    services.load(into_other_data=True)
    with pytest.raises(services.DemoRefused, match="already"):
        services.load(into_other_data=True)


def test_where_somebody_works_already_nobody_of_the_demo_is_administrator():
    make_user("erin@ours.example", "admin")
    services.load(into_other_data=True)
    assert User.objects.get(email="office@brzoza.example").role == Role.USER


def test_an_address_that_is_taken_loads_nothing(data_dir):
    make_user("anna@brzoza.example")
    before = counts()
    with pytest.raises(services.DemoRefused, match="already"):
        services.load(into_other_data=True)
    assert counts() == before
    assert not (data_dir / "demo").exists()


def test_clearing_leaves_exactly_what_was_there(data_dir):
    erin = make_user("erin@ours.example", "admin")
    make_contact("Kept", "kept@kunde.example")
    store(make_account(erin), make_raw("kept@kunde.example", "erin@ours.example"))
    before = counts()
    services.load(into_other_data=True)
    store(
        EmailAccount.objects.get(address="anna@brzoza.example"),
        make_raw("emma.hughes@northgate.example", "a@b.example"),
    )
    assert services.clear() == []
    assert counts() == before
    assert not (data_dir / "demo").exists()
    with pytest.raises(services.DemoRefused):
        services.clear()


def test_a_user_of_the_demo_who_connected_an_account_of_their_own_stays_without_signing_in():
    services.load()
    anna = User.objects.get(email="anna@brzoza.example")
    own = make_account(anna)
    assert services.clear() == ["Anna Nowak"]
    anna.refresh_from_db()
    assert not anna.is_active
    assert EmailAccount.objects.get() == own


def test_accounts_move_to_other_ports_when_theirs_are_taken():
    demo = services.load()
    with socket.socket() as other:
        other.bind(("127.0.0.1", demo.imap_port))
        other.listen()
        moved = services.find_ports(demo)
    assert moved.imap_port != demo.imap_port
    assert moved.smtp_port == demo.smtp_port
    assert services.loaded() == moved
    assert set(EmailAccount.objects.values_list("imap_port", "smtp_port")) == {(moved.imap_port, moved.smtp_port)}
