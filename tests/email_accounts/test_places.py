"""Connections are counted by account and by mail host, whoever opens them."""

from __future__ import annotations

import threading

import pytest

from mailwall.email_accounts import places
from mailwall.email_accounts.places import Lack, NoPlace

HOST = "mail.example"


@pytest.fixture(autouse=True)
def a_machine_of_its_own(settings, tmp_path, monkeypatch):
    settings.DATA_DIR = tmp_path
    settings.HOST_CONNECTIONS = 5
    monkeypatch.setattr(places, "_givers", [])


def test_the_third_waits_for_a_place_until_one_is_given_back():
    first, second = places.try_place(7), places.try_place(7)
    assert first is not None and second is not None and places.try_place(7) is None
    with pytest.raises(NoPlace), places.place(7, wait_seconds=0.1, host=""):
        pass
    threading.Timer(0.2, first.release).start()
    with places.place(7, wait_seconds=10, host=""):
        assert places.try_place(7) is None
    assert places.try_place(7) is not None


def test_accounts_do_not_wait_for_each_other():
    assert [places.try_place(account_id) is not None for account_id in (7, 7, 8, 8)] == [True] * 4


def test_a_host_has_so_many_connections_and_one_of_five_is_for_people():
    bulk = [places.try_place(account_id, HOST) for account_id in range(5)]
    assert [place is not None for place in bulk] == [True] * 4 + [False]
    assert places.try_place(7, "other.example") is not None
    person = places.try_place(8, HOST, for_person=True)
    assert person is not None and places.try_place(9, HOST, for_person=True) is None
    person.release()
    assert places.try_place(9, HOST, for_person=True) is not None


def test_a_host_is_the_same_however_it_is_written():
    held = [places.try_place(account_id, HOST) for account_id in range(4)]
    assert all(held) and places.try_place(5, "Mail.Example.") is None


def test_who_lacks_a_place_of_the_host_keeps_none_of_the_account():
    held = [places.try_place(account_id, HOST) for account_id in range(4)]
    assert all(held) and places.try_place(7, HOST) is None
    assert [places.try_place(7) is not None for _ in range(2)] == [True, True]


@pytest.mark.parametrize("lack", [Lack(7), Lack(host=places.host_key(HOST))])
def test_who_waits_is_seen_while_waiting(lack):
    held = [places.try_place(7) for _ in range(2)] if lack.account_id else []
    held += [places.try_place(account_id, HOST) for account_id in range(20, 24)]
    assert places.wanted() == set()
    waiting = threading.Thread(target=lambda: places.claim(7, wait_seconds=60, host=HOST).release())
    waiting.start()
    while places.wanted() != {lack}:
        pass
    assert places.wanted(for_seconds=3600) == set()
    for place in held:
        place.release()
    waiting.join(10)
    assert not waiting.is_alive() and places.wanted() == set()


def test_who_rests_in_this_process_gives_its_place_before_anybody_waits():
    resting = [places.try_place(7), places.try_place(7)]
    asked = []

    def give(lack: Lack) -> bool:
        asked.append(lack)
        resting.pop().release()
        return True

    places.on_lack(give)
    with places.place(7, wait_seconds=0, host=""):
        assert asked == [Lack(7)]
