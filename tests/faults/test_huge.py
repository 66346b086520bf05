"""Check 28 of reliability.md: huge and monstrous mails cost bounded memory and time, and nothing of their neighbours."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.rig import mails, migrated
from tests.rig.fixtures import Mailbox
from tests.sync.conftest import ago

MEGABYTE = 1024 * 1024
MEMORY_LIMIT = 512 * MEGABYTE
LINE = "Zażółć gęślą jaźń, 1234567890.\r\n".encode()

SETUP = """
import sys, django; django.setup()
from datetime import datetime, UTC
from tests.cast import make_account, make_cast
from mailwall.web import secrets
address, password, port = sys.argv[1:]
account = make_account(make_cast().alice, address, imap_port=int(port), next_sync_at=datetime.now(UTC))
account.sealed_imap_password = secrets.seal(password, bound_to=f"{account.secret_id}:imap")
account.save()
"""
# a process between the two: a child begins with the peak of its parent, and the parent is a whole test run
MEASURED = """
import resource, subprocess, sys
done = subprocess.run([sys.executable, "-m", "mailwall.config", "sync", "--json"], stdout=subprocess.PIPE)
sys.stdout.write(done.stdout.decode() + str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
"""
STORED = """
import django, json; django.setup()
from mailwall.mailstore.models import MessageBody
from mailwall.sync.models import LedgerEntry
rows = MessageBody.objects.select_related("message")
told = {row.message.message_id.partition("@")[0]: [len(row.text.encode()), row.text[-40:]] for row in rows}
failed = list(LedgerEntry.objects.filter(outcome=LedgerEntry.Outcome.FAILED).values_list("uid", "rule"))
print(json.dumps([told, failed]))
"""


@dataclass(frozen=True)
class Cycle:
    """What one `mailwall sync` cost and told."""

    seconds: float
    peak_bytes: int
    states: list[str]


class Installation:
    """A Mailwall of its own, run as processes, so that the memory of one cycle can be measured."""

    def __init__(self, folder: Path) -> None:
        self.environment = {
            **os.environ,
            "MAILWALL_DATA_DIR": str(folder),
            "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1",
            "DJANGO_SETTINGS_MODULE": "mailwall.config.settings",
        }

    def python(self, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], env=self.environment, capture_output=True, text=True, timeout=120, check=True
        )
        return done.stdout

    def sync(self) -> Cycle:
        begin = time.monotonic()
        told, peak = self.python("-c", MEASURED).rsplit("\n", 1)
        states = [account["state"] for account in json.loads(told)["accounts"]]
        return Cycle(time.monotonic() - begin, int(peak) * 1024, states)

    def stored(self) -> tuple[dict[str, list], list]:
        told, failed = json.loads(self.python("-c", STORED))
        return told, failed


def header(name: str, *fields: str) -> bytes:
    first = [
        "From: Ewa Kwiat <ewa@kwiat.example>",
        "To: Alice <alice@example.org>",
        f"Subject: {name}",
        f"Message-ID: <{name}@kwiat.example>",
        "Date: Mon, 23 Nov 2026 10:00:00 +0000",
        "MIME-Version: 1.0",
    ]
    return "\r\n".join([*first, *fields]).encode() + b"\r\n\r\n"


def attachment(size: int) -> bytes:
    top = header("attachment", 'Content-Type: multipart/mixed; boundary="b"')
    text = b"--b\r\nContent-Type: text/plain\r\n\r\nPlease find the film attached.\r\n"
    file = b"--b\r\nContent-Type: video/mp4\r\nContent-Transfer-Encoding: base64\r\n"
    file += b'Content-Disposition: attachment; filename="film.mp4"\r\n\r\n'
    return top + text + file + base64.encodebytes(bytes(size)).replace(b"\n", b"\r\n") + b"--b--\r\n"


def long_text(size: int) -> bytes:
    text = LINE * (size // len(LINE))
    return text[: -len(b"The end.\r\n")] + b"The end.\r\n"


def text_8bit(size: int) -> bytes:
    return header("8bit", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: 8bit") + long_text(
        size
    )


def text_base64(size: int) -> bytes:
    top = header("base64", "Content-Type: text/plain; charset=utf-8", "Content-Transfer-Encoding: base64")
    return top + base64.encodebytes(long_text(size)).replace(b"\n", b"\r\n")


def many_parts(number: int) -> bytes:
    part = b"--b\r\nContent-Type: text/plain\r\n\r\nOne of many.\r\n"
    return header("parts", 'Content-Type: multipart/mixed; boundary="b"') + part * number + b"--b--\r\n"


def nested(depth: int) -> bytes:
    def levels() -> Iterator[str]:
        for level in range(1, depth):
            yield f'--b{level - 1}\r\nContent-Type: multipart/mixed; boundary="b{level}"\r\n\r\n'

    inner = f"--b{depth - 1}\r\nContent-Type: text/plain\r\n\r\nDeep down.\r\n"
    return (
        header("nested", 'Content-Type: multipart/mixed; boundary="b0"') + "".join(levels()).encode() + inner.encode()
    )


def many_headers(number: int) -> bytes:
    fields = [f"X-Field-{each}: value of field {each}" for each in range(number)]
    return header("headers", *fields, "Content-Type: text/plain") + b"Below many headers.\r\n"


def ordinary(_: int) -> bytes:
    return mails.mail(message_id="<ordinary@kwiat.example>", text="An ordinary mail.\n")


def fill(mailbox: Mailbox, *monsters: bytes) -> None:
    """Newest first is the order of an import: the ordinary mail comes last."""
    ordinary = mails.mail(message_id="<ordinary@kwiat.example>", text="An ordinary mail.\n")
    mailbox.fill([(raw, ago(1 + number)) for number, raw in enumerate([*monsters, ordinary])])


def monsters(scale: float, *, text: int) -> list[bytes]:
    return [
        attachment(int(150 * MEGABYTE * scale)),
        text_8bit(int(30 * MEGABYTE * scale)),
        text_base64(text),
        many_parts(int(10_000 * scale)),
        nested(int(5_000 * scale)),
        many_headers(int(20_000 * scale)),
    ]


def assert_all_here(product: Installation, cycle: Cycle, *, text: int) -> None:
    print(f"{cycle.seconds:.1f} s, peak {cycle.peak_bytes // MEGABYTE} MB")
    told, failed = product.stored()
    assert (cycle.states, failed) == (["done"], [])
    assert set(told) == {"attachment", "8bit", "base64", "parts", "nested", "headers", "ordinary"}
    assert told["base64"][1].endswith("The end.\n")
    assert told["base64"][0] > 0.95 * text
    assert told["8bit"][1].endswith("The end.\n")
    assert told["ordinary"][1] == "An ordinary mail.\n"
    assert cycle.peak_bytes < MEMORY_LIMIT


@pytest.fixture
def product(mailbox: Mailbox, tmp_path: Path) -> Installation:
    migrated.put_into(tmp_path)
    installation = Installation(tmp_path)
    installation.python("-c", SETUP, mailbox.address, mailbox.dovecot.password, str(mailbox.dovecot.port))
    return installation


@pytest.mark.live
@pytest.mark.slow
def test_monsters_cost_little_and_never_their_neighbours(product: Installation, mailbox: Mailbox):
    """One text is so long that its base64 is longer than the longest text we keep: it is whole all the same."""
    text = 25 * MEGABYTE
    fill(mailbox, *monsters(0.12, text=text))
    cycle = product.sync()
    assert_all_here(product, cycle, text=text)
    assert cycle.seconds < 60


@pytest.mark.exhaustive
def test_the_hugest_monsters_cost_little_and_never_their_neighbours(product: Installation, mailbox: Mailbox):
    text = 30 * MEGABYTE
    each = monsters(1, text=text)
    fill(mailbox, *each)
    cycle = product.sync()
    assert_all_here(product, cycle, text=text)
    assert cycle.seconds < 60 * len(each)


@pytest.mark.exhaustive
def test_several_long_texts_do_not_pile_up(product: Installation, mailbox: Mailbox):
    """As many as would be asked for at once if they were short."""
    texts = [text_base64(30 * MEGABYTE).replace(b"<base64@", b"<base64-%d@" % number) for number in range(6)]
    fill(mailbox, *texts)
    cycle = product.sync()
    print(f"{cycle.seconds:.1f} s, peak {cycle.peak_bytes // MEGABYTE} MB")
    told, failed = product.stored()
    assert (len(told), failed, cycle.states) == (7, [], ["done"])
    assert cycle.peak_bytes < MEMORY_LIMIT
