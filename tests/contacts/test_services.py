"""Writing contacts: what is kept, what is refused, and who is told."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest
from django.db import connection, transaction

from mailwall.contacts import hooks, queries, services
from mailwall.contacts.errors import AddressTaken, ContactInvalid, ContactNotFound, NotAllowed
from mailwall.contacts.models import Contact, ContactAddress
from mailwall.contacts.rules import ContactInput

if TYPE_CHECKING:
    from tests.cast import Cast

pytestmark = pytest.mark.django_db


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What the rooms above were told, in place of them; each telling must happen inside a transaction."""
    calls: list[list[str]] = []

    def listen(addresses) -> None:
        assert connection.in_atomic_block
        calls.append(list(addresses))

    monkeypatch.setattr(hooks, "_listeners", [listen])
    monkeypatch.setattr(hooks, "_leave_listeners", [lambda contact_id: calls.append([f"leaves {contact_id}"])])
    return calls


def emails(contact: Contact) -> list[str]:
    return [row.address for row in contact.addresses.all()]


def person(viewer, *addresses: str, **fields) -> Contact:
    fields.setdefault("first_name", "Ewa")
    return services.create_contact(viewer, ContactInput(emails=addresses, **fields))


def company(viewer, *addresses: str, name: str = "Kwiat") -> Contact:
    return services.create_contact(viewer, ContactInput(kind="company", name=name, emails=addresses))


def problems(error: pytest.ExceptionInfo[ContactInvalid]) -> set[tuple[str, str]]:
    return {(problem.field, problem.code) for problem in error.value.problems}


def test_addresses_are_normalised_once_each_and_keep_their_order(cast: Cast, told) -> None:
    made = person(cast.alice, " Ewa@Kwiat.EXAMPLE ", "biuro@żółw.example", "ewa@kwiat.example", "a+x@kwiat.example")
    assert emails(made) == ["ewa@kwiat.example", "biuro@xn--w-uga1v8h.example", "a+x@kwiat.example"]
    assert told == [sorted(emails(made))]
    assert made.owner == cast.alice


def test_every_malformed_address_is_named_and_nothing_is_saved(cast: Cast, told) -> None:
    with pytest.raises(ContactInvalid) as error:
        person(cast.alice, "ok@kwiat.example", "ewa@@kwiat", "", "a b@x.example", "x\x00@y.example", "\ud800@y.example")
    assert problems(error) == {(f"emails.{place}", "not_an_address") for place in (1, 2, 3, 4, 5)}
    assert not Contact.objects.exists() and told == []


def test_an_address_belongs_to_one_person_and_one_company(cast: Cast, told) -> None:
    first = person(cast.alice, "ewa@kwiat.example")
    company(cast.alice, "ewa@kwiat.example")
    with pytest.raises(AddressTaken) as error:
        person(cast.bob, "new@kwiat.example", "EWA@kwiat.example")
    assert (error.value.contact_id, error.value.field) == (first.pk, "emails.1")
    assert Contact.objects.count() == 2 and not ContactAddress.objects.filter(address="new@kwiat.example").exists()


def test_changing_addresses_tells_exactly_those_that_came_or_went(cast: Cast, told) -> None:
    made = person(cast.alice, "a@x.example", "b@x.example")
    told.clear()
    changed = services.update_contact(cast.alice, made.pk, ContactInput(emails=["c@x.example", "b@x.example"]))
    assert emails(changed) == ["c@x.example", "b@x.example"]
    assert told == [["a@x.example", "c@x.example"]]


def test_changing_a_name_leaves_addresses_and_tells_nobody(cast: Cast, told) -> None:
    made = person(cast.alice, "a@x.example", last_name="Nowak", title="Buyer")
    told.clear()
    changed = services.update_contact(cast.alice, made.pk, ContactInput(last_name="Kowal"))
    assert (changed.name, changed.title, emails(changed), told) == ("Ewa Kowal", "Buyer", ["a@x.example"], [])


def test_an_address_that_left_is_free_for_another(cast: Cast, told) -> None:
    made = person(cast.alice, "a@x.example")
    services.update_contact(cast.alice, made.pk, ContactInput(emails=[]))
    assert emails(person(cast.bob, "a@x.example")) == ["a@x.example"]


def test_deleting_tells_before_links_go_and_after_addresses_went(cast: Cast, told) -> None:
    made = company(cast.alice, "a@x.example")
    worker = person(cast.alice, company_id=made.pk)
    told.clear()
    services.delete_contact(cast.alice, made.pk)
    assert told == [[f"leaves {made.pk}"], ["a@x.example"]]
    worker.refresh_from_db()
    assert worker.company_id is None and not ContactAddress.objects.exists()
    with pytest.raises(ContactNotFound):
        services.delete_contact(cast.alice, made.pk)


def test_a_listener_that_fails_undoes_the_change(cast: Cast, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(addresses) -> None:
        raise RuntimeError

    monkeypatch.setattr(hooks, "_listeners", [fail])
    with pytest.raises(RuntimeError), transaction.atomic():
        person(cast.alice, "a@x.example")
    assert not Contact.objects.exists()


def test_a_company_of_a_person_must_be_a_company_and_not_itself(cast: Cast, told) -> None:
    ewa, jan = person(cast.alice), person(cast.alice)
    for wrong, code in ((jan.pk, "company_is_person"), (ewa.pk, "company_is_person"), (10**6, "company_unknown")):
        with pytest.raises(ContactInvalid) as error:
            services.update_contact(cast.alice, ewa.pk, ContactInput(company_id=wrong))
        assert problems(error) == {("company", code)}
    kwiat = company(cast.alice)
    with pytest.raises(ContactInvalid) as error:
        services.update_contact(cast.alice, kwiat.pk, ContactInput(company_id=kwiat.pk))
    assert problems(error) == {("company", "people_only")}


def test_names_of_300_characters_are_kept_and_longer_ones_refused(cast: Cast, told) -> None:
    assert len(person(cast.alice, first_name="x" * 300, last_name="y" * 300).name) == 601
    assert company(cast.alice, name="Ł" * 300).name == "Ł" * 300
    with pytest.raises(ContactInvalid) as error:
        person(cast.alice, first_name="x" * 301, title="t" * 201, phone="1" * 61)
    assert problems(error) == {("first_name", "too_long"), ("title", "too_long"), ("phone", "too_long")}
    with pytest.raises(ContactInvalid) as error:
        company(cast.alice, name="x" * 301)
    assert problems(error) == {("name", "too_long")}


def test_an_owner_edits_managers_and_admins_too_others_not(cast: Cast, told) -> None:
    made = person(cast.alice, "a@x.example")
    for allowed in (cast.alice, cast.bob, cast.erin):
        services.update_contact(allowed, made.pk, ContactInput(title=allowed.name))
    with pytest.raises(NotAllowed):
        services.update_contact(cast.charlie, made.pk, ContactInput(emails=[]))
    with pytest.raises(NotAllowed):
        services.delete_contact(cast.charlie, made.pk)
    assert Contact.objects.get().title == cast.erin.name


def test_a_contact_of_nobody_is_everybodys(cast: Cast, told) -> None:
    made = person(cast.alice, owner_id=None)
    assert services.update_contact(cast.charlie, made.pk, ContactInput(title="Buyer")).title == "Buyer"


def test_contacts_are_given_away_by_managers_and_admins_only(cast: Cast, told) -> None:
    assert person(cast.bob, owner_id=cast.alice.pk).owner == cast.alice
    assert person(cast.erin, owner_id=cast.charlie.pk).owner == cast.charlie
    for viewer, owner in ((cast.alice, cast.bob), (cast.charlie, cast.alice), (cast.alice, cast.charlie)):
        with pytest.raises(NotAllowed):
            person(viewer, owner_id=owner.pk)
    with pytest.raises(ContactInvalid) as error:
        person(cast.erin, owner_id=10**12)
    assert problems(error) == {("owner", "owner_unknown")}


def test_an_address_of_ours_is_kept_and_named(cast: Cast, told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "_own_address_checks", [lambda given: {"shop@ours.example"} & set(given)])
    made = person(cast.alice, cast.bob.email, "ewa@kwiat.example", "shop@ours.example")
    assert queries.own_addresses_of(made) == [cast.bob.email, "shop@ours.example"]


@pytest.mark.django_db(transaction=True)
def test_two_who_claim_an_address_at_once_get_one_contact(cast: Cast, told) -> None:
    started = threading.Barrier(2)
    outcomes: list[str] = []

    def claim(first_name: str) -> None:
        try:
            started.wait(5)
            person(cast.alice, "z@x.example", "a@x.example", first_name=first_name)
            outcomes.append("made")
        except AddressTaken as error:
            outcomes.append("taken" if error.contact_id else "taken by nobody")
        finally:
            connection.close()

    threads = [threading.Thread(target=claim, args=(name,)) for name in ("Ewa", "Jan")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(outcomes) == ["made", "taken"]
    assert Contact.objects.count() == 1 and ContactAddress.objects.count() == 2


def test_the_constraint_decides_when_the_look_comes_too_early(cast: Cast, told, monkeypatch) -> None:
    """The race of two databases' clients, played slowly: the other's row appears between our look and our insert."""
    other = person(cast.alice, "a@x.example")
    look, looks = queries.duplicates, []

    def look_too_early(*args, **kwargs):
        looks.append(1)
        return {} if len(looks) == 1 else look(*args, **kwargs)

    monkeypatch.setattr(queries, "duplicates", look_too_early)
    with pytest.raises(AddressTaken) as error:
        person(cast.bob, "a@x.example")
    assert error.value.contact_id == other.pk and Contact.objects.count() == 1
