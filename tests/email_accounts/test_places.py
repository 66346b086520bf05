"""Connections to one account's mail server are counted, whoever opens them."""

from __future__ import annotations

import threading

import pytest

from mailwall.email_accounts import places


def test_the_third_waits_for_a_place_until_one_is_given_back(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    first, second = places.try_place(7), places.try_place(7)
    assert first is not None and second is not None and places.try_place(7) is None
    with pytest.raises(places.NoPlace), places.place(7, wait_seconds=0.1):
        pass
    threading.Timer(0.2, first.release).start()
    with places.place(7, wait_seconds=10):
        assert places.try_place(7) is None
    assert places.try_place(7) is not None


def test_accounts_do_not_wait_for_each_other(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    assert [places.try_place(account_id) is not None for account_id in (7, 7, 8, 8)] == [True] * 4


def test_who_waits_is_seen_while_waiting(settings, tmp_path):
    settings.DATA_DIR = tmp_path
    held = [places.try_place(7), places.try_place(7)]
    assert places.wanted() == set()
    waiting = threading.Thread(target=lambda: places._wait(7, float("inf")).release())
    waiting.start()
    while places.wanted() != {7}:
        pass
    for place in held:
        place.release()
    waiting.join(10)
    assert not waiting.is_alive() and places.wanted() == set()
