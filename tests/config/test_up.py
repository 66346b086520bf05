"""`mailwall up` keeps its processes running and ends cleanly."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time

import pytest

from tests.rig.processes import wait_until
from tests.rig.product import Product

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def product():
    product = Product(fresh=True)
    yield product
    product.remove()


def part(product: Product, words: str) -> int:
    """The process id of a part, 0 when it does not run."""
    rows = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True).stdout.splitlines()
    mine = [row.split(None, 2) for row in rows]
    return next((int(pid) for pid, parent, args in mine if int(parent) == product.process.pid and words in args), 0)


def events(product: Product) -> list[dict]:
    return [json.loads(line) for line in product.log.splitlines() if line.startswith("{")]


@pytest.mark.parametrize(("name", "words"), [("worker", " worker"), ("web", "gunicorn")])
def test_a_killed_part_is_started_again_and_the_log_says_so(product, name, words):
    before = part(product, words)
    assert before
    os.kill(before, signal.SIGKILL)
    wait_until(lambda: part(product, words) not in (0, before), seconds=30, what=f"{name} was not started again")
    [told] = [
        event
        for event in events(product)
        if event["event"] == "a part ended and is started again" and event["part"] == name
    ]
    assert told["status"] == -signal.SIGKILL


def test_everything_is_gone_within_ten_seconds_of_sigterm(product):
    pids = [part(product, words) for words in (" worker", "gunicorn")]
    begin = time.monotonic()
    product.stop()
    assert time.monotonic() - begin < 10
    assert product.process.returncode == 0
    for pid in pids:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
