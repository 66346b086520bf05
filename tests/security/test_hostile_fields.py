"""Whatever a row holds is shown as text: every text column hostile at once, every page asked, its DOM walked."""

from __future__ import annotations

import re

import pytest
from django.apps import apps
from django.db import models
from django.db.models import F, TextField, Value
from django.db.models.functions import Cast, Concat
from selectolax.lexbor import LexborHTMLParser

from tests.flows.private import OWNER, make_world
from tests.flows.test_visibility_everywhere import ASKED, Viewer, addresses, queries, said

HOLE = """"'--></title></textarea></script><x-hole onfocus=alert(1) autofocus></x-hole><img src=x onerror=alert(2)>{{7*7}}\u202e"""
SHORT = "'\"><x-hole>"
#: columns that hold words of ours, keys, numbers as text, or what forms have checked: hostile values could not come there
OURS = {
    "state", "rule", "role", "zone", "time_zone", "language", "theme", "password", "token", "lease_token", "kind", "uids",
    "delimiter", "section", "encoding", "thread_key", "dedupe_key", "content_key", "key", "body_hash", "sealed_imap_password",
    "sealed_smtp_password", "action", "target", "message_id_header", "token_hash", "machine", "part", "domain", "direction",
    "search_key", "sort_key", "msgid", "quiet_msgid", "error_msgid", "last_error_msgid", "paused_reason", "automatic", "codename",
}  # fmt: skip
WHOLE_HTML = {("sending.Signature", "html"), ("sending.MailTemplate", "html"), ("sequences.Step", "html")}
QUERIES = (
    "q",
    "address",
    "email",
    "tab",
    "type",
    "domain",
    "order",
    "contact",
    "account",
    "next",
    "since",
    "view",
    "by",
)
SAFE_LINK = re.compile(r"(/(?!/)|#|\?|https?://|mailto:|tel:|$)")


def make_hostile() -> int:
    """Put the hole into every text column; gives how many columns."""
    count = 0
    for model in apps.get_models():
        label = model._meta.label
        if model._meta.app_label in ("sessions", "contenttypes", "account", "mfa", "auth") or not model._meta.managed:
            continue
        for field in model._meta.concrete_fields:
            if not isinstance(field, models.CharField | models.TextField) or field.choices or field.name in OURS:
                continue
            text = f"<p>{HOLE}</p>" if (label, field.name) in WHOLE_HTML else HOLE
            room = (field.max_length or 10_000) - 12
            text = text if len(text) <= room else SHORT
            if len(text) > room:
                continue
            unique = (
                field.unique
                or any(field.name in names for names in model._meta.unique_together)
                or _in_constraint(model, field.name)
            )
            value = Concat(Value(text), Cast(F("pk"), TextField())) if unique else Value(text)
            if isinstance(field, models.EmailField) or field.name == "address":
                value = Concat(Value(SHORT), Cast(F("pk"), TextField()), Value("@x.example"))
            model._base_manager.update(**{field.name: value})
            count += 1
    return count


def _in_constraint(model: type[models.Model], name: str) -> bool:
    return any(name in getattr(constraint, "fields", ()) for constraint in model._meta.constraints)


def holes(html: str) -> list[str]:
    """What in a page's DOM came from a row and became more than text."""
    tree = LexborHTMLParser(html)
    found = [node.html or "" for node in tree.css("x-hole, img[src=x]")]
    for node in tree.css("*"):
        for name, value in node.attributes.items():
            if name.startswith("on") or (name in ("href", "action", "formaction") and not SAFE_LINK.match(value or "")):
                found.append(f"{node.tag} {name}={value}")
        if node.tag == "script" and "src" not in node.attributes and "json" not in (node.attributes.get("type") or ""):
            found.append(f"script {node.text()}")
    return found


@pytest.fixture
def world(cast):
    return make_world(cast)


@pytest.mark.slow
def test_nothing_that_a_row_holds_becomes_markup(world):
    assert make_hostile() > 60
    found, broken = [], []
    hostile = "&".join(f"{name}={HOLE}" for name in QUERIES)
    for user, part in ((world.cast.alice, ""), (world.cast.erin, "settings/")):
        user.refresh_from_db()
        viewer, asked = Viewer(user), queries(world)
        for pattern in [pattern for pattern in ASKED if pattern.startswith(part) and not pattern.startswith("api/v1")]:
            for path in list(addresses(world, pattern))[:2]:
                for address in (
                    path,
                    f"{path}?{hostile}",
                    *(f"{path}?{query}" for query in asked.get(pattern, ())[:2]),
                ):
                    answer = viewer.ask(address)
                    if answer.status_code == 500:
                        broken.append(address[:80])
                    if answer.headers.get("Content-Type", "").startswith("text/html"):
                        found += [(address[:80], hole) for hole in holes(said(answer))]
    assert found == []
    assert broken == []


def test_the_walk_sees_holes():
    assert len(holes(f"<p title='{HOLE}'>{HOLE}</p><a href='javascript:x'>x</a>")) >= 4
    assert OWNER and holes("<p>fine</p><a href='/x'>x</a>") == []
