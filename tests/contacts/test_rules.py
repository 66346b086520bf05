"""Names, addresses, search keys, rights: decisions without a database."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.contacts import rules
from mailwall.contacts.errors import ContactInvalid
from mailwall.contacts.rules import ContactFields, ContactInput


def settle(of_kind: str = "person", current: dict | None = None, **given) -> ContactFields:
    return rules.settle_fields(ContactFields(kind=of_kind, **(current or {})), ContactInput(**given))


@pytest.mark.parametrize(
    ("name", "parts"),
    [
        ("Anna Kowalska", ("Anna", "Kowalska")),
        ("Anna Maria Kowalska", ("Anna Maria", "Kowalska")),
        ("Kowalska, Anna Maria", ("Anna Maria", "Kowalska")),
        ("Cher", ("Cher", "")),
        ("Anna,", ("Anna,", "")),
    ],
)
def test_a_name_is_split_as_people_write_it(name: str, parts: tuple[str, str]) -> None:
    assert rules.split_name(name) == parts


def test_a_person_may_lack_one_name_but_not_both() -> None:
    assert settle(last_name="Nowak").name == "Nowak"
    assert settle(first_name="Jan").name == "Jan"
    with pytest.raises(ContactInvalid):
        settle(first_name=" \t", last_name="\u200b\u202e")


def test_given_names_win_over_the_whole_name_so_that_what_was_read_can_be_sent_back() -> None:
    assert settle(name="Old Name", first_name="Jan", last_name="Nowy").name == "Jan Nowy"
    assert settle(current={"first_name": "Jan", "last_name": "Stary"}, last_name="Nowy").name == "Jan Nowy"
    assert settle(current={"first_name": "Jan", "last_name": "Stary"}, name="Ewa Nowa").first_name == "Ewa"


def test_a_company_has_no_first_name_and_no_kind_changes() -> None:
    assert settle("company", name="Kwiat", first_name="").name == "Kwiat"
    with pytest.raises(ContactInvalid) as error:
        settle("company", name="Kwiat", first_name="Ewa", kind="person")
    assert {problem.code for problem in error.value.problems} == {"people_only", "kind_fixed"}


def test_control_characters_and_overrides_never_reach_a_name() -> None:
    assert rules.clean_line("Ewa\r\nBcc: x\x00\u202egnp.exe\ud800") == "Ewa Bcc: x gnp.exe"
    assert rules.clean_line("e\u0301") == "é"


@given(st.text(st.characters(codec=None), max_size=60))
def test_a_clean_line_is_storable_and_stays_as_it_is(text: str) -> None:
    line = rules.clean_line(text)
    line.encode()
    assert "\x00" not in line and rules.clean_line(line) == line


def test_the_list_finds_and_sorts_without_accents_and_by_either_spelling_of_a_domain() -> None:
    key = rules.search_key("Łukasz Żółw", ["biuro@xn--w-uga1v8h.example"])
    assert all(word in key for word in rules.search_words("LUKASZ zolw biuro@żółw.example @xn--w-"))
    assert rules.sort_key("Łukasz") == rules.sort_key("lukasz")
    assert len(rules.sort_key("ﷺ" * 300)) <= rules.MAX_SORT_KEY


def test_a_search_is_bounded() -> None:
    assert len(rules.search_words("a " * 10_000)) <= rules.MAX_QUERY_WORDS
    assert all(len(word) <= rules.MAX_QUERY for word in rules.search_words("%" * 60_000))


def test_an_undecodable_domain_is_shown_as_it_is() -> None:
    assert rules.readable_address("a@xn--0.example") == "a@xn--0.example"
    assert rules.readable_address("biuro@xn--w-uga1v8h.example") == "biuro@żółw.example"


@pytest.mark.parametrize(
    ("owner_id", "is_admin", "managed", "may"),
    [(1, False, [], True), (2, False, [], False), (2, True, [], True), (2, False, [7], True), (2, False, [8], False),
     (None, False, [], True)],
)  # fmt: skip
def test_who_may_edit(owner_id: int | None, is_admin: bool, managed: list[int], may: bool) -> None:
    assert may is rules.may_edit(
        viewer_id=1, is_admin=is_admin, managed_team_ids=managed, owner_id=owner_id, team_id=7 if owner_id else None
    )
