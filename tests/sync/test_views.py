"""Pages of email accounts: list, form, connection test, deleting. Against a real Dovecot where one connects."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.utils import timezone

from mailwall.email_accounts.models import EmailAccount
from mailwall.sync import removal, services, tasks
from mailwall.sync.models import Folder
from mailwall.team.models import AuditEntry
from tests.cast import make_account, make_raw, make_user, store
from tests.rig.processes import free_port
from tests.rig.smtp_sink import SmtpSink

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.live]
LIST = "/settings/email-accounts/"


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    woken: list[int] = []
    monkeypatch.setattr(tasks, "download_task", woken.append)
    monkeypatch.setattr(tasks, "purge_task", removal.purge)
    return woken


def browser(user, **headers) -> Client:
    client = Client(headers=headers)
    client.force_login(user)
    return client


def form(mailbox, **changes) -> dict:
    return {
        "do": "save", "address": mailbox.address, "imap_host": "127.0.0.1", "imap_port": mailbox.dovecot.port,
        "imap_security": "none", "imap_username": "", "imap_password": mailbox.dovecot.password, "smtp_same": "on",
        "smtp_port": "465", "smtp_security": "tls", "store": "both", "window": "days", "visibility": "everyone",
        "on_dashboard": "on", "aliases": "", **changes,
    }  # fmt: skip


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def test_add_connects_and_leads_to_the_list_which_says_so(cast, mailbox, no_worker):
    answer = browser(cast.alice).post(f"{LIST}new/", form(mailbox), follow=True)
    assert answer.redirect_chain == [(LIST, 302)]
    assert f"{mailbox.address} was added." in text(answer)
    assert no_worker == [EmailAccount.objects.get().pk]


def test_the_list_has_the_words_of_the_description(cast):
    make_account(cast.alice)
    page = text(browser(cast.alice).get(LIST))
    for word in ("Email accounts", "Add new account", "Downloaded", "Assigned", "Last synchronization", "1 of 3 used"):
        assert word in page
    assert "Only IMAP servers are supported." in text(browser(cast.alice).get(f"{LIST}new/"))


def test_a_mistake_keeps_what_was_typed_but_never_shows_the_password(cast, mailbox):
    client, page = browser(cast.alice), f"{LIST}new/"
    answer = client.post(page, form(mailbox, imap_port=free_port(), aliases="other@ours.example"))
    assert answer.status_code == 422
    assert "refuses connections on port" in text(answer)
    html = answer.content.decode()
    assert 'value="other@ours.example"' in html
    assert mailbox.dovecot.password not in html
    assert "The password is kept." in html
    again = client.post(page, form(mailbox, imap_password=""))  # the kept one is used
    assert again.status_code == 302
    assert EmailAccount.objects.count() == 1
    assert "account_password" not in client.session


def test_a_kept_password_is_sealed_and_forgotten_when_the_form_is_opened_anew(cast, mailbox):
    client = browser(cast.alice)
    client.post(f"{LIST}new/", form(mailbox, imap_port=free_port()))
    assert mailbox.dovecot.password not in str(dict(client.session.items()))
    client.get(f"{LIST}new/")
    assert "account_password" not in client.session
    assert client.post(f"{LIST}new/", form(mailbox, imap_password="")).status_code == 422


def test_a_refused_password_is_said_beside_the_password(cast, mailbox):
    answer = browser(cast.alice).post(f"{LIST}new/", form(mailbox, imap_password="wrong"))
    assert answer.context["form"].errors["imap_password"] == ["The server refused this user name or password."]
    assert not EmailAccount.objects.exists()


def test_pressing_add_twice_makes_one_account_and_no_complaint(cast, mailbox):
    client = browser(cast.alice)
    for _ in range(2):
        assert client.post(f"{LIST}new/", form(mailbox)).status_code == 302
    assert EmailAccount.objects.count() == 1


def test_the_fourth_account_is_refused_in_words(cast, mailbox):
    for _ in range(3):
        make_account(cast.alice)
    answer = browser(cast.alice).post(f"{LIST}new/", form(mailbox))
    assert answer.status_code == 422
    assert "Alice has connected 3 of 3 email accounts." in text(answer)


def test_a_colleagues_mailbox_is_refused_without_naming_the_owner(cast, mailbox):
    make_account(cast.alice, mailbox.address)
    charlie = browser(cast.charlie)
    answer = charlie.post(f"{LIST}new/", form(mailbox))
    assert f"{mailbox.address} is already connected." in text(answer)
    assert text(answer).count("Alice") == text(charlie.get(f"{LIST}new/")).count("Alice")


def test_without_the_permission_there_is_no_link_and_the_page_says_who_can_grant_it(cast):
    cast.alice.may_connect = False
    cast.alice.save()
    client = browser(cast.alice)
    assert f"{LIST}new/" not in client.get(LIST).content.decode()
    answer = client.get(f"{LIST}new/")
    assert (answer.status_code, "Erin" in text(answer)) == (403, True)
    assert client.post(f"{LIST}new/test/", {}).status_code == 403


def test_the_test_tells_stage_by_stage_and_saves_nothing(cast, mailbox):
    with SmtpSink() as sink:
        sending = {"smtp_on": "on", "smtp_host": "127.0.0.1", "smtp_port": sink.port, "smtp_security": "none"}
        answer = browser(cast.alice).post(f"{LIST}new/test/", form(mailbox, **sending))
        lines = b"".join(answer.streaming_content).decode().splitlines()
    assert len(lines) == 12  # six stages of IMAP, five of SMTP, the end
    assert all(line.startswith("<li") and line.endswith("</li>") for line in lines)
    assert "Everything works." in lines[-1]
    assert not EmailAccount.objects.exists()


def test_a_failed_test_says_the_cause_in_the_readers_language(cast, mailbox):
    cast.alice.language = "pl"
    cast.alice.save()
    answer = browser(cast.alice).post(f"{LIST}new/test/", form(mailbox, imap_password="wrong"))
    lines = b"".join(answer.streaming_content).decode()
    assert "wrong" not in lines
    assert "Serwer odrzucił" in lines
    assert "Everything works." not in lines


def test_without_scripts_the_same_page_tests_and_finds_servers(cast, mailbox):
    client = browser(cast.alice)
    tested = client.post(f"{LIST}new/", form(mailbox, do="test"))
    assert (tested.status_code, "Everything works." in text(tested)) == (200, True)
    assert not EmailAccount.objects.exists()
    found = client.post(f"{LIST}new/", {"do": "detect", "address": "anna@wp.pl", "visibility": "owner"})
    assert found.context["form"]["imap_host"].value() == "imap.wp.pl"
    assert "IMAP must be switched on" in text(found)


def test_an_incomplete_form_is_not_tested_but_told(cast):
    answer = browser(cast.alice).post(f"{LIST}new/test/", {"address": ""})
    assert answer.status_code == 422
    assert "First complete the form:" in text(answer)


def test_the_providers_servers_follow_the_address_until_somebody_typed_others(cast):
    client = browser(cast.alice)
    fresh = client.get(f"{LIST}provider/", {"address": "anna@gmail.com", "imap_host": ""}).content.decode()
    assert 'value="imap.gmail.com"' in fresh
    assert "app password" in fresh
    query = {"address": "anna@nowak.example", "imap_host": "imap.gmail.com", "suggested_for": "anna@gmail.com"}
    assert 'value="imap.nowak.example"' in client.get(f"{LIST}provider/", query).content.decode()
    typed = client.get(f"{LIST}provider/", {**query, "imap_host": "mail.own.example"}).content.decode()
    assert "imap.nowak.example" not in typed


def test_every_kind_of_visibility_names_who_will_see_the_messages(cast):
    page = text(browser(cast.alice).get(f"{LIST}new/"))
    assert re.search(r"Every user +Alice, Bob, Charlie, Erin +\(4\)", page), page
    assert re.search(r"Owner and managers +Alice, Bob +\(2\)", page)
    assert re.search(r"Owner only +Alice +\(1\)", page)
    other = text(browser(cast.erin).get(f"{LIST}readers/", {"owner": cast.charlie.pk, "visibility": "owner"}))
    assert "The owner's team has no manager" in other
    assert re.search(r"Owner only +Charlie +\(1\)", other)
    assert (
        "Charlie" not in text(browser(cast.alice).get(f"{LIST}readers/", {"owner": cast.charlie.pk})).split("only")[1]
    )


def test_a_manager_adds_for_a_member_of_the_team(cast, mailbox):
    browser(cast.bob).post(f"{LIST}new/", form(mailbox, owner=cast.alice.pk))
    assert EmailAccount.objects.get().owner == cast.alice
    refused = browser(cast.bob).post(f"{LIST}new/", form(mailbox, owner=cast.charlie.pk, address="x@ours.example"))
    assert refused.status_code == 422
    assert EmailAccount.objects.count() == 1


def test_an_edit_without_a_password_keeps_the_stored_one(cast, mailbox):
    client = browser(cast.alice)
    client.post(f"{LIST}new/", form(mailbox))
    account = EmailAccount.objects.get()
    page = client.get(f"{LIST}{account.pk}/")
    assert mailbox.dovecot.password not in page.content.decode()
    edited = form(mailbox, imap_username=mailbox.address, imap_password="", visibility="owner", access_seen="owner:1")
    assert client.post(f"{LIST}{account.pk}/", edited).status_code == 302
    again = EmailAccount.objects.get()
    assert (again.visibility, again.sealed_imap_password) == ("owner", account.sealed_imap_password)


def test_fixing_the_password_brings_a_deactivated_account_back(cast, mailbox):
    client = browser(cast.alice)
    client.post(f"{LIST}new/", form(mailbox))
    account = EmailAccount.objects.get()
    EmailAccount.objects.update(
        state="deactivated", failed_attempts=10, last_error_code="imap_login_refused",
        last_error_message="The server refused this user name or password.", last_error_at=timezone.now(),
    )  # fmt: skip
    page = text(client.get(LIST))
    for words in ("Deactivated", "10 of 10 failed attempts", "The server refused", "Fix password", "Reactivate"):
        assert words in page
    client.post(f"{LIST}{account.pk}/", form(mailbox, imap_username=mailbox.address))
    again = EmailAccount.objects.get()
    assert (again.state, again.failed_attempts) == ("active", 0)


def test_a_manager_edits_the_server_but_not_who_sees_the_messages(cast, mailbox):
    account = make_account(cast.alice, visibility="owner")
    page = browser(cast.bob).get(f"{LIST}{account.pk}/")
    assert 'name="visibility"' not in page.content.decode()
    assert "Only Alice, the owner, changes" in text(page)
    assert browser(cast.charlie).get(f"{LIST}{account.pk}/").status_code == 404


def test_counts_are_hidden_from_managers_and_admins_who_may_not_see_the_messages(cast):
    account = make_account(cast.alice, visibility="owner")
    for _ in range(7):
        store(account, make_raw("ewa@kwiat.example", "alice@ours.example"))
    assert re.search(r">\s*7\b", browser(cast.alice).get(LIST).content.decode())
    for viewer in (cast.bob, cast.erin):
        page = browser(viewer).get(LIST).content.decode()
        assert account.address in page
        assert not re.search(r">\s*7\b", page)
    assert account.address not in browser(cast.charlie).get(LIST).content.decode()


def test_an_import_tells_its_progress_in_messages_and_looks_again_every_two_seconds(cast):
    account = make_account(cast.alice, next_sync_at=timezone.now())
    Folder.objects.create(account=account, raw_name=b"INBOX", name="INBOX", role="inbox", selected=True,
                          import_total=14338, import_seen=4210)  # fmt: skip
    row = browser(cast.alice).get(f"{LIST}{account.pk}/row/")
    assert 'hx-trigger="every 2s"' in row.content.decode()
    assert '<progress max="14338" value="4210"' in row.content.decode()
    assert "29 %" in text(row)
    Folder.objects.update(import_done=True)
    row = browser(cast.alice).get(f"{LIST}{account.pk}/row/")
    assert 'hx-trigger="every 30s"' in row.content.decode()
    assert "Working" in text(row)


def test_failed_attempts_are_counted_with_the_next_try_and_the_cause(cast):
    now = timezone.now()
    account = make_account(
        cast.alice, failed_attempts=3, next_sync_at=now + timezone.timedelta(minutes=5, seconds=20),
        last_error_code="imap_timeout", last_error_at=now, last_error_message="imap.firma.example does not answer.",
    )  # fmt: skip
    row = text(browser(cast.alice).get(f"{LIST}{account.pk}/row/"))
    for words in ("3 of 10 failed attempts", "Next try in 5 min", "imap.firma.example does not answer."):
        assert words in row


def test_pause_and_resume(cast):
    account = make_account(cast.alice, next_sync_at=timezone.now())
    client = browser(cast.alice)
    client.post(f"{LIST}{account.pk}/pause/")
    assert "Paused" in text(client.get(LIST))
    client.post(f"{LIST}{account.pk}/resume/")
    assert EmailAccount.objects.get().state == "active"
    assert client.get(f"{LIST}{account.pk}/pause/").status_code == 405


@pytest.mark.parametrize("messages", ["keep", "delete"])
def test_deleting_asks_what_becomes_of_the_messages(cast, messages):
    account = make_account(cast.alice)
    message = store(account, make_raw("ewa@kwiat.example", "alice@ours.example"))
    client = browser(cast.alice)
    page = text(client.get(f"{LIST}{account.pk}/delete/"))
    for words in ("1 downloaded message:", "Keep them on the walls", "Delete them too", "Cancel"):
        assert words in page
    assert client.post(f"{LIST}{account.pk}/delete/", {"messages": messages}).status_code == 302
    assert account.address not in client.get(LIST, follow=True).content.decode().split("<main")[1].split("</main")[0]
    assert (client.get(f"/mail/{message.pk}/").status_code == 200) == (messages == "keep")


def test_the_menu_says_whether_a_mailbox_needs_somebody(cast):
    account = make_account(cast.alice, last_synchronized_at=timezone.now())
    client = browser(cast.alice)
    assert "All mailboxes fine · now" in text(client.get(f"{LIST}health/"))
    EmailAccount.objects.filter(pk=account.pk).update(state="needs_sign_in")
    assert "1 mailbox needs you" in text(client.get(f"{LIST}health/"))
    assert text(browser(cast.charlie).get(f"{LIST}health/")).strip() == ""


def test_download_new_messages_tells_what_came(cast, mailbox, monkeypatch):
    client = browser(cast.alice)
    client.post(f"{LIST}new/", form(mailbox))
    mailbox.deliver(make_raw("ewa@kwiat.example", mailbox.address))
    monkeypatch.setattr(tasks, "download_task", services.sync_account)
    answer = client.post(f"{LIST}download/", headers={"HX-Request": "true"})
    assert f"{mailbox.address}: 1 new, 0 assigned" in text(answer)


def test_a_file_that_is_gone_is_a_page_that_says_so_and_a_foreign_one_is_not_found(cast):
    account = make_account(cast.alice, visibility="owner")
    message = store(account, make_raw("ewa@kwiat.example", "alice@ours.example"))
    assert browser(cast.charlie).get(f"/mail/{message.pk}/original.eml").status_code == 404
    EmailAccount.objects.update(imap_port=free_port())
    answer = browser(cast.alice).get(f"/mail/{message.pk}/original.eml")
    assert answer.status_code in (410, 502)
    assert "The file cannot be downloaded" in text(answer)


@pytest.mark.parametrize("page", ["", "new/", "readers/", "provider/", "health/", "1/", "1/row/", "1/delete/"])
def test_signed_out_everything_leads_to_the_sign_in(db, page):
    answer = Client().get(LIST + page)
    assert answer.status_code == 302
    assert answer["Location"].startswith("/accounts/login/")


def test_strange_input_is_never_a_crash(cast, mailbox):
    client = browser(cast.alice)
    make_user("long@ours.example")
    nasty = ["x" * 5_000, "\x00", "<script>alert(1)</script>", "ą" * 300, "9" * 40, "\U0001f600", "-1", "{{ x }}"]
    for value in nasty:
        for field in form(mailbox):
            if field in ("do", "imap_port", "imap_host") or (field == "imap_password" and value):
                continue
            answer = client.post(f"{LIST}new/test/", form(mailbox, **{field: value}))
            assert answer.status_code in (200, 422), (field, value)
            if answer.streaming:
                answer.close()
        for field in ("imap_port", "imap_host"):
            assert client.post(f"{LIST}new/", form(mailbox, **{field: value})).status_code == 422
        assert client.get(f"{LIST}readers/", {"owner": value, "visibility": value}).status_code == 200
        assert client.get(f"{LIST}provider/", {"address": value}).status_code == 200


def test_before_a_wider_or_narrower_visibility_is_saved_the_form_says_who_gains_and_loses(cast, mailbox):
    client = browser(cast.alice)
    client.post(f"{LIST}new/", form(mailbox))
    account = EmailAccount.objects.get()
    for _ in range(3):
        store(account, make_raw("ewa@kwiat.example", "alice@ours.example"))
    edited = form(mailbox, imap_username=mailbox.address, imap_password="", visibility="owner_and_managers")
    del edited["on_dashboard"]
    told = client.post(f"{LIST}{account.pk}/", edited)
    assert "for 3 messages:" in text(told) and "2 people lose access: Charlie, Erin" in text(told)
    assert "no longer on anybody's Dashboard" in text(told).replace("&#x27;", "'")
    assert EmailAccount.objects.get().visibility == "everyone"
    live = client.get(f"{LIST}{account.pk}/access/", {"visibility": "owner", "on_dashboard": "on"})
    assert "3 people lose access: Bob, Charlie, Erin" in text(live)
    assert client.post(f"{LIST}{account.pk}/", {**edited, "access_seen": "owner_and_managers:0"}).status_code == 302
    saved = EmailAccount.objects.get()
    assert (saved.visibility, saved.on_dashboard) == ("owner_and_managers", False)
    written = AuditEntry.objects.filter(target=f"email_account:{account.pk}").order_by("pk")
    assert [entry.action for entry in written] == [
        "email_account.connected", "email_account.visibility", "email_account.dashboard",
    ]  # fmt: skip


def test_who_may_not_see_the_messages_is_not_told_how_many_they_are(cast):
    account = make_account(cast.alice, visibility="owner")
    store(account, make_raw("ewa@kwiat.example", "alice@ours.example"))
    told = text(browser(cast.erin).get(f"{LIST}{account.pk}/access/", {"visibility": "everyone"}))
    assert "When you save:" in told and "gain" not in told
    assert browser(cast.charlie).get(f"{LIST}{account.pk}/access/").status_code == 404
