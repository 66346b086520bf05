"""A mail server that gives what it sends another Message-ID, as Microsoft's does, and files the copy by itself."""

from __future__ import annotations

import re

import pytest

from mailwall.mailstore import hooks as mailstore_hooks
from mailwall.mailstore.models import DeliveryState, Direction, Message
from mailwall.mime.types import Address
from mailwall.sending.models import CopyState, OutgoingState
from mailwall.sync import services as sync_services
from mailwall.wall import queries as wall_queries
from tests.cast import make_account, make_contact, make_raw, store
from tests.mime.test_reports import POSTFIX
from tests.sending.conftest import EWA, deliver, file_copies
from tests.sending.test_bounces import OUR_ID

NEW_ID = b"<AM0PR01MB1234@eurprd01.prod.example>"
OWN_FIELD = re.compile(rb"X-Mailwall-Message-ID: [^\r\n]*\r\n")


def rewritten(raw: bytes, new_id: bytes = NEW_ID, *, keeps_field: bool = True) -> bytes:
    """As the server files it. keeps_field: the header field of ours that it does not know."""
    renamed = re.sub(rb"(?m)^Message-ID: [^\r\n]*", b"Message-ID: " + new_id, raw)
    return renamed if keeps_field else OWN_FIELD.sub(b"", renamed)


def name(raw_id: bytes) -> str:
    return raw_id.strip(b"<>").decode()


@pytest.mark.live
@pytest.mark.parametrize("keeps_field", [True, False])
def test_its_copy_is_the_mail_once_on_the_wall_and_once_in_sent(
    whole_account, people, queue, mailbox, smtp_sink, keeps_field
):
    ewa = make_contact("Ewa", EWA.address)
    outgoing = deliver(queue(html="<p>Dzień dobry,</p><p>our <b>offer</b></p>", text=""))
    raw = smtp_sink.taken[0].raw
    mailbox.deliver(rewritten(raw, keeps_field=keeps_field), folder="Sent")
    for _ in range(2):
        sync_services.sync_account(whole_account.pk)
    [card] = Message.objects.all()
    assert (card.pk, card.delivery_state) == (outgoing.message_id, DeliveryState.SENT)
    assert len(wall_queries.wall_page(people.alice, [ewa.pk], kind="email").cards) == 1
    assert file_copies(outgoing).copy_state == CopyState.BY_SERVER
    assert len(mailbox.dovecot.flags(mailbox.address, "Sent")) == 1


@pytest.mark.live
def test_mail_of_unknown_outcome_is_found_by_the_field_that_the_server_kept(whole_account, queue, mailbox, smtp_sink):
    smtp_sink.mode = "drop"
    outgoing = deliver(queue())
    mailbox.deliver(rewritten(smtp_sink.taken[0].raw), folder="Sent")
    type(outgoing).objects.update(look_at=outgoing.data_started_at)
    assert file_copies(outgoing).state == OutgoingState.SENT


@pytest.mark.parametrize("reply_comes_first", [True, False])
def test_answers_to_its_id_are_of_the_thread_and_answered_by_it(
    account, queue, smtp_sink, monkeypatch, reply_comes_first
):
    heard: list[int] = []
    monkeypatch.setattr(mailstore_hooks, "_answer_listeners", [lambda ids, _history: heard.extend(ids)])
    outgoing = deliver(queue())
    answer = make_raw(EWA.address, account.address, "Re: Offer", In_Reply_To=name(NEW_ID).join("<>"))
    copy = rewritten(smtp_sink.taken[0].raw)
    reply = store(account, answer) if reply_comes_first else None
    assert store(account, copy, direction="sent", days_ago=0).pk == outgoing.message_id
    reply = reply or store(account, answer)
    reply.refresh_from_db()
    assert heard == ([reply.pk] if reply_comes_first else [])
    assert reply.thread_key == Message.objects.get(pk=outgoing.message_id).thread_key
    deliver(queue(subject="Re: Offer", in_reply_to=outgoing.message_id))
    sent = smtp_sink.taken[1].raw
    assert b"In-Reply-To: " + NEW_ID in sent
    assert outgoing.message_id_header.encode() in sent.partition(b"References:")[2].partition(b"\r\nX-")[0]


def test_bounce_that_names_its_id_is_told_on_the_mail(account, queue, smtp_sink):
    outgoing = deliver(queue())
    bounce = store(account, POSTFIX.replace(OUR_ID, name(NEW_ID)).encode())
    mailstore_hooks.tell_messages_arrived([bounce.pk], history=False)
    outgoing.refresh_from_db()
    assert outgoing.bounced_at is None
    store(account, rewritten(smtp_sink.taken[0].raw), direction="sent", days_ago=0)
    mailstore_hooks.tell_messages_arrived([bounce.pk], history=False)
    outgoing.refresh_from_db()
    assert outgoing.bounced_at is not None


def test_two_alike_have_two_copies(account, queue, smtp_sink):
    first, second = queue(), queue()
    for outgoing in (first, second):
        deliver(outgoing)
    Message.objects.update(date=Message.objects.get(pk=first.message_id).date)
    one, other = (OWN_FIELD.sub(b"", taken.raw) for taken in smtp_sink.taken)
    other = re.sub(rb"(?m)^Date: [^\r\n]*", re.search(rb"(?m)^Date: [^\r\n]*", one)[0], other)
    copies = [rewritten(one, b"<one@server.example>"), rewritten(other, b"<two@server.example>")]
    found = [store(account, raw, direction=Direction.SENT, days_ago=0).pk for raw in (*copies, *copies)]
    assert set(found[:2]) == {first.message_id, second.message_id}
    assert found[2:] == found[:2]


@pytest.mark.parametrize(
    ("change", "keeps_field"),
    [
        ((b"Subject: Offer", b"Subject: Other"), True),
        ((b"ewa@kwiat.example", b"jan@nowak.example"), True),
        ((b"Good morning", b"Good evening"), False),
        ((b"Subject: Offer", b"Subject: Other"), False),
        ((b"From: ", b"From: eve@evil.example, "), True),
    ],
)
def test_another_mail_stays_another_mail(account, queue, smtp_sink, change, keeps_field):
    outgoing = deliver(queue())
    raw = rewritten(smtp_sink.taken[0].raw.replace(*change), keeps_field=keeps_field)
    assert store(account, raw, direction="sent", days_ago=0).pk != outgoing.message_id


def test_copies_of_others_and_mail_received_stay_what_they_are(account, people, queue, smtp_sink):
    outgoing = deliver(queue(cc=(Address(name="", address="charlie@ours.example"),)))
    raw = rewritten(smtp_sink.taken[0].raw)
    charlies = make_account(people.charlie, "charlie@ours.example")
    found = {store(charlies, raw, days_ago=0).pk, store(charlies, raw, direction="sent", days_ago=0).pk}
    assert outgoing.message_id not in found
    assert store(account, raw, days_ago=0).pk != outgoing.message_id
