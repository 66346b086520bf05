"""A user who may not sign in any more: nothing connects for their accounts, until they may again."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from django.utils import translation

from mailwall.email_accounts import kept, leases, places
from mailwall.email_accounts.errors import OwnerSwitchedOff
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.sync import connections, due, idle, services
from mailwall.sync.errors import MailServerUnreachable
from mailwall.sync.models import SyncRun
from mailwall.team import services as team_services
from tests.cast import make_account
from tests.rig import mails
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy
from tests.sync.conftest import NOW, ids


def switch(account: EmailAccount, *, on: bool) -> None:
    team_services.update_user(None, account.owner, is_active=on)


@pytest.mark.live
def test_nothing_connects_while_the_owner_is_off_and_all_goes_on_afterwards(connect, mailbox: Mailbox, monkeypatch):
    monkeypatch.setattr(places, "_givers", [])
    keeper = kept.start(10)
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        switch(account, on=False)
        keeper.tidy()
        assert len(keeper) == 0
        connections = proxy.connections
        mailbox.deliver(mails.mail(message_id="<meanwhile@x.example>"))
        EmailAccount.objects.update(next_sync_at=NOW - timedelta(hours=1))
        assert (
            due.claim_due(datetime.now(UTC), 10) == []
            and not due.make_due(account.pk, NOW)
            and list(idle.targets(10)) == []
        )
        assert services.sync_account(account.pk).state == "inactive"
        assert proxy.connections == connections
        switch(account, on=True)
        assert due.claim_due(datetime.now(UTC), 10) == [account.pk]
        assert services.sync_account(account.pk).state == "done"
    kept.stop()
    assert ids(account) == {"meanwhile@x.example"}


@pytest.mark.live
def test_a_run_under_way_writes_nothing_more(account, mailbox: Mailbox, monkeypatch):
    real = services.Pass.run

    def switched(self, **options):
        switch(account, on=False)
        return real(self, **options)

    monkeypatch.setattr(services.Pass, "run", switched)
    mailbox.deliver(mails.mail())
    assert services.sync_account(account.pk).state == "busy" and ids(account) == set()


@pytest.mark.django_db
class TestWhoAsks:
    @pytest.fixture
    def theirs(self, cast) -> EmailAccount:
        account = make_account(cast.alice, "alice.box@ours.example", next_sync_at=NOW, last_synchronized_at=NOW)
        leases.take_lease(account.pk)
        run = services.request_download(account)
        switch(account, on=False)
        account.refresh_from_db()
        assert run.state == SyncRun.State.WAITING and not leases.renew_lease(account.pk, account.lease_token or "x")
        return account

    def test_a_download_that_waited_is_told_why(self, theirs):
        SyncRun.objects.update(requested_at=NOW - timedelta(minutes=1))
        assert due.forgotten_downloads(NOW) == []
        assert services.sync_account(theirs.pk).state == "inactive"
        run = SyncRun.objects.get()
        assert (run.state, run.error_code) == (SyncRun.State.FAILED, "owner_deactivated")

    def test_a_manager_s_wish_is_refused(self, theirs, cast, api):
        with pytest.raises(OwnerSwitchedOff):
            services.request_download(theirs)
        answer = api(cast.bob).post(f"/email-accounts/{theirs.pk}/download", {})
        assert (answer.status_code, answer.json()["code"]) == (409, "owner_deactivated")

    def test_the_api_tells_that_nothing_comes(self, theirs, cast, api):
        told = api(cast.bob).get(f"/email-accounts/{theirs.pk}").json()
        assert told["owner_active"] is False and told["next_synchronization_at"] is None

    def test_files_are_not_fetched(self, theirs):
        with pytest.raises(MailServerUnreachable, match="deactivated"), connections.download_slot(theirs.pk):
            pass

    def test_the_list_says_so_to_those_who_can_act(self, theirs, cast):
        client = Client()
        client.force_login(cast.bob)
        page = client.get("/settings/email-accounts/").content.decode()
        assert "Nothing is fetched or sent while Alice may not sign in" in page and "An administrator can do" in page
        assert f"/email-accounts/{theirs.pk}/download" not in page
        client.force_login(cast.erin)
        assert f"/settings/users/{cast.alice.pk}/" in client.get("/settings/email-accounts/").content.decode()
        with translation.override("pl"):
            assert translation.gettext("The owner is deactivated") == "Właściciel jest wyłączony"

    def test_the_state_is_kept_for_later(self, theirs):
        EmailAccount.objects.update(state=State.PAUSED, next_sync_at=None)
        switch(theirs, on=True)
        theirs.refresh_from_db()
        assert (theirs.state, theirs.next_sync_at) == (State.PAUSED, None)
