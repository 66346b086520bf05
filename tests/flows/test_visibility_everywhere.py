"""Every address of the product, asked by those who may not see: no trace of a secret, in what is said or counted.

The addresses are read from the URL list, so that a new page is asked from its first day on.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Iterator

import pytest
import time_machine
from django.apps import apps
from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client
from django.urls import get_resolver

from mailwall.team import services as team_services
from tests.flows.private import EWA, MANAGERS, NARROWED, OWNER, World, erase, make_world

PARAMETER = re.compile(r"<(?:\w+:)?(\w+)>")
PUBLIC = ("healthz", "readyz", "metrics", "accounts/", "setup/", "preferences/", "unsubscribe/", "opened/", "api/v1/openapi.json", "api/docs", "api/v1/")  # fmt: skip
MINE = {
    "message_id", "attachment_id", "account_id", "draft_id", "file_id", "outgoing_id", "sequence_id", "enrolment_id",
    "task_id", "template_id", "ignored_id", "rule_id", "folder_id", "entry_id", "token_id",
}  # fmt: skip
HIDDEN_FROM = {"charlie": (OWNER, NARROWED, MANAGERS), "erin": (OWNER, NARROWED, MANAGERS), "bob": (OWNER, NARROWED)}
VARYING = re.compile(
    r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|[A-Za-z0-9]{64}|[\d.,]+\s[MGT]B free"
)
NOTHING_THERE = ("discard/", "restore/")  # deeds that may be done twice: nothing there, nothing done
SUMS = (
    "/settings/system/",
)  # how much the installation sends and stores is told to its administrators, of nobody alone
SPECIAL_COLUMNS = {"last_used_at", "last_login"}


def patterns(resolver=None, prefix: str = "") -> Iterator[str]:
    for entry in (resolver or get_resolver()).url_patterns:
        path = prefix + str(entry.pattern)
        if hasattr(entry, "url_patterns"):
            yield from patterns(entry, path)
        elif "accounts/^" not in path and not path.startswith("accounts/confirm-email/<"):
            yield path


ALL = sorted(set(patterns()))
ASKED = [
    path for path in ALL if not path.startswith(("accounts/", "setup/", "unsubscribe/", "opened/", "preferences/"))
]


def addresses(world: World, pattern: str) -> Iterator[str]:
    """The pattern filled with the ids that stand for its parameters: an attachment's with that of its message."""
    ids = [world.ids[name] for name in PARAMETER.findall(pattern)]
    for number in range(max((len(values) for values in ids), default=1)):
        values = [values[number % len(values)] for values in ids]
        path = pattern
        for value in values:
            path = PARAMETER.sub(str(value), path, count=1)
        yield "/" + path


def queries(world: World) -> dict[str, list[str]]:
    """What is asked beside the bare address, where an address takes a query."""
    tokens = [token[:6] for token in (OWNER, NARROWED, MANAGERS)]
    words = [f"q={token}" for token in tokens]
    mails, people = world.ids["message_id"], world.ids["contact_id"]
    boxes = world.ids["account_id"]
    searches = [*words, "q=has:attachment", "q=pdf", "q=Both", *(f"q=from:{token}" for token in tokens)]
    of_box = [f"account={pk}" for pk in boxes]
    lists = (
        [f"email_account={pk}" for pk in boxes]
        + [f"contact={pk}" for pk in people]
        + ["assigned=false", "assigned=true"]
    )
    domains = [
        f"tab={tab}{more}"
        for tab in ("people", "automatic", "newsletters", "ignored")
        for more in ("", "&by=domain", "&domain=else.example")
    ]
    unknown = [f"address={token}@else.example" for token in (OWNER, NARROWED, MANAGERS)]
    answers = [f"{mode}={pk}" for mode in ("reply", "reply_all", "forward") for pk in mails]
    return {
        "search": [*searches, "q=has:attachment&order=best"],
        "api/v1/search": [*searches, "q=has:attachment&order=best"],
        "mail/": [*of_box, *words, "tab=unassigned", "tab=sent", "tab=received", "tab=waiting"],
        "api/v1/messages": lists,
        "contacts/": words,
        "contacts/new/": [f"email={EWA}"],
        "api/v1/contacts": [*words, f"email={EWA}"],
        "contacts/<int:contact_id>/": [*words, "type=email", "q=Both"],
        "contacts/<int:contact_id>/feed/": [*words, "type=email"],
        "api/v1/contacts/<int:contact_id>/wall": [*words, "type=email", "q=Both"],
        "triage/": domains,
        "triage/messages/": [*unknown, "address=who@new.example"],
        "triage/assign/": [f"{address}&q=Ewa" for address in unknown],
        "compose/": [*answers, *of_box, *(f"contact={pk}" for pk in people)],
        "compose/people/": [*words, "q=else", "q=ewa"],
        "compose/from/": of_box,
        "settings/email-accounts/signature/": of_box,
        "api/v1/me/signature": [f"email_account={pk}" for pk in boxes],
        "settings/email-accounts/templates/new/": [f"copy={pk}" for pk in world.ids["template_id"]],
        "settings/email-accounts/readers/": [f"owner={world.cast.alice.pk}&visibility=owner"],
        "sequences/choose/go/": [f"sequence={pk}" for pk in world.ids["sequence_id"]],
    }  # fmt: skip


class Viewer:
    """Asks pages signed in, and the API by a token."""

    def __init__(self, user) -> None:
        self.client = Client(raise_request_exception=False)
        self.token = ""
        if user:
            self.client.force_login(user)
            self.token = team_services.create_token(user)

    def ask(self, path: str, method: str = "get", *, htmx: bool = False, body=None):
        headers = {"HX-Request": "true"} if htmx else {}
        options = {}
        if path.startswith("/api/"):
            headers = {"Authorization": f"Bearer {self.token}"} if self.token else {}
            options = {"content_type": "application/json"} if method != "get" else {}
        if method != "get":
            options["data"] = body or {}
        return getattr(self.client, method)(path, headers=headers, **options)


def said(response) -> str:
    body = b"".join(response.streaming_content) if response.streaming else response.content
    return f"{response.status_code} {response.headers.get('Location', '')} {body.decode(errors='replace')}"


def crawl(world: World, viewer: Viewer, but: Collection[str] = ()) -> dict[str, str]:
    """What the viewer is told at every address, pages also as fragments. but: patterns that are left out."""
    return {address: text for address, text, _response in answers(world, viewer, but)}


def answers(
    world: World, viewer: Viewer, but: Collection[str] = ()
) -> Iterator[tuple[str, str, HttpResponse | StreamingHttpResponse]]:
    asked = queries(world)
    for pattern in [pattern for pattern in ASKED if pattern not in but]:
        for path in addresses(world, pattern):
            for address in (path, *(f"{path}?{query}" for query in asked.get(pattern, ()))):
                for htmx in (False,) if path.startswith("/api/") else (False, True):
                    response = viewer.ask(address, htmx=htmx)
                    yield f"{address}{' htmx' * htmx}", said(response), response


def rows() -> dict[str, str]:
    """A digest of each table, but for sessions and the moments of last use."""
    digests = {}
    for model in apps.get_models():
        if model._meta.app_label == "sessions" or not model._meta.managed:
            continue
        names = [field.attname for field in model._meta.concrete_fields if field.name not in SPECIAL_COLUMNS]
        content = "\n".join(sorted(repr(row) for row in model._base_manager.values_list(*names)))
        digests[model._meta.label] = hashlib.sha256(content.encode()).hexdigest()
    return digests


def changed(before: dict[str, str]) -> list[str]:
    return [label for label, digest in rows().items() if digest != before[label]]


@pytest.fixture
def world(cast) -> Iterator[World]:
    made = make_world(cast)
    with time_machine.travel(made.person.created_at, tick=False):
        yield made


def test_each_parameter_of_an_address_is_asked_with_a_secret_id(world):
    names = {name for pattern in ASKED for name in PARAMETER.findall(pattern)}
    assert names <= set(world.ids)


@pytest.mark.slow
@pytest.mark.parametrize("who", HIDDEN_FROM)
def test_who_may_not_see_cannot_tell_it_from_a_world_without(world, who):
    viewer, secret = Viewer(getattr(world.cast, who)), HIDDEN_FROM[who]
    before = rows()
    refused = foreign(manages=who != "charlie")  # another test sees that these do not exist
    told = crawl(world, viewer, but=refused)
    assert changed(before) == []
    traces = [(at, token) for at, text in told.items() for token in secret if token in text and token not in at]
    assert traces == []
    assert [address for address, text in told.items() if text.startswith("500")] == []
    with transaction.atomic():
        erase(world, *secret)
        without = crawl(world, viewer, but=refused)
        transaction.set_rollback(True)
    same = [address for address in told if VARYING.sub("", told[address]) == VARYING.sub("", without[address])]
    differing = [address for address in told if address not in same and not address.startswith(SUMS)]
    assert differing == []


@pytest.mark.slow
def test_looking_at_everything_changes_nothing_and_no_page_trusts_a_foreign_script(world):
    alice = Viewer(world.cast.alice)
    before, broken, bare = rows(), [], []
    for address, text, response in answers(world, alice):
        if text.startswith("500"):
            broken.append(address)
        bare += [(address, fault) for fault in missing_in(response, text)]
    assert changed(before) == []
    assert broken == []
    assert bare == []


def missing_in(response: HttpResponse | StreamingHttpResponse, text: str) -> Iterator[str]:
    """What an answer has to tell the browser, for the case that something foreign got into it."""
    if response.headers.get("X-Content-Type-Options") != "nosniff":
        yield "nosniff"
    if not response.headers.get("Content-Type", "").startswith("text/html"):
        return
    parts = [part.split() for part in response.headers["Content-Security-Policy"].split(";") if part.strip()]
    policy = {name: values for name, *values in parts}
    scripts = policy.get("script-src", policy.get("default-src", ["missing"]))
    if set(scripts) - {"'self'", "'none'"} or policy.get("frame-ancestors") not in (["'none'"], ["'self'"]):
        yield str(policy)
    if re.search(r"<script(?![^>]*\b(?:src|type=.application/json))|\son[a-z]+=[\"']", text):
        yield "inline script"


@pytest.mark.parametrize("who", HIDDEN_FROM)
def test_what_is_not_theirs_does_not_exist_for_others(world, who):
    viewer, manages = Viewer(getattr(world.cast, who)), who != "charlie"
    found = []
    for pattern in foreign(manages):
        for path in addresses(world, pattern):
            status = viewer.ask(path).status_code
            is_team_mail = who == "bob" and MANAGERS in {
                token for token in world.hidden for pk in world.hidden[token] if str(pk) in path
            }
            if status not in (404, 405) and not is_team_mail:
                found.append((path, status))
    assert found == []


def foreign(manages: bool) -> list[str]:
    """Patterns with an id of something that is Alice's alone. manages: her accounts' settings are the viewer's too."""
    shared = {"account_id", "folder_id"} if manages else set()
    return [pattern for pattern in ASKED if set(PARAMETER.findall(pattern)) & (MINE - shared)]


BODY = {
    "since": "2026-01-01", "paused": True, "only_owner": False, "state": "stopped", "decision": "send_again",
    "contacts": [], "text": "Mine now", "folders": [], "name": "Mine now", "visibility": "everyone", "html": "Mine",
}  # fmt: skip


@pytest.mark.parametrize("who", ["charlie", "erin", "bob", ""])
def test_nobody_changes_what_is_not_theirs(world, who):
    viewer = Viewer(getattr(world.cast, who) if who else None)
    refused = {401, 403, 404, 405, 422} if who else {401, 302, 405, 404}
    before, done = rows(), []
    for pattern in foreign(manages=who in ("bob", "erin")):
        for path in addresses(world, pattern):
            if who == "bob" and any(str(pk) in path for pk in world.hidden[MANAGERS]):
                continue  # her manager may assign it
            for method in ("post", "put", "patch", "delete") if path.startswith("/api/") else ("post",):
                status = viewer.ask(path, method, body=BODY).status_code
                if status not in refused and not pattern.endswith(NOTHING_THERE):
                    done.append((method, path, status))
    assert changed(before) == []
    assert done == []


def test_signed_out_everything_asks_to_sign_in(world):
    nobody, open_doors = Viewer(None), []
    for pattern in ASKED:
        for path in addresses(world, pattern):
            if pattern in PUBLIC:
                continue
            answer = nobody.ask(path)
            to_sign_in = answer.status_code == 302 and answer.headers["Location"].startswith("/accounts/login/")
            if not (answer.status_code in ((401, 405) if path.startswith("/api/v1/") else (405,)) or to_sign_in):
                open_doors.append((path, answer.status_code))
    assert open_doors == []
