"""Storing mail: idempotent, in any order of arrival, nothing lost."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.utils import timezone

from mailwall.mailstore import errors, services, store
from mailwall.mailstore.models import Message, MessageBody, Participant, ThreadAlias, Tombstone
from mailwall.team.models import AuditEntry
from tests.cast import make_account
from tests.mailstore.makers import NOW, attachment, incoming, people, put, put_one

pytestmark = pytest.mark.django_db


@pytest.fixture
def account(cast):
    return make_account(cast.alice)


def search_rows(word: str) -> int:
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT count(*) FROM mailstore_search WHERE document @@ %s::tsquery", [word])
        else:
            cursor.execute("SELECT count(*) FROM mailstore_search WHERE mailstore_search MATCH %s", [word])
        return cursor.fetchone()[0]


def test_a_mail_is_stored_with_all_that_hangs_on_it(account):
    mail = incoming(
        "Jan Łoś <jan@nowak.example>", ["alice@ours.example"], cc=["x@y.example"], bcc=["b@y.example"],
        reply_to=["r@y.example"], html="<p>A line.", attachments=(attachment("Płan.pdf"),), references=("a@x", "b@x"),
        in_reply_to="b@x", list_id="news.example", automatic="list", defects=("odd",),
    )  # fmt: skip
    [message] = put(account, mail)
    assert [(p.role, p.address.address, p.name) for p in message.participants.order_by("id")] == [
        ("from", "jan@nowak.example", "Jan Łoś"),
        ("to", "alice@ours.example", ""),
        ("cc", "x@y.example", ""),
        ("bcc", "b@y.example", ""),
        ("reply_to", "r@y.example", ""),
    ]
    assert (message.body.text, message.body.html) == ("A line.", "<p>A line.")
    assert [(a.filename, a.size_bytes, a.inline) for a in message.attachments.all()] == [("Płan.pdf", 1000, False)]
    assert (message.subject, message.snippet, message.has_attachments) == ("Hello", "A line.", True)
    assert (message.references, message.in_reply_to, message.defects) == (["a@x", "b@x"], "b@x", ["odd"])
    assert (message.list_id, message.automatic, message.size_bytes) == ("news.example", "list", 1234)
    assert message.internaldate == mail.internaldate == message.date
    assert message.pk >> 20 == int(mail.internaldate.timestamp())
    assert [search_rows(word) for word in ("hello", "los", "plan", "nowak", "bcc")] == [1, 1, 1, 1, 0]


def test_the_same_mail_again_is_the_same_row(account):
    mails = [incoming(), incoming(), incoming()]
    first = services.store_messages(account, mails)
    again = services.store_messages(account, list(reversed(mails)))
    assert [found.message_id for found in again] == [found.message_id for found in reversed(first)]
    assert [found.created for found in first + again] == [True] * 3 + [False] * 3
    assert (Message.objects.count(), MessageBody.objects.count(), Participant.objects.count()) == (3, 3, 6)


def test_two_copies_in_one_batch_are_one_row(account):
    mail = incoming()
    stored = services.store_messages(account, [mail, incoming(), replace(mail, direction="sent")])
    assert [found.created for found in stored] == [True, True, False]
    assert stored[0].message_id == stored[2].message_id
    assert Message.objects.get(pk=stored[0].message_id).direction == "sent"


def test_equal_message_ids_with_other_content_are_both_kept(account):
    mail = incoming(text="One.")
    put(account, mail, replace(mail, parsed=replace(mail.parsed, text="Two.")))
    other = replace(mail.parsed, attachments=(attachment(),))
    put(account, replace(mail, parsed=other))
    assert Message.objects.count() == 3


def test_white_space_makes_no_other_mail(account):
    mail = incoming(text="One  two\r\n three\r\n")
    put(account, mail, replace(mail, parsed=replace(mail.parsed, text="One two\nthree")))
    assert Message.objects.count() == 1


def test_each_account_has_its_own_row(cast, account):
    other, mail = make_account(cast.charlie), incoming()
    [mine], [theirs] = put(account, mail), put(other, mail)
    assert mine.pk != theirs.pk
    assert mine.dedupe_key == theirs.dedupe_key
    assert mine.thread_key == theirs.thread_key


def test_a_removed_mail_stays_removed(cast, account):
    mail = incoming()
    [message] = put(account, mail)
    with pytest.raises(errors.MessageNotFound):
        services.remove_message(cast.bob, message.pk)
    services.remove_message(cast.alice, message.pk)
    assert not Message.objects.visible_to(cast.alice).exists()
    services.bury(services.removed_ids(timezone.now() + services.UNDO_FOR))
    assert Message.objects.count() == search_rows("hello") == 0
    [stored] = services.store_messages(account, [mail])
    assert (stored.message_id, stored.created) == (None, False)
    assert Tombstone.objects.count() == 1
    assert Message.objects.count() == 0


def test_an_incomplete_mail_is_completed_by_a_better_copy(account):
    whole = incoming(text="The text.", attachments=(attachment(),))
    empty = replace(whole, incomplete=True, parsed=replace(whole.parsed, text="", attachments=()))
    [message] = put(account, empty)
    assert message.incomplete
    [stored] = services.store_messages(account, [whole])
    assert (stored.message_id, stored.created) == (message.pk, False)
    message = Message.objects.get()
    assert (message.incomplete, message.body.text, message.attachments.count(), message.snippet) == (
        False, "The text.", 1, "The text.",
    )  # fmt: skip
    assert message.participants.count() == 2
    assert search_rows("text") == 1
    [stored] = services.store_messages(account, [empty])
    assert (stored.message_id, stored.created, Message.objects.get().body.text) == (message.pk, False, "The text.")


def test_an_incomplete_and_a_whole_copy_in_one_batch_are_the_whole_one(account):
    whole = incoming(text="The text.")
    empty = replace(whole, incomplete=True, parsed=replace(whole.parsed, text=""))
    first, second = services.store_messages(account, [empty, whole])
    assert first.message_id == second.message_id
    assert (first.created, second.created) == (False, True)
    assert Message.objects.get().body.text == "The text."


def test_an_empty_mail_that_turns_out_to_be_whole_loses_its_mark(account):
    empty = incoming(text="", incomplete=True)
    put(account, empty)
    put(account, replace(empty, incomplete=False))
    assert [m.incomplete for m in Message.objects.all()] == [False]


def test_a_mail_that_comes_back_is_on_the_server_again(account):
    mail = incoming()
    [message] = put(account, mail)
    assert services.mark_gone_from_server([message.pk]) == 1
    assert services.mark_gone_from_server([message.pk]) == 0
    assert not Message.objects.get().on_server
    put(account, mail)
    assert Message.objects.get().on_server
    services.mark_gone_from_server([message.pk])
    assert services.mark_on_server([message.pk]) == 1


def test_a_crowded_second_still_finds_ids(account, monkeypatch):
    monkeypatch.setattr(store.secrets, "randbits", lambda bits: 7)
    rows = put(account, *(incoming(at=NOW, text=str(number)) for number in range(5)))
    assert len({row.pk for row in rows}) == 5


def test_odd_dates_and_endless_fields_are_kept(account):
    rows = put(
        account,
        incoming(at=datetime(1970, 1, 1, tzinfo=UTC), subject="old"),
        incoming(date=datetime(2099, 1, 1, tzinfo=UTC)),
        incoming(date=None),
        incoming(date=datetime(1, 1, 1, tzinfo=UTC)),
        incoming(
            message_id="é" * 5_000, subject="s" * 5_000, list_id="l" * 500, automatic="a" * 50, in_reply_to="r" * 5_000,
            from_=people("N" * 400 + " <a@b.example>"), attachments=(attachment("f" * 400, content_id="c" * 400),),
            references=tuple(f"{number}@x" for number in range(500)),
        ),
        incoming("", [], message_id="", subject="", text=""),
    )  # fmt: skip
    assert len({row.pk for row in rows}) == 6
    assert [row.date == row.internaldate for row in rows] == [True, True, True, False, True, True]
    assert min(row.pk for row in rows) >= 0 and max(row.pk for row in rows) < 2**53


def test_a_batch_takes_the_same_number_of_statements_whatever_its_size(account, django_assert_max_num_queries):
    with django_assert_max_num_queries(26):
        put(account, *(incoming(f"p{number}@x.example", references=("r@x",)) for number in range(300)))


def test_an_account_s_messages_can_all_be_deleted(account, cast):
    other = make_account(cast.charlie)
    put(account, *(incoming() for _ in range(5)))
    put(other, incoming())
    assert services.delete_account_messages(account.pk) == 5
    assert Message.objects.count() == search_rows("hello") == 1


def test_what_comes_into_a_narrowed_thread_is_for_its_owner_alone(cast, account):
    colleague = make_account(cast.charlie)
    root = incoming(message_id="root@x")
    [mine], [theirs] = put(account, root), put(colleague, root)
    assert services.narrow_thread(cast.alice, mine.thread_key) == 1
    reply = incoming(references=("root@x",))
    [answer], [copy] = put(account, reply), put(colleague, reply)
    assert (answer.only_owner, copy.only_owner, Message.objects.get(pk=theirs.pk).only_owner) == (True, False, False)
    assert services.widen_thread(cast.alice, mine.thread_key) == 2
    assert not Message.objects.filter(only_owner=True).exists()


def test_single_mails_leave_no_aliases(account):
    put(account, incoming(), incoming(message_id=""), incoming(message_id=""))
    assert ThreadAlias.objects.count() == 0
    assert len({row.thread_key for row in Message.objects.all()}) >= 2


def test_a_window_of_days_is_a_range_of_ids(account):
    from mailwall.mailstore import rules

    old, new = put(account, incoming(at=NOW - timedelta(days=3)), incoming(at=NOW))
    bound = rules.key_before(NOW - timedelta(days=1))
    assert old.pk < bound <= new.pk


def test_a_removed_mail_comes_back_until_it_is_buried(cast, account):
    second, colleague = make_account(cast.alice), make_account(cast.charlie)
    mail = incoming()
    [message], _own, _theirs = put(account, mail), put(second, mail), put(colleague, mail)
    assert services.remove_message(cast.alice, message.pk) == 2
    [again] = services.store_messages(account, [mail])
    assert (again.message_id, again.created) == (message.pk, False)
    assert [m.account_id for m in Message.objects.visible_to(cast.alice)] == [colleague.pk]
    assert services.removed_ids(timezone.now()) == []
    assert services.restore_message(cast.alice, message.pk) == 2
    assert Message.objects.visible_to(cast.alice).count() == 3
    services.bury([message.pk])
    assert Message.objects.count() == 3 and not Tombstone.objects.exists()


def test_what_an_owner_hides_or_removes_is_written_down_without_saying_which(cast, account):
    message = put_one(account)
    services.narrow_thread(cast.alice, message.thread_key)
    services.widen_thread(cast.alice, message.thread_key)
    services.remove_message(cast.alice, message.pk)
    services.restore_message(cast.alice, message.pk)
    written = AuditEntry.objects.order_by("pk").values_list("action", "actor", "target", "details")
    place, one = f"email_account:{account.pk}", {"messages": 1}
    actions = ["message.thread_narrowed", "message.thread_widened", "message.removed", "message.restored"]
    assert list(written) == [(action, cast.alice.pk, place, one) for action in actions]


def test_removal_needs_an_owner_not_a_reader(cast, account):
    message = put_one(account)
    for viewer in (cast.bob, cast.charlie, cast.erin):
        with pytest.raises(errors.MessageNotFound):
            services.remove_message(viewer, message.pk)
        with pytest.raises(errors.MessageNotFound):
            services.restore_message(viewer, message.pk)
