"""Bounces that arrive by ordinary synchronisation from a real Dovecot, and what they do to the mail that came back."""

from __future__ import annotations

import pytest

from mailwall.mailstore.models import DeliveryState, Message
from mailwall.mime.types import Address
from mailwall.sending import bounces, hooks
from mailwall.sending.models import OutgoingState, UndeliverableAddress
from mailwall.sync import services as sync_services
from tests.cast import make_account, make_raw, store
from tests.mime.test_reports import POSTFIX, QMAIL
from tests.sending.conftest import EWA, deliver

OUR_ID = "0123456789abcdef0123456789abcdef@ours.example"
JAN = Address(name="", address="jan@nowak.example")


@pytest.fixture
def told(monkeypatch) -> list[tuple[int, str]]:
    heard: list[tuple[int, str]] = []
    monkeypatch.setattr(hooks, "_listeners", [lambda pk, outcome: heard.append((pk, outcome))])
    return heard


def arrive(account, raw: bytes) -> Message:
    """As a synchronisation brings it."""
    message = store(account, raw)
    bounces.on_messages_arrived([message.pk], False)
    return message


def bounce_of(outgoing, text: str = POSTFIX) -> bytes:
    return text.replace(OUR_ID, outgoing.message_id_header).encode()


@pytest.mark.live
def test_report_from_the_mail_server_is_told_on_the_card_of_the_mail(whole_account, queue, mailbox, told):
    outgoing = deliver(queue(to=(EWA, JAN), automatic=True))
    mailbox.deliver(bounce_of(outgoing))
    sync_services.sync_account(whole_account.pk)
    outgoing.refresh_from_db()
    card = Message.objects.get(pk=outgoing.message_id)
    assert (outgoing.state, bool(outgoing.bounced_at)) == (OutgoingState.SENT, True)
    assert card.delivery_state == DeliveryState.FAILED
    assert card.delivery_note.startswith("Not delivered to ewa@kwiat.example: 550 5.1.1")
    assert list(UndeliverableAddress.objects.values_list("address", flat=True)) == ["ewa@kwiat.example"]
    assert told == [(outgoing.pk, "sent"), (outgoing.pk, "bounced")]


def test_words_without_a_report_count_too(account, queue, told):
    outgoing = deliver(queue(to=(EWA, JAN), automatic=True))
    raw = make_raw("MAILER-DAEMON@kwiat.example", "alice@ours.example", "failure notice", "TEXT", Return_Path="<>")
    arrive(account, raw.replace(b"TEXT", bounce_of(outgoing, QMAIL)))
    outgoing.refresh_from_db()
    assert outgoing.refused == {"ewa@kwiat.example": "Sorry, no mailbox here by that name. (#5.1.1)"}


def test_bounce_tells_that_a_mail_of_unknown_outcome_was_sent(account, queue, smtp_sink, told):
    smtp_sink.mode = "drop"
    outgoing = deliver(queue(to=(EWA, JAN), automatic=True))
    assert outgoing.state == OutgoingState.SENDING
    arrive(account, bounce_of(outgoing))
    outgoing.refresh_from_db()
    assert outgoing.state == OutgoingState.SENT
    assert told == [(outgoing.pk, "sent"), (outgoing.pk, "bounced")]


def test_second_bounce_adds_its_receiver_and_is_told_once(account, queue, told):
    outgoing = deliver(queue(to=(EWA, JAN), automatic=True))
    arrive(account, bounce_of(outgoing))
    second = POSTFIX.replace("ewa@kwiat.example", "jan@nowak.example", 7).replace("delayed", "relayed")
    arrive(account, bounce_of(outgoing, second).replace(b"Undelivered", b"Once more"))
    outgoing.refresh_from_db()
    assert set(outgoing.refused) == {"ewa@kwiat.example", "jan@nowak.example"}
    assert told == [(outgoing.pk, "sent"), (outgoing.pk, "bounced")]


def test_bounce_in_another_account_or_of_another_mail_settles_nothing(account, people, queue, told):
    outgoing = deliver(queue(to=(EWA, JAN), automatic=True))
    arrive(make_account(people.charlie), bounce_of(outgoing))
    arrive(account, POSTFIX.encode())
    outgoing.refresh_from_db()
    assert outgoing.bounced_at is None
    assert told == [(outgoing.pk, "sent")]


def test_mail_that_has_not_left_is_not_settled_by_a_forged_bounce(account, queue, told):
    outgoing = queue(to=(EWA, JAN), hold_seconds=60)
    arrive(account, bounce_of(outgoing))
    outgoing.refresh_from_db()
    assert (outgoing.state, outgoing.bounced_at, told) == (OutgoingState.HELD, None, [])
    assert not UndeliverableAddress.objects.exists()


def test_address_from_which_somebody_writes_can_be_reached_again(account, queue):
    outgoing = deliver(queue())
    arrive(account, bounce_of(outgoing))
    assert UndeliverableAddress.objects.exists()
    arrive(account, make_raw("ewa@kwiat.example", "alice@ours.example", Auto_Submitted="auto-replied"))
    assert UndeliverableAddress.objects.exists()
    arrive(account, make_raw("ewa@kwiat.example", "alice@ours.example"))
    assert not UndeliverableAddress.objects.exists()
