"""Handing over to a real SMTP server with all its manners: each mail at most once, none lost, all told."""

from __future__ import annotations

import copy
import email
import email.policy
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import DatabaseError, connection

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import DeliveryState, Message
from mailwall.mime.types import Address
from mailwall.sending import attempts, delivery, hooks, outbox, rules, services
from mailwall.sending.errors import TooLate
from mailwall.sending.models import DraftMessage, Outgoing, OutgoingState
from mailwall.smtp.types import SubmitResult
from mailwall.team.models import User, Workspace
from tests.rig.processes import free_port
from tests.sending.conftest import EWA, deliver, file_copies, make_due


@pytest.fixture
def told(monkeypatch) -> list[str]:
    heard: list[str] = []
    monkeypatch.setattr(hooks, "_listeners", [lambda pk, outcome: heard.append(outcome)])
    return heard


def card(outgoing: Outgoing) -> Message:
    return Message.objects.get(pk=outgoing.message_id)


def seconds_until(moment: datetime) -> float:
    return (moment - datetime.now(UTC)).total_seconds()


def test_mail_arrives_once_as_an_independent_parser_reads_it(account, queue, smtp_sink, told):
    outgoing = deliver(
        queue(
            html="<p>Zażółć</p>",
            text="",
            subject="Oferta – Grüße",
            bcc=(Address(address="b@b.example"),),
            automatic=True,
        )
    )
    delivery.deliver_account(account.pk)
    [taken] = smtp_sink.taken
    message = email.message_from_bytes(taken.raw, policy=email.policy.default)
    assert not any(part.defects for part in message.walk())
    assert (message["Subject"], message["To"].addresses[0].addr_spec) == ("Oferta – Grüße", EWA.address)
    assert (message["Bcc"], taken.sender) == (None, "alice@ours.example")
    assert taken.receivers == (EWA.address, "b@b.example")
    assert (outgoing.state, outgoing.error_code, card(outgoing).delivery_state) == ("sent", "", DeliveryState.SENT)
    assert told == ["sent"]


def test_held_mail_waits_for_its_time(account, queue, smtp_sink):
    outgoing = deliver(queue(hold_seconds=20))
    assert (outgoing.state, smtp_sink.taken) == (OutgoingState.HELD, [])
    make_due(outgoing)
    assert deliver(outgoing).state == OutgoingState.SENT


def test_several_mails_go_over_one_connection(account, queue, smtp_sink):
    for number in range(12):
        queue(subject=f"Offer {number}")
    assert delivery.deliver_account(account.pk) == 12
    assert (len(smtp_sink.taken), smtp_sink.sign_ins) == (12, [True])


def test_not_now_is_tried_again_within_a_minute_then_ever_later(account, queue, smtp_sink, told):
    smtp_sink.mode = "temp"
    outgoing = queue(automatic=True)
    pauses = []
    for _ in range(4):
        deliver(outgoing)
        pauses.append(seconds_until(outgoing.due_at))
        assert (outgoing.state, outgoing.lease_token, outgoing.data_started_at) == ("queued", "", None)
        make_due(outgoing)
    assert 30 < pauses[0] < 50
    assert pauses == sorted(pauses)
    assert "disk is being mended" in outgoing.error_message
    assert card(outgoing).delivery_state == DeliveryState.WAITING
    smtp_sink.mode = "ok"
    assert deliver(outgoing).state == OutgoingState.SENT
    assert (len(smtp_sink.taken), told) == (1, ["sent"])


def test_mail_is_given_up_after_a_day_of_tries(account, queue, smtp_sink, told):
    smtp_sink.mode = "temp"
    outgoing = queue()
    make_due(outgoing, queued_at=datetime.now(UTC) - timedelta(hours=25))
    assert deliver(outgoing).state == OutgoingState.QUEUED  # one try is too little, however late it is
    make_due(outgoing, attempts=4)
    assert deliver(outgoing).state == OutgoingState.FAILED
    assert "disk is being mended" in card(outgoing).delivery_note
    assert told == ["failed"]


def test_never_is_told_at_once_with_the_servers_sentence_and_can_be_sent_again(account, people, queue, smtp_sink, told):
    smtp_sink.mode = "perm"
    outgoing = deliver(queue(automatic=True))
    assert (outgoing.state, card(outgoing).delivery_state) == (OutgoingState.FAILED, DeliveryState.FAILED)
    assert "This looks like advertising" in card(outgoing).delivery_note
    make_due(outgoing)
    assert deliver(outgoing).attempts == 1
    smtp_sink.mode = "ok"
    services.retry(people.alice, outgoing.pk)
    assert deliver(outgoing).state == OutgoingState.SENT
    assert (len(smtp_sink.taken), told) == (1, ["failed", "sent"])


def test_one_refused_receiver_of_two_is_noted(account, queue, smtp_sink):
    outgoing = deliver(queue(to=(EWA, Address(address="refused@kwiat.example"))))
    assert outgoing.state == OutgoingState.SENT
    assert outgoing.refused == {"refused@kwiat.example": "5.1.1 No such user here"}
    assert card(outgoing).delivery_note == "Not delivered to refused@kwiat.example: 5.1.1 No such user here"


def test_receiver_who_is_put_off_gets_it_later_and_the_others_never_twice(account, people, queue, smtp_sink, told):
    receivers = (EWA, Address(address="refused@kwiat.example"), Address(address="later@kwiat.example"))
    outgoing = deliver(queue(to=receivers, automatic=True))
    assert (outgoing.state, outgoing.accepted, list(outgoing.refused)) == (
        "queued",
        [EWA.address],
        [receivers[1].address],
    )
    assert "Delivered to ewa@kwiat.example. Not yet to later@kwiat.example" in card(outgoing).delivery_note
    assert 30 < seconds_until(outgoing.due_at) < 50
    with pytest.raises(TooLate):
        services.cancel_outgoing(people.alice, outgoing.pk)
    smtp_sink.greylisted = False
    make_due(outgoing)
    assert (deliver(outgoing).state, told) == ("sent", ["sent"])
    assert [taken.receivers for taken in smtp_sink.taken] == [(EWA.address,), ("later@kwiat.example",)]
    assert card(outgoing).delivery_note == "Not delivered to refused@kwiat.example: 5.1.1 No such user here"


def test_receiver_who_is_put_off_for_a_day_is_told_beside_those_who_have_it(account, queue, smtp_sink):
    outgoing = deliver(queue(to=(EWA, Address(address="later@kwiat.example"))))
    for _ in range(5):
        make_due(outgoing, queued_at=datetime.now(UTC) - timedelta(hours=25))
        deliver(outgoing)
    assert (outgoing.state, outgoing.accepted) == (OutgoingState.SENT, [EWA.address])
    assert "Not delivered to later@kwiat.example" in card(outgoing).delivery_note
    assert len(smtp_sink.taken) == 1


def test_lost_answer_of_a_second_try_is_not_settled_by_the_copy_of_the_first(account, queue, smtp_sink):
    outgoing = deliver(queue(to=(EWA, Address(address="later@kwiat.example"))))
    smtp_sink.mode, smtp_sink.greylisted = "drop", False
    make_due(outgoing)
    deliver(outgoing)
    assert (outgoing.state, outgoing.accepted) == (OutgoingState.SENDING, [EWA.address])
    make_due(outgoing, look_at=datetime.now(UTC), data_started_at=datetime.now(UTC) - timedelta(minutes=10))
    assert file_copies(outgoing).state == OutgoingState.NEEDS_REVIEW
    assert outgoing.remaining == ["later@kwiat.example"]


def test_every_receiver_refused_is_a_failure(account, queue, smtp_sink):
    assert deliver(queue(to=(Address(address="refused@kwiat.example"),))).state == OutgoingState.FAILED
    assert deliver(queue(to=(Address(address="later@kwiat.example"),))).state == OutgoingState.QUEUED


def test_slow_server_is_waited_for(account, queue, smtp_sink):
    smtp_sink.mode, smtp_sink.slow_seconds = "slow", 1
    assert deliver(queue()).state == OutgoingState.SENT


def test_lost_answer_is_never_followed_by_a_second_try(account, queue, smtp_sink, told):
    smtp_sink.mode = "drop"
    outgoing = deliver(queue())
    smtp_sink.mode = "ok"
    assert (outgoing.state, outgoing.lease_token) == (OutgoingState.SENDING, "")
    make_due(outgoing)
    assert deliver(outgoing).state == OutgoingState.SENDING
    assert (len(smtp_sink.taken), told) == (1, [])


def test_lost_answer_needs_a_decision_after_ten_minutes(account, queue, smtp_sink):
    smtp_sink.mode = "drop"
    outgoing = deliver(queue())
    make_due(outgoing, look_at=datetime.now(UTC))
    assert file_copies(outgoing).state == OutgoingState.SENDING
    assert 20 < seconds_until(outgoing.look_at) < 60
    make_due(outgoing, look_at=datetime.now(UTC), data_started_at=datetime.now(UTC) - timedelta(minutes=10))
    assert file_copies(outgoing).state == OutgoingState.NEEDS_REVIEW
    assert card(outgoing).delivery_state == DeliveryState.UNKNOWN


def test_connection_cut_before_the_mail_is_tried_again(account, queue, smtp_sink):
    smtp_sink.mode = "drop_before_data"
    outgoing = deliver(queue())
    assert (outgoing.state, outgoing.data_started_at) == (OutgoingState.QUEUED, None)
    smtp_sink.mode = "ok"
    make_due(outgoing)
    assert deliver(outgoing).state == OutgoingState.SENT


def test_server_that_is_away_is_asked_once_for_all_mails(account, queue):
    EmailAccount.objects.update(smtp_port=free_port())
    rows = [queue(subject=str(number)) for number in range(7)]
    assert delivery.deliver_account(account.pk) == 0
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.error_code, row.lease_token) == ("queued", "smtp_unreachable", "")
        assert seconds_until(row.due_at) > 20


def test_refused_sign_in_stops_the_account_and_keeps_its_mails(account, queue, smtp_sink):
    first, second = queue(), queue(subject="Second")
    smtp_sink.password = "another"
    for _ in range(3):
        delivery.deliver_account(account.pk)
    account.refresh_from_db()
    assert smtp_sink.sign_ins == [False]
    assert "user name or password" in account.sending_error
    for row in (first, second):
        row.refresh_from_db()
        assert (row.state, row.error_code, row.attempts) == ("queued", "smtp_login_refused", 0)
    assert outbox.accounts_to_deliver(datetime.now(UTC)) == []
    smtp_sink.password = "s3cret-Pa55"
    EmailAccount.objects.update(sending_error="")
    assert delivery.deliver_account(account.pk) == 2


def test_mails_of_an_account_that_stays_stopped_are_told_after_a_day(account, queue):
    outgoing = queue()
    EmailAccount.objects.update(sending_error="The server refused this user name or password.")
    assert outbox.give_up_blocked(datetime.now(UTC)) == 0
    make_due(outgoing, queued_at=datetime.now(UTC) - timedelta(hours=25))
    assert outbox.give_up_blocked(datetime.now(UTC)) == 1
    assert "refused this user name" in card(outgoing).delivery_note


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda: EmailAccount.objects.update(sending_active=False), "switched off"),
        (lambda: EmailAccount.objects.update(removed_at=datetime.now(UTC)), "not connected any more"),
        (lambda: EmailAccount.objects.update(is_default=False) and Workspace.objects.update(package="basic"), "Basic"),
    ],
)
def test_account_that_may_not_send_any_more_says_so_on_its_waiting_mails(account, queue, smtp_sink, change, words):
    outgoing = queue()
    change()
    deliver(outgoing)
    assert (outgoing.state, smtp_sink.taken) == (OutgoingState.FAILED, [])
    assert words in card(outgoing).delivery_note


def test_two_workers_hand_every_mail_over_once(account, queue, smtp_sink):
    for number in range(20):
        queue(subject=f"Offer {number}")
    barrier = threading.Barrier(3)

    def work(_: int) -> int:
        barrier.wait()
        try:
            return delivery.deliver_account(account.pk)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool:
        assert sum(pool.map(work, range(3))) == 20
    assert len(smtp_sink.taken) == 20
    assert set(Outgoing.objects.values_list("state", flat=True)) == {"sent"}


def test_claim_takes_the_oldest_first_and_knows_drafts(account, people, queue):
    newer, older = queue(subject="1"), queue(subject="0")
    make_due(newer, due_at=datetime.now(UTC) - timedelta(seconds=1))
    make_due(older, due_at=datetime.now(UTC) - timedelta(seconds=2))
    DraftMessage.objects.create(writer=people.alice, outgoing=newer, updated_at=datetime.now(UTC))
    queue(subject="2", hold_seconds=20)
    claimed = attempts.claim(account.pk, datetime.now(UTC))
    assert [(row.pk, row.is_draft, row.attempts) for row in claimed] == [(older.pk, False, 1), (newer.pk, True, 1)]
    assert len({row.lease_token for row in claimed}) == 1


def test_end_of_a_mail_is_not_written_without_the_fence_of_the_next(account, queue):
    for number in range(2):
        queue(subject=str(number))
    first, second = attempts.claim(account.pk, datetime.now(UTC))
    attempts.begin(first)
    broken = copy.copy(second)
    broken.pk = object()
    result = SubmitResult(accepted=tuple(first.receivers), refused={})
    with pytest.raises(DatabaseError):
        attempts.sent(first, result, then=broken)
    assert [row.state for row in Outgoing.objects.order_by("pk")] == ["sending", "queued"]
    assert card(first).delivery_state == DeliveryState.WAITING
    assert attempts.sent(first, result, then=second)
    assert [row.state for row in Outgoing.objects.order_by("pk")] == ["sent", "sending"]
    assert card(first).delivery_state == DeliveryState.SENT


def test_account_that_is_switched_off_meanwhile_sends_what_was_claimed_and_no_more(
    account, queue, smtp_sink, monkeypatch
):
    monkeypatch.setattr(delivery, "_ALLOWED_SECONDS", 0.0)
    for number in range(rules.CLAIMED_FIRST + 3):
        queue(subject=str(number))
    real = attempts.sent

    def switched_off(row, result, *, then=None) -> bool:
        EmailAccount.objects.update(sending_active=False)
        return real(row, result, then=then)

    monkeypatch.setattr(attempts, "sent", switched_off)
    assert delivery.deliver_account(account.pk) == len(smtp_sink.taken) == rules.CLAIMED_FIRST
    assert Outgoing.objects.filter(state="failed").count() == 3


def test_worker_that_was_overtaken_says_no_data(account, queue, smtp_sink):
    outgoing = queue()
    now = datetime.now(UTC)
    [mine] = attempts.claim(account.pk, now)
    assert attempts.claim(account.pk, now) == []
    [theirs] = attempts.claim(account.pk, now + timedelta(seconds=121))
    attempts.begin(theirs)
    with pytest.raises(attempts.Overtaken):
        attempts.begin(mine)
    attempts.failed(mine, attempts.Overtaken("late"))
    outgoing.refresh_from_db()
    assert outgoing.state == OutgoingState.SENDING


def test_mail_cancelled_while_a_worker_has_it_does_not_leave(account, people, queue, smtp_sink, monkeypatch):
    outgoing = queue()
    real = attempts.begin

    def cancelled_meanwhile(row: Outgoing) -> None:
        services.cancel_outgoing(people.alice, row.pk)
        real(row)

    monkeypatch.setattr(attempts, "begin", cancelled_meanwhile)
    assert deliver(outgoing).state == OutgoingState.CANCELLED
    monkeypatch.setattr(attempts, "begin", real)
    other = deliver(queue(subject="The next one"))
    assert other.state == OutgoingState.SENT
    assert len(smtp_sink.taken) == 1


def test_mail_cancelled_after_its_envelope_was_said_costs_a_connection_and_no_other_mail(
    account, people, queue, smtp_sink, monkeypatch
):
    first, second, third = (queue(subject=str(number)) for number in range(3))
    real = attempts.sent

    def cancelled_meanwhile(row, result, *, then=None) -> bool:
        if then is not None and then.pk == second.pk:
            services.cancel_outgoing(people.alice, second.pk)
        return real(row, result, then=then)

    monkeypatch.setattr(attempts, "sent", cancelled_meanwhile)
    assert delivery.deliver_account(account.pk) == 2
    assert [email.message_from_bytes(taken.raw)["Subject"] for taken in smtp_sink.taken] == ["0", "2"]
    states = [Outgoing.objects.get(pk=row.pk).state for row in (first, second, third)]
    assert (states, smtp_sink.sign_ins) == (["sent", "cancelled", "sent"], [True, True])


def test_lost_answer_is_told_of_its_own_mail_and_the_next_one_leaves(account, queue, smtp_sink, monkeypatch):
    first, second = queue(subject="0"), queue(subject="1")
    smtp_sink.mode = "drop"
    real = attempts.unknown

    def mended(row, error) -> None:
        smtp_sink.mode = "ok"
        real(row, error)

    monkeypatch.setattr(attempts, "unknown", mended)
    assert delivery.deliver_account(account.pk) == 1
    assert [Outgoing.objects.get(pk=row.pk).state for row in (first, second)] == ["sending", "sent"]
    assert len(smtp_sink.taken) == 2


def test_mail_of_a_deactivated_user_waits_says_why_and_leaves_afterwards(account, people, queue, smtp_sink):
    rows = [queue(subject=str(number)) for number in range(8)]
    User.objects.filter(pk=people.alice.pk).update(is_active=False)
    assert outbox.accounts_to_deliver(datetime.now(UTC)) == [account.pk]
    assert delivery.deliver_account(account.pk) == 0
    for row in rows:
        row.refresh_from_db()
        assert (row.state, row.attempts, row.lease_token) == ("queued", 0, "")
        assert "sender is deactivated" in row.error_message
    assert outbox.accounts_to_deliver(datetime.now(UTC)) == []
    User.objects.filter(pk=people.alice.pk).update(is_active=True)
    assert outbox.accounts_to_deliver(datetime.now(UTC)) == [account.pk]
    assert delivery.deliver_account(account.pk) == 8
    rows[0].refresh_from_db()
    assert (rows[0].state, rows[0].error_message) == ("sent", "")


def test_mail_of_a_user_who_stays_deactivated_is_given_up_after_a_day_and_newer_ones_wait(account, people, queue):
    late, newer = queue(subject="Late"), queue(subject="Newer")
    User.objects.filter(pk=people.alice.pk).update(is_active=False)
    make_due(late, queued_at=datetime.now(UTC) - timedelta(hours=25))
    assert outbox.give_up_blocked(datetime.now(UTC)) == 1
    assert [Outgoing.objects.get(pk=row.pk).state for row in (late, newer)] == ["failed", "queued"]
    assert "deactivated for more than a day" in card(late).delivery_note


def test_kept_connection_that_the_server_closed_is_replaced_without_a_pause(account, queue, smtp_sink, monkeypatch):
    real, calls = attempts.sent, []

    def drop_connections(row, result, *, then=None) -> bool:
        calls.append(row.pk)
        smtp_sink.hang_up()
        return real(row, result, then=then)

    monkeypatch.setattr(attempts, "sent", drop_connections)
    for number in range(3):
        queue(subject=str(number))
    assert delivery.deliver_account(account.pk) == 3
    assert (len(calls), smtp_sink.sign_ins) == (3, [True] * 3)


def test_worker_that_is_asked_to_end_gives_back_what_it_holds(account, queue, smtp_sink):
    for number in range(5):
        queue(subject=str(number))
    taken = delivery.deliver_account(account.pk, stopping=lambda: len(smtp_sink.taken) >= 2)
    assert taken == len(smtp_sink.taken) == 2
    assert not Outgoing.objects.exclude(lease_token="").exists()
    assert delivery.deliver_account(account.pk) == 3
