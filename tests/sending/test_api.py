"""/outgoing as integrators use it: answers, problems, keys, and what others may not."""

from __future__ import annotations

import base64

import pytest

from mailwall.mailstore.models import Message
from mailwall.sending import delivery
from mailwall.sending.models import Outgoing, OutgoingState
from tests.cast import make_account


@pytest.fixture
def alice(account, people, api):
    return api(people.alice)


def post(api, *, key: str = "", **fields):
    body = {"to": ["Ewa Kwiat <ewa@kwiat.example>"], "subject": "Offer", "text": "Good morning.\n", **fields}
    headers = {**api.headers, **({"Idempotency-Key": key} if key else {})}
    return api.client.post("/api/v1/outgoing", body, content_type="application/json", headers=headers)


def fields_of(response) -> set[str]:
    assert response.status_code == 422, response.content
    assert not Outgoing.objects.exists()
    return {error["field"] for error in response.json()["errors"]}


def test_mail_is_queued_sent_and_read(alice, account, smtp_sink):
    file = {"filename": "a.txt", "content_type": "text/plain", "content_base64": base64.b64encode(b"x").decode()}
    person = {"name": "Jan", "address": "Jan@Nowak.Example"}
    answer = post(alice, to=[person, "ewa@kwiat.example"], bcc=["b@b.example"], attachments=[file], html="<p>Hi</p>")
    assert answer.status_code == 201
    outgoing = answer.json()
    assert (outgoing["state"], outgoing["error"]) == ("queued", None)
    assert outgoing["message"] == Message.objects.get().pk
    assert outgoing["to"] == ["jan@nowak.example", "ewa@kwiat.example", "b@b.example"]
    delivery.deliver_account(account.pk)
    sent = alice.get(f"/outgoing/{outgoing['id']}").json()
    assert (sent["state"], sent["message_id"] in smtp_sink.taken[0].raw.decode()) == ("sent", True)
    assert [each["id"] for each in alice.get("/outgoing").json()["items"]] == [outgoing["id"]]
    assert alice.get("/outgoing", state="failed").json()["items"] == []


def test_same_key_is_one_mail_and_another_body_is_told(alice):
    first = post(alice, key="k1")
    again = post(alice, key="k1")
    assert (first.status_code, again.status_code, again.json()) == (201, 201, first.json())
    other = post(alice, key="k1", subject="Another")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_mismatch")
    assert Outgoing.objects.count() == 1


def test_what_can_never_be_sent_is_told_by_field(alice):
    assert fields_of(post(alice, to=[])) == {"to"}
    assert fields_of(post(alice, subject="a\r\nBcc: x@x.example", cc=["nobody"])) == {"subject", "cc"}
    assert fields_of(post(alice, attachments=[{"filename": "a.exe", "content_base64": ""}])) == {"attachments"}
    broken = [{"filename": "a.txt", "content_base64": "%%%"}]
    assert fields_of(post(alice, attachments=broken)) == {"attachments.0.content_base64"}
    assert fields_of(post(alice, hold_seconds=-1)) == {"hold_seconds"}
    assert fields_of(post(alice, send_at="2999-01-01T00:00:00Z")) == {"send_at"}
    assert fields_of(post(alice, in_reply_to=123)) == {"in_reply_to"}
    assert fields_of(post(alice, sbject="typo")) == {"sbject"}


def test_account_that_does_not_send_is_a_conflict(alice, account, people, api):
    account.sending_active = False
    account.save()
    refused = post(alice)
    assert (refused.status_code, refused.json()["code"]) == (409, "sending_inactive")
    assert post(api(people.charlie)).json()["code"] == "sending_inactive"


def test_account_of_somebody_else_is_not_there_even_for_managers_and_admins(alice, account, people, api):
    for other in (people.bob, people.charlie, people.erin):
        make_account(other, smtp_host="127.0.0.1", sending_active=True, is_default=True)
        assert post(api(other), email_account=account.pk).status_code == 404


def test_hold_and_cancel(alice, account, smtp_sink):
    outgoing = post(alice, hold_seconds=20).json()
    assert outgoing["state"] == "held"
    assert alice.post(f"/outgoing/{outgoing['id']}/cancel").json()["state"] == "cancelled"
    assert alice.get(f"/outgoing/{outgoing['id']}").json()["message"] is None
    assert alice.get("/messages").json()["items"] == []
    sent = post(alice).json()
    delivery.deliver_account(account.pk)
    late = alice.post(f"/outgoing/{sent['id']}/cancel")
    assert (late.status_code, late.json()["code"], len(smtp_sink.taken)) == (409, "too_late", 1)


def test_failed_mail_says_why_and_is_retried(alice, account, smtp_sink):
    smtp_sink.mode = "perm"
    outgoing = post(alice).json()
    delivery.deliver_account(account.pk)
    failed = alice.get(f"/outgoing/{outgoing['id']}").json()
    assert (failed["state"], failed["error"]["code"]) == ("failed", "smtp_refused")
    assert "This looks like advertising" in failed["error"]["message"]
    assert alice.post(f"/outgoing/{outgoing['id']}/retry").json()["state"] == "queued"


def test_mail_of_unknown_outcome_is_settled_by_its_sender(alice):
    outgoing = post(alice).json()
    path = f"/outgoing/{outgoing['id']}/settle"
    assert alice.post(path, {"decision": "it_was_sent"}).json()["code"] == "too_late"
    Outgoing.objects.update(state=OutgoingState.NEEDS_REVIEW)
    assert alice.post(path, {"decision": "perhaps"}).status_code == 422
    assert alice.post(path, {"decision": "it_was_sent"}).json()["state"] == "sent"


def test_nobody_else_reads_or_changes_an_outgoing_mail(alice, account, people, api):
    path = f"/outgoing/{post(alice, hold_seconds=60).json()['id']}"
    for other in (people.bob, people.charlie, people.erin):
        theirs = api(other)
        assert theirs.get("/outgoing").json()["items"] == []
        answers = [theirs.get(path), theirs.post(f"{path}/cancel"), theirs.post(f"{path}/retry"),
                   theirs.post(f"{path}/settle", {"decision": "send_again"})]  # fmt: skip
        assert {answer.status_code for answer in answers} == {404}
    assert {api(None).get(path).status_code, api(None).post(f"{path}/cancel").status_code} == {401}
    assert alice.get(path).json()["state"] == "held"


def test_list_is_paged_newest_first(alice):
    ids = [post(alice, subject=str(number)).json()["id"] for number in range(3)]
    page = alice.get("/outgoing", limit=2).json()
    assert [each["id"] for each in page["items"]] == ids[:0:-1]
    rest = alice.get("/outgoing", cursor=page["next_cursor"]).json()
    assert ([each["id"] for each in rest["items"]], rest["next_cursor"]) == (ids[:1], None)


def test_sender_who_types_the_password_anew_lets_waiting_mails_go(alice, account, smtp_sink):
    smtp_sink.password = "another"
    outgoing = post(alice).json()
    delivery.deliver_account(account.pk)
    shown = alice.get(f"/email-accounts/{account.pk}").json()
    assert (shown["sending_active"], "password" in shown["sending_error"]) == (False, True)
    assert post(alice).json()["code"] == "sending_inactive"
    smtp_sink.password = "s3cret-Pa55"
    changed = alice.call("PATCH", f"/email-accounts/{account.pk}", {"sending_active": True}).json()
    assert (changed["sending_active"], changed["sending_error"]) == (True, None)
    delivery.deliver_account(account.pk)
    assert alice.get(f"/outgoing/{outgoing['id']}").json()["state"] == "sent"
