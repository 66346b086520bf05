"""The state of a mail on its card, and what its sender can do about it, after a real server has spoken."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from mailwall.sending.models import DraftMessage, Outgoing
from tests.sending.conftest import deliver, make_due

pytestmark = [pytest.mark.live, pytest.mark.django_db(transaction=True)]
HTMX = {"HX-Request": "true"}
DRAFT_ID = "11111111-2222-4333-8444-555555555555"


@pytest.fixture
def alice(account: Any, people: Any) -> Client:
    client = Client()
    client.force_login(people.alice)
    return client


def send(client: Client, **changed: str) -> Outgoing:
    """Alice sends a draft; the time to undo is over."""
    form = {"to": "ewa@kwiat.example", "subject": "Offer", "body": "<p>Dear Ewa</p>", "version": "0", **changed}
    client.post(f"/compose/{DRAFT_ID}/send/", form)
    outgoing = Outgoing.objects.latest("pk")
    make_due(outgoing)
    return outgoing


def state(client: Client, outgoing: Outgoing) -> str:
    return client.get(f"/mail/{outgoing.message_id}/delivery/", headers=HTMX).content.decode()


def test_a_mail_that_left_says_so_and_its_draft_is_gone(alice, smtp_sink):
    outgoing = send(alice)
    assert "every 2s" in state(alice, outgoing)
    deliver(outgoing)
    shown = state(alice, outgoing)
    assert "Sent" in shown and "hx-trigger" not in shown and not DraftMessage.objects.exists()


def test_a_refused_mail_says_why_and_is_edited_and_sent_anew(alice, smtp_sink):
    smtp_sink.mode = "perm"
    outgoing = deliver(send(alice))
    shown = state(alice, outgoing)
    assert "Not delivered" in shown and "5.7.1" in shown and "Edit and retry" in shown
    opened = alice.post(f"/outgoing/{outgoing.pk}/edit/", headers=HTMX)
    assert opened["HX-Redirect"] == f"/compose/{DRAFT_ID}/"
    version = str(DraftMessage.objects.get().version)
    assert "Dear Ewa" in alice.get(f"/compose/{DRAFT_ID}/").content.decode()
    smtp_sink.mode = "ok"
    again = deliver(send(alice, version=version, body="<p>Dear Ewa, better</p>"))
    assert again.state == "sent" and b"better" in smtp_sink.taken[-1].raw and not DraftMessage.objects.exists()


def test_a_failed_mail_whose_draft_is_edited_cannot_be_sent_beside_it(alice, smtp_sink):
    smtp_sink.mode = "perm"
    outgoing = deliver(send(alice))
    alice.post(f"/outgoing/{outgoing.pk}/edit/", headers=HTMX)
    smtp_sink.mode = "ok"
    assert "Only a mail that failed" in alice.post(f"/outgoing/{outgoing.pk}/retry/", headers=HTMX).content.decode()
    deliver(outgoing)
    assert (outgoing.state, outgoing.message_id, smtp_sink.taken) == ("cancelled", None, [])
    assert DraftMessage.objects.unsent().count() == 1


def test_a_refused_mail_without_a_draft_can_be_sent_again(alice, queue, smtp_sink):
    smtp_sink.mode = "perm"
    outgoing = deliver(queue())
    shown = state(alice, outgoing)
    assert "Edit and retry" not in shown and "Send again" in shown
    smtp_sink.mode = "ok"
    assert "Sending" in alice.post(f"/outgoing/{outgoing.pk}/retry/", headers=HTMX).content.decode()
    assert deliver(outgoing).state == "sent"


def test_the_sender_decides_about_a_mail_whose_fate_nobody_saw(alice, people, smtp_sink):
    outgoing = send(alice)
    Outgoing.objects.filter(pk=outgoing.pk).update(state="needs_review")
    shown = state(alice, outgoing)
    assert "It was sent" in shown and "Send again" in shown
    settled = alice.post(f"/outgoing/{outgoing.pk}/settle/", {"decision": "it_was_sent"}, headers=HTMX)
    assert "Sent" in settled.content.decode()
    late = alice.post(f"/outgoing/{outgoing.pk}/settle/", {"decision": "send_again"}, headers=HTMX)
    assert "does not wait for a decision" in late.content.decode() and late["HX-Reswap"] == "none"


def test_others_see_the_state_where_they_see_the_mail_but_cannot_act(alice, people, smtp_sink):
    smtp_sink.mode = "perm"
    outgoing = deliver(send(alice))
    other = Client()
    other.force_login(people.charlie)
    shown = state(other, outgoing)
    assert "Not delivered" in shown and "Edit and retry" not in shown
    outgoing.account.visibility = "owner"
    outgoing.account.save()
    assert state(other, outgoing) == ""
    for deed in ("edit", "retry", "settle", "undo", "now", "cancel"):
        assert other.post(f"/outgoing/{outgoing.pk}/{deed}/").status_code == 404, deed
