"""Threads are the same whatever the order of arrival, the batches and the accounts."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.django import TestCase

from mailwall.mailstore import services, threads
from mailwall.mailstore.models import Message, ThreadAlias
from tests.cast import make_account, make_user
from tests.mailstore.makers import incoming, put

NAMES = st.sampled_from([f"{letter}@x" for letter in "abcdefgh"])
MAILS = st.lists(
    st.tuples(NAMES, st.lists(NAMES, max_size=3), st.one_of(st.just(""), NAMES)),
    min_size=1, max_size=8, unique_by=lambda mail: mail[0],
)  # fmt: skip


def components(mails) -> set[frozenset[str]]:
    """By definition: mails whose ids are connected, however indirectly."""
    groups = [{own, *references, *([reply_to] if reply_to else [])} for own, references, reply_to in mails]
    merged = True
    while merged:
        merged = False
        for one in groups:
            for other in groups:
                if one is not other and one & other:
                    one |= other
                    groups.remove(other)
                    merged = True
                    break
            if merged:
                break
    own_ids = {own for own, *_rest in mails}
    return {frozenset(group & own_ids) for group in groups}


def stored_threads() -> set[frozenset[str]]:
    found: dict[str, set[str]] = {}
    for name, key in Message.objects.values_list("message_id", "thread_key"):
        found.setdefault(key, set()).add(name)
    return {frozenset(names) for names in found.values()}


class ThreadsOfAnyOrder(TestCase):
    @given(MAILS, st.randoms(use_true_random=False), st.data())
    @settings(max_examples=80, deadline=None)
    def test_threads_are_the_connected_ids(self, mails, shuffler, data):
        owner = make_user("alice@ours.example")
        accounts = [make_account(owner), make_account(owner)]
        waiting = list(mails)
        shuffler.shuffle(waiting)
        while waiting:
            size = data.draw(st.integers(1, len(waiting)))
            batch, waiting = waiting[:size], waiting[size:]
            made = [
                incoming(message_id=own, references=tuple(references), in_reply_to=reply_to)
                for own, references, reply_to in batch
            ]
            services.store_messages(data.draw(st.sampled_from(accounts)), made)
        assert stored_threads() == components(mails)
        ends = set(ThreadAlias.objects.values_list("thread_key", flat=True))
        assert not ThreadAlias.objects.filter(key__in=ends).exists(), "aliases are flat"


@pytest.mark.django_db
def test_replies_that_come_before_what_they_answer_join_it(cast):
    account = make_account(cast.alice)
    put(account, incoming(message_id="c@x", in_reply_to="b@x"))
    put(account, incoming(message_id="b@x", in_reply_to="a@x"))
    put(account, incoming(message_id="other@x"))
    put(account, incoming(message_id="a@x"))
    assert stored_threads() == {frozenset({"a@x", "b@x", "c@x"}), frozenset({"other@x"})}


@pytest.mark.django_db
def test_healing_moves_what_two_workers_missed_of_each_other(cast):
    account = make_account(cast.alice)
    [reply] = put(account, incoming(message_id="b@x", references=("a@x",)))
    ThreadAlias.objects.create(key=reply.thread_key, thread_key="f" * 32)
    threads.heal_threads()
    reply.refresh_from_db()
    assert reply.thread_key == "f" * 32
    assert set(ThreadAlias.objects.values_list("thread_key", flat=True)) == {"f" * 32}
