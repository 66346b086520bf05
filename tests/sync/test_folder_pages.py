"""The folders of an account and its activity log, on their pages."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import services as mailstore
from mailwall.sync import folders, services, tasks
from mailwall.sync.models import Folder, SyncRun
from mailwall.team import services as team_services
from tests.cast import make_account, make_raw, store
from tests.rig import mails
from tests.rig.processes import free_port
from tests.sync.conftest import NOW, ago, ids

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.live]


@pytest.fixture(autouse=True)
def woken(monkeypatch) -> list[int]:
    noted: list[int] = []
    monkeypatch.setattr(tasks, "sync_account_task", noted.append)
    return noted


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def text(answer) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", answer.content.decode()))


def test_folders_are_listed_live_chosen_and_then_read(connect, mailbox, woken):
    account = connect(mailbox)
    mailbox.fill([(mails.mail(message_id="<p@x.example>"), ago(2))], folder="Projekty")
    url, client = f"/settings/email-accounts/{account.pk}/folders/", signed_in(account.owner)
    assert "Asking the mail server for its folders" in text(client.get(url))
    said = text(client.get(url, {"live": "1"}))
    assert "INBOX recommended" in said and "Projekty" in said
    chosen = Folder.objects.filter(name__in=["INBOX", "Projekty"]).values_list("pk", flat=True)
    assert client.post(url, {"folder": list(chosen)}).status_code == 302
    assert woken == [account.pk]
    services.sync_account(account.pk)
    assert ids(account) == {"p@x.example"}
    EmailAccount.objects.update(imap_port=free_port())
    said = text(client.get(url, {"live": "1"}))
    assert "could not be asked" in said and "refuses connections" in said and "Projekty" in said


def test_new_subfolders_of_a_folder_that_is_read_are_read_when_asked_for(connect, mailbox):
    account = connect(mailbox)
    services.sync_account(account.pk)
    url, client = f"/settings/email-accounts/{account.pk}/folders/", signed_in(account.owner)
    assert "Include new subfolders" in text(client.get(url, {"live": "1"}))
    read = list(Folder.objects.filter(selected=True).values_list("pk", flat=True))
    for number, wanted in (("1", {"one@x.example", "deep@x.example"}), ("", {"one@x.example", "deep@x.example"})):
        client.post(url, {"folder": read, "subfolders": number})
        folder = "INBOX/One" if number else "INBOX/Two"
        mailbox.fill([(mails.mail(message_id=f"<{'one' if number else 'two'}@x.example>"), ago(2))], folder=folder)
        mailbox.fill([(mails.mail(message_id="<deep@x.example>"), ago(2))], folder=f"{folder}/Deep")
        mailbox.fill([(mails.mail(message_id="<else@x.example>"), ago(2))], folder="Else")
        folders.list_live(EmailAccount.objects.get(pk=account.pk))
        services.sync_account(account.pk)
        assert ids(account) == wanted
        read = list(Folder.objects.filter(selected=True).values_list("pk", flat=True))


def test_only_the_owner_chooses_and_only_who_sees_the_messages_sees_the_folders(cast):
    account = make_account(cast.alice, visibility="owner_and_managers")
    url = f"/settings/email-accounts/{account.pk}/folders/"
    folder = Folder.objects.create(account=account, raw_name=b"INBOX", name="INBOX", selected=True)
    EmailAccount.objects.update(state="deactivated")
    assert "Only Alice, the owner, chooses" in text(signed_in(cast.bob).get(url))
    assert signed_in(cast.bob).post(url).status_code == 403
    for viewer in (cast.charlie, cast.erin):
        assert signed_in(viewer).get(url).status_code == signed_in(viewer).post(url).status_code == 404
    folder.refresh_from_db()
    assert folder.selected


def test_the_activity_log_tells_runs_and_failures_and_to_owner_and_admins_who_changed_what(cast):
    account = make_account(cast.alice, visibility="owner_and_managers")
    message = store(account, make_raw("ewa@kwiat.example", "alice@ours.example", "Quetzalcoatl"))
    mailstore.narrow_thread(cast.alice, message.thread_key)
    change = {"from": "everyone", "to": "owner"}
    team_services.audit(cast.alice, "email_account.visibility", f"email_account:{account.pk}", **change)
    told = {"account": account, "kind": "scheduled", "requested_at": NOW, "finished_at": NOW}
    SyncRun.objects.create(state="done", new=7, **told)
    SyncRun.objects.create(state="failed", error_code="imap_timeout", error_message="It was silent.", **told)
    pages = {u: text(signed_in(u).get(f"/settings/email-accounts/{account.pk}/activity/")) for u in cast.everyone()}
    narrowed = "Made a thread visible to themselves only: 1 message"
    changed = "Changed who sees the messages: Every user → Owner only"
    for viewer, sees_counts, sees_changes in ((cast.alice, 1, 1), (cast.bob, 1, 0), (cast.erin, 0, 1)):
        said = pages[viewer]
        assert "It was silent." in said and "Quetzalcoatl" not in said
        assert ("7 new messages" in said) == sees_counts
        assert (narrowed in said) == (changed in said) == sees_changes
    assert "It was silent." not in pages[cast.charlie]
