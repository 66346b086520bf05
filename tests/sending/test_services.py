"""Letters become rows and cards at once, or are refused with all that is wrong; undo, decisions, the same key twice."""

from __future__ import annotations

import email
import email.policy
import threading
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection

from mailwall.assignment.models import Link
from mailwall.mailstore.models import DeliveryState, Message
from mailwall.mime.types import Address
from mailwall.sending import hooks, idempotency, services
from mailwall.sending.errors import (
    IdempotencyMismatch,
    InProgress,
    LetterInvalid,
    OutgoingNotFound,
    SendingInactive,
    TooLate,
)
from mailwall.sending.models import IdempotencyKey, Outgoing, OutgoingContent, OutgoingState, Signature
from mailwall.sending.types import Letter, LetterFile
from tests.cast import make_account, make_contact, make_raw, store
from tests.sending.conftest import EWA, deliver

PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


def bytes_of(outgoing: Outgoing):
    return email.message_from_bytes(bytes(outgoing.content.raw), policy=email.policy.default)


def body(outgoing: Outgoing, kind: str) -> str:
    return bytes_of(outgoing).get_body((kind,)).get_content().replace("\r\n", "\n")


def errors_of(queue, **fields) -> dict[str, str]:
    with pytest.raises(LetterInvalid) as refused:
        queue(**fields)
    assert not Outgoing.objects.exists()
    assert not Message.objects.exists()
    return dict(refused.value.errors)


def file(filename: str = "offer.pdf", raw: bytes = b"x", **fields) -> LetterFile:
    return LetterFile(filename=filename, raw_content=raw, **fields)


# -- what is written


def test_letter_stands_on_the_wall_at_once_assigned_and_threaded(account, people, queue):
    ewa = make_contact("Ewa", EWA.address)
    received = store(account, make_raw(EWA.address, account.address, References="<root@kwiat.example>"))
    outgoing = queue(in_reply_to=received.pk, subject="Re: Hello")
    card = Message.objects.get(pk=outgoing.message_id)
    assert (card.direction, card.delivery_state, card.thread_key) == ("sent", "waiting", received.thread_key)
    assert list(Link.objects.filter(message=card).values_list("contact_id", flat=True)) == [ewa.pk]
    raw = bytes_of(outgoing)
    assert raw["In-Reply-To"] == f"<{received.message_id}>"
    assert raw["References"] == f"<root@kwiat.example> <{received.message_id}>"
    assert raw["Message-ID"].endswith("@ours.example>")


def test_hidden_receivers_are_in_the_envelope_and_on_the_senders_card_alone(account, people, queue):
    jan = Address(address="jan@nowak.example")
    outgoing = queue(bcc=(jan, EWA))
    assert outgoing.receivers == [EWA.address, jan.address]
    assert b"jan@nowak" not in bytes(outgoing.content.raw)
    hidden = Message.objects.get(pk=outgoing.message_id).participants.filter(role="bcc")
    assert [each.address.address for each in hidden] == [jan.address]


def test_signature_is_added_once_to_html_and_as_text_to_text(account, people, queue):
    Signature.objects.create(user=people.alice, html="<p><b>Alice</b><br>Sales</p>")
    assert body(queue(html="<p>Hello</p>", text=""), "html").count("<b>Alice</b>") == 1
    plain = queue(text="Hello\n.\n")
    assert body(plain, "plain") == "Hello\n.\n\n-- \nAlice\nSales\n"
    assert body(plain, "html").count("<b>Alice</b>") == 1
    placed = '<p>Hello</p><div class="mailwall-signature"><b>Alice</b></div><blockquote>old</blockquote>'
    assert body(queue(html=placed, text=""), "html").count("Alice") == 1
    assert "Alice" not in body(queue(html="<p>Hello</p>", text="", with_signature=False), "html")


def test_images_in_the_html_become_parts_that_receivers_see(account, queue):
    outgoing = queue(
        html=f'<p><img src="data:image/png;base64,{PNG}"><img src="data:image/png;base64,{PNG}"></p>', text=""
    )
    [image] = [part for part in bytes_of(outgoing).walk() if part.get_content_type() == "image/png"]
    assert body(outgoing, "html").count("cid:" + image["Content-ID"].strip("<>")) == 2
    assert "data:" not in body(outgoing, "html")


def test_styles_go_onto_the_elements_and_nothing_is_fetched(account, queue):
    style = '<link rel="stylesheet" href="http://127.0.0.1:1/x.css"><style>p { color: red }</style>'
    html = body(queue(html=f"<html><head>{style}</head><body><p>Hi</p></body></html>", text=""), "html")
    assert "color: red" in html.split("<p", 1)[1]


def test_mail_of_a_sequence_says_that_it_is_automatic(account, queue):
    raw = bytes_of(queue(automatic=True, headers=[("List-Unsubscribe", "<https://crm.example/u/1>")]))
    assert (raw["Auto-Submitted"], raw["List-Unsubscribe"]) == ("auto-generated", "<https://crm.example/u/1>")


# -- what is refused


@pytest.mark.parametrize("name", ["a.exe", "A.EXE", "a.msi", "a.bat", "a.js", "a.vbs", "a.ps1", "a.php", "a.exe. ."])
def test_programs_are_refused(account, queue, name):
    assert "program" in errors_of(queue, files=(file(name),))["attachments"]


@pytest.mark.parametrize("evil", ["a\r\nBcc: x@evil.example", "a\nb", "a\0b", "=?utf-8?q?a=0D=0AX:_1?="])
def test_line_breaks_are_refused_wherever_they_hide(account, queue, evil):
    for fields, field in (
        ({"subject": evil}, "subject"),
        ({"to": (Address(name=evil, address=EWA.address),)}, "to"),
        ({"cc": (Address(address=evil),)}, "cc"),
        ({"files": (file(evil),)}, "attachments"),
        ({"files": (file(content_type=evil),)}, "attachments"),
        ({"headers": [("List-Unsubscribe", evil)]}, "headers"),
    ):
        assert errors_of(queue, **fields)[field]


@pytest.mark.parametrize("address", ["", "ewa", "a@b@c", "ewa@localhost", "ewa@kwiat.example>", "ewa @kwiat.example"])
def test_what_is_no_address_is_refused(account, queue, address):
    assert errors_of(queue, to=(EWA, Address(address=address)))["to"]


def test_all_that_is_wrong_is_told_together(account, queue):
    wrong = errors_of(queue, to=(), subject="a\nb", files=(file("a.exe"),), in_reply_to=5, forward_attachments=(7,))
    assert set(wrong) == {"to", "subject", "attachments", "in_reply_to", "forward_attachments"}


def test_too_many_bytes_are_refused_images_in_the_text_included(account, queue):
    half = b"x" * 13_000_000
    assert "MB" in errors_of(queue, files=(file(raw=half), file(raw=half)))["attachments"]


def test_mail_that_the_sender_may_not_see_cannot_be_answered(account, people, queue):
    secret = store(make_account(people.charlie, visibility="owner"), make_raw("x@y.example", "z@y.example"))
    with pytest.raises(LetterInvalid) as refused:
        queue(in_reply_to=secret.pk)
    assert dict(refused.value.errors).keys() == {"in_reply_to"}


def test_only_the_owner_sends_from_an_account(account, people, queue):
    foreign = make_account(people.charlie, smtp_host="127.0.0.1", sending_active=True)
    with pytest.raises(SendingInactive):
        queue(account=foreign)
    account.sending_error = "The server refused this user name or password."
    account.save()
    with pytest.raises(SendingInactive, match="refused this user name"):
        queue()


# -- undo and decisions


def test_cancelled_mail_leaves_the_wall_and_is_never_sent(account, people, queue, smtp_sink):
    outgoing = queue(hold_seconds=60)
    assert outgoing.state == OutgoingState.HELD
    services.cancel_outgoing(people.alice, outgoing.pk)
    assert services.cancel_outgoing(people.alice, outgoing.pk).state == OutgoingState.CANCELLED
    assert not Message.objects.exists()
    assert not OutgoingContent.objects.exists()
    Outgoing.objects.update(due_at=datetime.now(UTC))
    assert deliver(outgoing).state == OutgoingState.CANCELLED
    assert smtp_sink.taken == []


def test_mail_that_left_cannot_be_cancelled(account, people, queue):
    outgoing = deliver(queue())
    with pytest.raises(TooLate):
        services.cancel_outgoing(people.alice, outgoing.pk)


def test_only_the_sender_reads_and_changes_an_outgoing_mail(account, people, queue):
    outgoing = queue(hold_seconds=60)
    for other in (people.bob, people.charlie, people.erin):
        for call in (services.get_outgoing, services.cancel_outgoing, services.retry):
            with pytest.raises(OutgoingNotFound):
                call(other, outgoing.pk)
        with pytest.raises(OutgoingNotFound):
            services.settle(other, outgoing.pk, "it_was_sent")


def needs_review(outgoing: Outgoing) -> Outgoing:
    past = datetime.now(UTC) - timedelta(minutes=11)
    Outgoing.objects.filter(pk=outgoing.pk).update(state=OutgoingState.NEEDS_REVIEW, data_started_at=past)
    return outgoing


def test_sender_says_that_it_was_sent(account, people, queue, smtp_sink, monkeypatch):
    told = []
    monkeypatch.setattr(hooks, "_listeners", [lambda pk, outcome: told.append(outcome)])
    outgoing = services.settle(people.alice, needs_review(queue()).pk, "it_was_sent")
    assert (outgoing.state, outgoing.sent_at, outgoing.copy_state) == ("sent", outgoing.data_started_at, "wanted")
    assert Message.objects.get().delivery_state == DeliveryState.SENT
    assert (told, deliver(outgoing).state, smtp_sink.taken) == (["sent"], "sent", [])
    with pytest.raises(TooLate):
        services.settle(people.alice, outgoing.pk, "send_again")


def test_sender_has_it_sent_again_with_the_same_message_id(account, people, queue, smtp_sink):
    outgoing = services.settle(people.alice, needs_review(queue()).pk, "send_again")
    assert deliver(outgoing).state == OutgoingState.SENT
    [taken] = smtp_sink.taken
    assert outgoing.message_id_header.encode() in taken.raw


# -- the same key twice


def test_same_key_gives_the_same_mail_and_another_body_is_refused(account, queue):
    first = queue(idempotency_key="k1")
    assert queue(idempotency_key="k1") == first
    with pytest.raises(IdempotencyMismatch):
        queue(idempotency_key="k1", subject="Another")
    assert queue(idempotency_key="k2") != first


def test_key_is_forgotten_after_a_day(account, queue):
    first = queue(idempotency_key="k1")
    IdempotencyKey.objects.update(reserved_at=datetime.now(UTC) - timedelta(hours=25))
    assert queue(idempotency_key="k1") != first
    IdempotencyKey.objects.update(reserved_at=datetime.now(UTC) - timedelta(hours=25))
    assert idempotency.forget_old_keys(datetime.now(UTC)) == 1


def test_refused_letter_does_not_use_up_its_key(account, queue):
    errors_of(queue, idempotency_key="k1", to=())
    assert queue(idempotency_key="k1").state == OutgoingState.QUEUED


def test_same_key_from_several_sides_at_once_is_one_mail(account, queue):
    barrier = threading.Barrier(4)

    def ask(_: int) -> int:
        barrier.wait()
        try:
            return queue(idempotency_key="k1").pk
        except InProgress:
            return 0
        finally:
            connection.close()

    with ThreadPoolExecutor(4) as pool:
        answered = set(pool.map(ask, range(4))) - {0}
    assert answered == {queue(idempotency_key="k1").pk}
    assert Outgoing.objects.count() == Message.objects.count() == 1


def test_key_of_a_request_under_way_waits_for_nobody_and_of_a_dead_one_is_free_again(account, queue, people):
    asked = idempotency.digest(Letter(to=(EWA,), subject="Offer", text="Good morning.\n"), 0, None)
    now = datetime.now(UTC)
    IdempotencyKey.objects.create(user=people.alice, key="k1", body_hash=asked, reserved_at=now)
    with pytest.raises(InProgress):
        queue(idempotency_key="k1")
    with pytest.raises(IdempotencyMismatch):
        queue(idempotency_key="k1", subject="Another")
    IdempotencyKey.objects.update(reserved_at=now - timedelta(minutes=2))
    assert queue(idempotency_key="k1").state == OutgoingState.QUEUED


def test_mail_waits_a_year_at_most(account, queue):
    assert set(errors_of(queue, send_at=datetime.now(UTC) + timedelta(days=367))) == {"send_at"}
