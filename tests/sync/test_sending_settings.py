"""Sending in the settings of an account: the form and its test against a real SMTP server, the switch, the default."""

from __future__ import annotations

import pytest

from mailwall.email_accounts import connection
from mailwall.email_accounts.models import EmailAccount
from mailwall.smtp import submit
from mailwall.sync import tasks
from mailwall.team import services as team_services
from tests.cast import Api, make_account
from tests.rig.smtp_sink import SmtpSink
from tests.sync.test_views import LIST, browser, form, text

pytestmark = [pytest.mark.django_db(transaction=True)]
SMTP = {"smtp_host": "127.0.0.1", "smtp_port": 25, "smtp_security": "none", "sending_active": True}


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    monkeypatch.setattr(tasks, "download_task", lambda account_id: None)


def sending(sink: SmtpSink, security: str, **changes) -> dict:
    return {"smtp_on": "on", "smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_security": security, **changes}


@pytest.mark.live
@pytest.mark.parametrize("own_password", [False, True])
@pytest.mark.parametrize("security", ["tls", "starttls", "none"])
def test_an_account_added_in_the_form_sends(cast, mailbox, authority, settings, security, own_password):
    settings.MAIL_CA_FILE = str(authority.ca_file)
    certificate = None if security == "none" else authority.issue("127.0.0.1")
    own = {"smtp_same": "", "smtp_username": "sender", "smtp_password": "another Pa55"} if own_password else {}
    with SmtpSink(certificate=certificate, tls=security == "tls") as sink:
        sink.password = "another Pa55" if own_password else mailbox.dovecot.password
        answer = browser(cast.alice).post(f"{LIST}new/", form(mailbox, **sending(sink, security, **own)), follow=True)
        assert answer.redirect_chain == [(LIST, 302)]
        account = EmailAccount.objects.get()
        smtp = connection.smtp_settings(account)
        assert smtp is not None
        submit.submit(smtp, mailbox.address, ["ewa@kwiat.example"], b"Subject: Hello\r\n\r\nHello\r\n")
    assert [mail.receivers for mail in sink.taken] == [("ewa@kwiat.example",)]
    assert (account.is_default, account.sending_active) == (True, True)
    assert "Sending: active" in text(answer)


@pytest.mark.live
def test_the_test_of_the_form_names_what_is_wrong_with_sending(cast, mailbox):
    with SmtpSink() as sink:
        sink.password = "another Pa55"
        page = form(mailbox, do="test", **sending(sink, "none"))
        answer = browser(cast.alice).post(f"{LIST}new/", page)
    assert "The server refused this user name or password." in text(answer)
    assert not EmailAccount.objects.exists()


def test_sending_is_switched_and_the_default_chosen_on_the_list(cast):
    first = make_account(cast.alice, "one@ours.example", is_default=True, **SMTP)
    second = make_account(cast.alice, "two@ours.example", **SMTP)
    client = browser(cast.alice)
    page = text(client.get(LIST))
    assert (page.count("Sending: active"), page.count("Make default")) == (2, 1)
    client.post(f"{LIST}{second.pk}/default/")
    assert list(EmailAccount.objects.filter(is_default=True)) == [second]
    page = text(client.post(f"{LIST}{second.pk}/sending/", {"on": "0"}, follow=True))
    assert "Sending: inactive, switched off" in page
    assert list(EmailAccount.objects.filter(is_default=True)) == [first]
    client.post(f"{LIST}{second.pk}/sending/", {"on": "1"})
    assert EmailAccount.objects.filter(sending_active=True).count() == 2


def test_the_list_says_why_an_account_does_not_send(cast):
    make_account(cast.alice)
    make_account(cast.alice, is_default=True, **SMTP)
    make_account(cast.alice, **SMTP)
    make_account(cast.alice, state="deactivated", **SMTP)
    team_services.update_workspace(cast.erin, package="basic")
    page = text(browser(cast.alice).get(LIST))
    assert page.count("Sending: active") == 1
    for reason in (
        "receives only",
        "in the Basic package only the default account sends",
        "until the account is reactivated",
    ):
        assert f"Sending: inactive{'' if reason.startswith('until') else ','} {reason}" in page


def test_an_account_that_cannot_send_is_not_made_the_default_and_says_so(cast):
    account = make_account(cast.alice)
    page = text(browser(cast.alice).post(f"{LIST}{account.pk}/default/", follow=True))
    assert "Only an account that can send can be the default one." in page
    assert "it has no server for sending" in text(
        browser(cast.alice).post(f"{LIST}{account.pk}/sending/", {"on": "1"}, follow=True)
    )


def test_strangers_switch_nothing(cast):
    account = make_account(cast.alice, **SMTP)
    for path in ("default", "sending"):
        assert browser(cast.charlie).post(f"{LIST}{account.pk}/{path}/").status_code == 404
        assert browser(cast.alice).get(f"{LIST}{account.pk}/{path}/").status_code == 405


def test_rest_reads_what_sends_now_and_writes_what_is_wanted(cast):
    first = make_account(cast.alice, is_default=True, **SMTP)
    second = make_account(cast.alice, **SMTP)
    alice, path = Api(cast.alice), f"/email-accounts/{second.pk}"
    assert alice.call("PATCH", path, {"is_default": True}).json()["is_default"]
    assert not alice.get(f"/email-accounts/{first.pk}").json()["is_default"]
    off = alice.call("PATCH", path, {"sending_active": False}).json()
    assert (off["sending_active"], off["is_default"]) == (False, False)
    refused = alice.call("PATCH", path, {"is_default": True})
    assert (refused.status_code, refused.json()["errors"][0]["field"]) == (422, "is_default")
    team_services.update_workspace(cast.erin, package="basic")
    on = alice.call("PATCH", path, {"sending_active": True}).json()
    assert (on["sending_active"], on["is_default"]) == (False, False)
    assert alice.call("PATCH", path, {"is_default": True}).json()["sending_active"]
    assert not alice.get(f"/email-accounts/{first.pk}").json()["sending_active"]
