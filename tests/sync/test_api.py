"""REST of email accounts, against a real Dovecot: connecting rightly and wrongly, states, counts, who may what."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection as database

from mailwall.email_accounts import services as account_services
from mailwall.email_accounts.models import EmailAccount
from mailwall.sync import removal, services, tasks
from mailwall.sync.models import Folder
from mailwall.team.models import Workspace
from tests.cast import Api, make_account, make_raw, store
from tests.rig.processes import free_port
from tests.rig.proxy import Proxy
from tests.rig.smtp_sink import SmtpSink

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.live]


@pytest.fixture(autouse=True)
def no_worker(monkeypatch):
    """The queue is not what is tested here: wake-ups are noted, and work() does what a worker would."""
    woken: list[int] = []
    monkeypatch.setattr(tasks, "download_task", woken.append)
    monkeypatch.setattr(tasks, "purge_task", removal.purge)
    return woken


def body(mailbox, **changes) -> dict:
    server = {"host": "127.0.0.1", "port": mailbox.dovecot.port, "security": "none", "username": mailbox.address}
    return {
        "address": mailbox.address, "aliases": [], "smtp": None, "store": "both", "visibility": "everyone",
        "on_dashboard": True, "imap": {**server, "password": mailbox.dovecot.password}, **changes,
    }  # fmt: skip


def imap(mailbox, **changes) -> dict:
    return {**body(mailbox)["imap"], **changes}


def connected(cast, mailbox, **changes) -> int:
    answer = Api(cast.alice).post("/email-accounts", body(mailbox, **changes))
    assert answer.status_code == 201, answer.content
    return answer.json()["id"]


def test_a_connected_account_is_read_back_without_its_password_and_synchronised_at_once(cast, mailbox, no_worker):
    answer = Api(cast.alice).post("/email-accounts", body(mailbox, aliases=["Alias@Ours.example"]))
    said = answer.json()
    assert answer.status_code == 201
    assert said | {"id": 0, "import_since": "", "next_synchronization_at": ""} == {
        "id": 0, "address": mailbox.address, "aliases": ["alias@ours.example"],
        "owner": {"id": cast.alice.pk, "name": "Alice"},
        "imap": {"host": "127.0.0.1", "port": mailbox.dovecot.port, "security": "none", "username": mailbox.address},
        "smtp": None, "store": "both", "visibility": "everyone", "on_dashboard": True, "import_since": "",
        "owner_active": True, "state": "active", "failed_attempts": 0, "last_error": None,
            "last_synchronized_at": None,
        "next_synchronization_at": "", "downloaded": 0, "assigned": 0, "unassigned": 0, "sending_active": False,
        "sending_error": None, "lacks_sent_folder": False, "is_default": False,
    }  # fmt: skip
    since = datetime.fromisoformat(said["import_since"])
    assert abs(datetime.now(UTC) - timedelta(days=14) - since) < timedelta(minutes=1)
    assert no_worker == [said["id"]]
    assert mailbox.dovecot.password not in answer.content.decode()
    assert mailbox.dovecot.password not in EmailAccount.objects.get().sealed_imap_password
    assert Api(cast.alice).get("/email-accounts").json() == {"items": [said], "next_cursor": None}


CAUSES = [
    ("wrong password", lambda m: imap(m, password="Wr0ng?secret"), "imap_login_refused"),
    ("closed port", lambda m: imap(m, port=free_port()), "imap_unreachable"),
    ("TLS on a plain port", lambda m: imap(m, security="tls"), "imap_tls_failed"),
    ("plain on a TLS port", lambda m: imap(m, port=m.dovecot.tls_port), "imap_tls_failed"),
    ("an authority nobody knows", lambda m: imap(m, port=m.dovecot.tls_port, security="tls"), "imap_tls_failed"),
    ("no such name", lambda m: imap(m, host="no-such-host.invalid"), "imap_unknown_host"),
    ("no name", lambda m: imap(m, host="http://127.0.0.1/"), "host_invalid"),
    ("a forbidden range", lambda m: imap(m, host="127.0.0.2"), "host_not_allowed"),
    ("a forbidden name", lambda m: imap(m, host="10.0.0.1"), "host_not_allowed"),
]


@pytest.mark.parametrize(("server", "code"), [cause[1:] for cause in CAUSES], ids=[cause[0] for cause in CAUSES])
def test_every_cause_has_its_code_and_a_sentence_and_nothing_is_saved(cast, mailbox, server, code):
    api, wrong = Api(cast.alice), body(mailbox, imap=server(mailbox))
    answer = api.post("/email-accounts", wrong)
    assert (answer.status_code, answer.json()["code"]) == (422, code)
    assert len(answer.json()["detail"]) > 20
    test = api.post("/email-accounts/test", wrong).json()
    failed = [stage for stage in test["stages"] if stage["ok"] is False]
    assert (test["ok"], [stage["code"] for stage in failed]) == (False, [code])
    assert failed[0]["message"] == answer.json()["detail"]
    for said in (str(answer.content), str(test)):
        assert wrong["imap"]["password"] not in said
    assert not EmailAccount.objects.exists()


def test_a_silent_server_times_out_within_fifteen_seconds(cast, mailbox):
    with Proxy(mailbox.dovecot.port) as proxy:
        proxy.black_hole = True
        begin = time.monotonic()
        answer = Api(cast.alice).post("/email-accounts", body(mailbox, imap=imap(mailbox, port=proxy.port)))
    assert (answer.status_code, answer.json()["code"]) == (422, "imap_timeout")
    assert time.monotonic() - begin < 15.5


def test_the_stages_of_a_good_server_are_all_green_in_order_and_nothing_is_saved(cast, mailbox):
    with SmtpSink() as sink:
        smtp = {"host": "127.0.0.1", "port": sink.port, "security": "none"}
        test = Api(cast.alice).post("/email-accounts/test", body(mailbox, smtp=smtp)).json()
    assert test["ok"], test
    assert [stage["stage"] for stage in test["stages"]] == [
        "name", "connect", "encryption", "greeting", "sign_in", "folders",
        "smtp_name", "smtp_connect", "smtp_encryption", "smtp_greeting", "smtp_sign_in",
    ]  # fmt: skip
    assert not EmailAccount.objects.exists()


def test_refused_sending_has_a_code_of_its_own(cast, mailbox):
    with SmtpSink() as sink:
        smtp = {"host": "127.0.0.1", "port": sink.port, "security": "none", "username": "alice", "password": "wrong"}
        answer = Api(cast.alice).post("/email-accounts", body(mailbox, smtp=smtp))
        assert (answer.status_code, answer.json()["code"]) == (422, "smtp_login_refused")
        right = {**smtp, "password": mailbox.dovecot.password}
        made = Api(cast.alice).post("/email-accounts", body(mailbox, smtp=right)).json()
    assert (made["sending_active"], made["is_default"]) == (True, True)
    assert made["smtp"] == {"host": "127.0.0.1", "port": sink.port, "security": "none", "username": "alice"}


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"address": "not an address"}, "address"),
        ({"address": ""}, "address"),
        ({"address": "x" * 300 + "@ours.example"}, "address"),
        ({"aliases": ["nobody"]}, "aliases"),
        ({"imap": None}, "imap.host"),
        ({"imap": {"host": "", "password": "x"}}, "imap.host"),
        ({"imap": {"host": "h" * 300, "password": "x"}}, "imap.host"),
        ({"imap": {"host": "127.0.0.1", "port": 70000, "password": "x"}}, "imap.port"),
        ({"imap": {"host": "127.0.0.1", "security": "ssl", "password": "x"}}, "imap.security"),
        ({"imap": {"host": "127.0.0.1"}}, "imap.password"),
        ({"imap": {"host": "127.0.0.1", "password": "a\r\nb"}}, "imap.password"),
        ({"imap": {"host": "127.0.0.1", "password": "x", "username": "a\x00b"}}, "imap.username"),
        ({"store": "nothing"}, "store"),
        ({"visibility": "nobody"}, "visibility"),
        ({"import_since": "tomorrow"}, "import_since"),
        ({"import_since": "2099-01-01"}, "import_since"),
        ({"owner": "me"}, "owner"),
    ],
)
def test_a_body_of_wrong_form_names_the_field(cast, mailbox, changes, field):
    for path in ("/email-accounts", "/email-accounts/test"):
        answer = Api(cast.alice).post(path, body(mailbox, **changes))
        assert answer.status_code == 422, answer.content
        assert field in [error["field"] for error in answer.json()["errors"]]
    assert not EmailAccount.objects.exists()


def test_an_address_is_connected_once_however_it_is_written(cast, mailbox):
    first = connected(cast, mailbox)
    api = Api(cast.alice)
    again = api.post("/email-accounts", body(mailbox, address=mailbox.address.upper()))
    assert (again.status_code, again.json()["code"], again.json()["email_account"]) == (409, "already_connected", first)
    assert "Alice" in again.json()["detail"]
    made = api.post("/email-accounts", body(mailbox, address="box@BÜCHER.example"))
    assert (made.status_code, made.json()["address"]) == (201, "box@xn--bcher-kva.example")
    for spelling in ("BOX@bücher.example", "box@xn--bcher-kva.example"):
        assert api.post("/email-accounts", body(mailbox, address=spelling)).status_code == 409


def test_a_colleague_learns_that_it_is_connected_but_not_by_whom(cast, mailbox):
    connected(cast, mailbox)
    answer = Api(cast.charlie).post("/email-accounts", body(mailbox))
    assert answer.status_code == 409
    assert "Alice" not in answer.content.decode()
    assert "email_account" not in answer.json()


def test_the_fourth_account_is_refused_in_words_unless_the_package_is_basic(cast, mailbox):
    api = Api(cast.alice)
    for number in range(3):
        connected(cast, mailbox, address=f"alice{number}@ours.example")
    fourth = api.post("/email-accounts", body(mailbox, address="fourth@ours.example"))
    assert (fourth.status_code, fourth.json()["code"]) == (422, "account_limit_reached")
    assert "3 of 3" in fourth.json()["detail"]
    assert EmailAccount.objects.count() == 3
    Workspace.objects.update_or_create(pk=1, defaults={"package": "basic"})
    assert api.post("/email-accounts", body(mailbox, address="fourth@ours.example")).status_code == 201


def test_two_requests_at_once_make_one_account_and_never_a_fourth(cast, mailbox):
    for number in range(2):
        connected(cast, mailbox, address=f"alice{number}@ours.example")
    ready = threading.Barrier(4)

    def post(address: str) -> int:
        try:
            api = Api(cast.alice)
            ready.wait(10)
            return api.post("/email-accounts", body(mailbox, address=address)).status_code
        finally:
            database.close()

    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(pool.map(post, ["a@ours.example", "a@ours.example", "b@ours.example", "b@ours.example"]))
    assert statuses.count(201) == 1
    assert set(statuses) <= {201, 409, 422}
    assert EmailAccount.objects.count() == 3


def test_without_verify_it_is_saved_untested_but_a_forbidden_host_is_refused(cast, mailbox):
    api = Api(cast.alice)
    unreachable = body(mailbox, imap=imap(mailbox, host="no-such-host.invalid"), verify=False)
    assert api.post("/email-accounts", unreachable).status_code == 201
    for host in ("127.0.0.2", "10.0.0.1", "169.254.169.254", "::ffff:10.0.0.1", "2130706434"):
        private = body(mailbox, address="b@ours.example", imap=imap(mailbox, host=host), verify=False)
        answer = api.post("/email-accounts", private)
        assert (answer.status_code, answer.json()["code"]) == (422, "host_not_allowed")


def test_without_the_permission_nobody_connects_and_the_answer_says_who_can_grant_it(cast, mailbox):
    cast.alice.may_connect = False
    cast.alice.save()
    for path in ("/email-accounts", "/email-accounts/test"):
        answer = Api(cast.alice).post(path, body(mailbox))
        assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed")
        assert "Erin" in answer.json()["detail"]


def test_managers_and_admins_add_for_others_colleagues_do_not(cast, mailbox):
    statuses = [
        Api(actor).post("/email-accounts", body(mailbox, owner=cast.alice.pk, address=f"x{n}@ours.example")).status_code
        for n, actor in enumerate(cast.everyone())
    ]
    assert statuses == [201, 201, 403, 201]
    assert {account.owner for account in EmailAccount.objects.all()} == {cast.alice}


def test_who_sees_what_of_an_account(cast, mailbox):
    account = make_account(cast.alice, visibility="owner")
    store(account, make_raw("ewa@kwiat.example", "alice@ours.example"))
    path = f"/email-accounts/{account.pk}"
    said = [Api(viewer).get(path) for viewer in [*cast.everyone(), None]]
    assert [answer.status_code for answer in said] == [200, 200, 404, 200, 401]
    assert [answer.json()["downloaded"] for answer in said if answer.status_code == 200] == [1, None, None]
    for part in ("folders", "ledger"):
        statuses = [Api(viewer).get(f"{path}/{part}").status_code for viewer in [cast.bob, cast.charlie, cast.erin]]
        assert statuses == [404, 404, 404]
    assert Api(cast.alice).get(f"{path}/ledger").status_code == 200
    for method, at, data in [
        ("PATCH", path, {}), ("DELETE", path, None), ("POST", f"{path}/download", {}),
        ("POST", f"{path}/reactivate", {}), ("PUT", f"{path}/folders", {"items": []}),
    ]:  # fmt: skip
        assert Api(cast.charlie).call(method, at, data).status_code == 404, (method, at)


def test_a_download_tells_its_run_and_the_counts_follow(cast, mailbox, monkeypatch):
    mailbox.deliver(make_raw("ewa@kwiat.example", mailbox.address))
    account = connected(cast, mailbox)
    monkeypatch.setattr(tasks, "download_task", services.sync_account)  # a worker that is there at once
    run = Api(cast.alice).call("POST", f"/email-accounts/{account}/download?wait=20", {}).json()
    assert run == {"run": run["run"], "state": "done", "new": 1, "assigned": 0, "error": None}
    row = Api(cast.alice).get(f"/email-accounts/{account}").json()
    assert (row["downloaded"], row["assigned"], row["unassigned"]) == (1, 0, 1)
    assert row["last_synchronized_at"]


def test_a_second_download_joins_the_running_one(cast, mailbox):
    account = connected(cast, mailbox)
    first, second = (Api(cast.alice).call("POST", f"/email-accounts/{account}/download").json() for _ in range(2))
    assert first == second
    assert first["state"] == "running"


def test_refused_downloads_count_to_ten_then_409_until_a_reactivation_that_tests_first(cast, mailbox, monkeypatch):
    account = connected(cast, mailbox)
    api, path = Api(cast.alice), f"/email-accounts/{account}"
    monkeypatch.setattr(tasks, "download_task", services.sync_account)
    spoil(account)
    for number in range(1, 11):
        run = api.call("POST", f"{path}/download?wait=10", {}).json()
        assert (run["state"], run["error"]["code"]) == ("failed", "imap_login_refused")
        row = api.get(path).json()
        assert (row["failed_attempts"], row["last_error"]["code"]) == (number, "imap_login_refused")
        assert row["state"] == ("needs_sign_in" if number < 10 else "deactivated")
    for method, part in [("POST", "download"), ("PUT", "folders")]:
        answer = api.call(method, f"{path}/{part}", {"items": []})
        assert (answer.status_code, answer.json()["code"]) == (409, "account_deactivated")
    refused = api.post(f"{path}/reactivate")
    assert (refused.status_code, refused.json()["code"]) == (422, "imap_login_refused")
    assert api.get(path).json()["state"] == "deactivated"
    changed = api.call("PATCH", path, {"imap": {"password": mailbox.dovecot.password}})
    assert changed.status_code == 200, changed.content
    said = changed.json()
    assert (said["state"], said["failed_attempts"], said["last_error"]) == ("active", 0, None)


def spoil(account_id: int) -> None:
    """As if the password had been changed at the server."""
    account = EmailAccount.objects.get(pk=account_id)
    account.sealed_imap_password = account_services.changes.secrets.seal("old", bound_to=f"{account.secret_id}:imap")
    account.save()


def test_reactivate_forgets_the_failures_when_the_test_is_green(cast, mailbox):
    account = connected(cast, mailbox)
    EmailAccount.objects.update(state="deactivated", failed_attempts=10, last_error_code="imap_timeout")
    said = Api(cast.bob).post(f"/email-accounts/{account}/reactivate").json()
    assert (said["state"], said["failed_attempts"], said["last_error"]) == ("active", 0, None)
    assert said["next_synchronization_at"]


def test_a_new_password_is_tested_before_it_replaces_the_old_one(cast, mailbox):
    account = connected(cast, mailbox)
    before = EmailAccount.objects.get().sealed_imap_password
    answer = Api(cast.alice).call("PATCH", f"/email-accounts/{account}", {"imap": {"password": "wrong"}})
    assert (answer.status_code, answer.json()["code"]) == (422, "imap_login_refused")
    assert EmailAccount.objects.get().sealed_imap_password == before


def test_a_stored_password_follows_its_owner_to_another_server_but_nobody_else(cast, mailbox):
    """Else whoever manages a team could have the passwords of its members sent to a server of their own."""
    account = connected(cast, mailbox)
    with Proxy(mailbox.dovecot.port) as proxy:
        moved = {"imap": {"port": proxy.port}}
        for actor in (cast.bob, cast.erin):
            answer = Api(actor).call("PATCH", f"/email-accounts/{account}", moved)
            assert answer.status_code == 422
            assert answer.json()["errors"][0]["field"] == "imap.password"
            assert proxy.connections == 0
        borrowed = {"smtp": {"host": "127.0.0.1", "port": proxy.port, "security": "none"}}
        answer = Api(cast.bob).call("PATCH", f"/email-accounts/{account}", borrowed)
        assert (answer.status_code, proxy.connections) == (422, 0)
        assert Api(cast.alice).call("PATCH", f"/email-accounts/{account}", moved).status_code == 200


def test_only_the_owner_changes_visibility_and_direction_and_nobody_the_owner(cast, mailbox):
    account = connected(cast, mailbox)
    path = f"/email-accounts/{account}"
    for change in ({"visibility": "owner"}, {"store": "sent"}):
        for actor in (cast.bob, cast.erin):
            assert Api(actor).call("PATCH", path, change).status_code == 403
        assert Api(cast.alice).call("PATCH", path, change).status_code == 200
    for actor in (cast.alice, cast.erin):
        assert Api(actor).call("PATCH", path, {"owner": cast.erin.pk}).status_code == 422
    said = Api(cast.bob).call("PATCH", path, {"on_dashboard": False, "visibility": "owner"}).json()
    assert (said["on_dashboard"], said["visibility"]) == (False, "owner")


def test_pausing_stops_the_schedule_and_going_on_is_at_once(cast, mailbox):
    account = connected(cast, mailbox)
    path = f"/email-accounts/{account}"
    paused = Api(cast.bob).call("PATCH", path, {"state": "paused"}).json()
    assert (paused["state"], paused["next_synchronization_at"]) == ("paused", None)
    active = Api(cast.alice).call("PATCH", path, {"state": "active"}).json()
    assert active["state"] == "active"
    assert active["next_synchronization_at"]


@pytest.mark.parametrize("messages", ["keep", "delete"])
def test_deleting_keeps_or_deletes_the_messages_and_forgets_the_password(cast, mailbox, messages):
    account = connected(cast, mailbox)
    mine = EmailAccount.objects.get()
    message = store(mine, make_raw("ewa@kwiat.example", mailbox.address))
    gone = Api(cast.alice).call("DELETE", f"/email-accounts/{account}?messages={messages}")
    assert gone.status_code == 204
    assert Api(cast.alice).get(f"/email-accounts/{account}").status_code == 404
    assert (Api(cast.charlie).get(f"/messages/{message.pk}").status_code == 200) == (messages == "keep")
    left = EmailAccount.objects.filter(pk=account).first()
    assert (left is None) == (messages == "delete")
    assert left is None or (left.sealed_imap_password, left.lease_token) == ("", "")
    assert Api(cast.alice).post("/email-accounts", body(mailbox)).status_code == 201  # the address is free again


def test_folders_are_listed_live_and_chosen_by_the_owner_alone(cast, mailbox):
    mailbox.deliver(make_raw("a@kwiat.example", mailbox.address), folder="Projekty")
    account = connected(cast, mailbox, visibility="everyone")
    path = f"/email-accounts/{account}/folders"
    listed = Api(cast.alice).get(path).json()["items"]
    by_name = {folder["name"]: folder for folder in listed}
    assert (by_name["INBOX"]["role"], by_name["INBOX"]["selected"]) == ("inbox", True)
    assert by_name["Projekty"]["selected"] is False
    choice = {"items": [{"id": by_name["Projekty"]["id"]}, {"name": "INBOX"}]}
    assert Api(cast.bob).call("PUT", path, choice).status_code == 403
    chosen = Api(cast.alice).call("PUT", path, choice).json()["items"]
    assert {folder["name"] for folder in chosen if folder["selected"]} == {"INBOX", "Projekty"}
    unknown = Api(cast.alice).call("PUT", path, {"items": [{"id": 2**40, "selected": True}]})
    assert unknown.status_code == 422
    assert Folder.objects.get(name="Projekty").selected


def test_folders_of_a_dead_server_are_a_502_in_words(cast, mailbox):
    account = connected(cast, mailbox)
    EmailAccount.objects.update(imap_port=free_port())
    answer = Api(cast.alice).get(f"/email-accounts/{account}/folders")
    assert (answer.status_code, answer.json()["code"]) == (502, "imap_unreachable")


def test_the_list_pages_by_cursor_and_its_queries_do_not_grow(cast, django_assert_max_num_queries):
    for _ in range(5):
        make_account(cast.alice)
    api = Api(cast.erin)
    first = api.get("/email-accounts", limit=2).json()
    second = api.get("/email-accounts", limit=2, cursor=first["next_cursor"]).json()
    third = api.get("/email-accounts", limit=2, cursor=second["next_cursor"]).json()
    ids = [item["id"] for page in (first, second, third) for item in page["items"]]
    assert ids == sorted(ids)
    assert (len(set(ids)), third["next_cursor"]) == (5, None)
    with django_assert_max_num_queries(13):
        api.get("/email-accounts")
    for wrong in ("abc", "W10", "WyJ4Il0"):
        assert api.get("/email-accounts", cursor=wrong).status_code == 422


def test_in_basic_only_the_default_account_may_send(cast):
    smtp = {"smtp_host": "127.0.0.1", "smtp_port": 25, "smtp_security": "none", "sending_active": True}
    first, second = make_account(cast.alice, is_default=True, **smtp), make_account(cast.alice, **smtp)
    Workspace.objects.update_or_create(pk=1, defaults={"package": "basic"})
    api = Api(cast.alice)

    def sending() -> dict[int, tuple[bool, bool]]:
        items = api.get("/email-accounts").json()["items"]
        return {item["id"]: (item["sending_active"], item["is_default"]) for item in items}

    assert sending() == {first.pk: (True, True), second.pk: (False, False)}
    assert api.call("PATCH", f"/email-accounts/{second.pk}", {"is_default": True}).status_code == 200
    assert sending() == {first.pk: (False, False), second.pk: (True, True)}
    none = make_account(cast.alice)
    assert api.call("PATCH", f"/email-accounts/{none.pk}", {"is_default": True}).status_code == 422
