"""From "Add" until the first message stands on a wall: a large account, 50 ms round trips, the whole product."""

from __future__ import annotations

import argparse
import time

from benchmarks import corpus, mailboxes
from benchmarks.measure import report
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.product import Product, RemoteApi
from tests.rig.proxy import Proxy

ROUND_TRIP_SECONDS = 0.05
PATIENCE_SECONDS = 120.0


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench first-wall")
    parser.add_argument("--messages", type=int, default=12_000)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args(arguments)
    added, shown = [], []
    with Dovecot() as dovecot:
        mailboxes.fill_text(dovecot, options.messages)
        for _ in range(options.repeats):
            with Proxy(dovecot.port, delay_seconds=ROUND_TRIP_SECONDS / 2) as proxy:
                until_added, until_shown = _add_and_look(proxy.port, corpus.sender_of(options.messages - 1))
            added.append(until_added)
            shown.append(until_shown)
    report("first_wall_connection_tested_and_added", added, "s")
    report("first_wall_first_messages", shown, "s")


def _add_and_look(port: int, sender: str) -> tuple[float, float]:
    """Seconds until the account is added (it is tested first), and until its newest message is on the wall."""
    product = Product()
    try:
        api = product.user("owner@bench.example", role="admin")
        contact = api.ok("POST", "/contacts", {"kind": "person", "first_name": "Kunde", "emails": [sender]})["id"]
        begun = time.perf_counter()
        server = {"host": "127.0.0.1", "port": port, "security": "none", "username": mailboxes.TEXT}
        account = {"address": mailboxes.TEXT, "imap": {**server, "password": PASSWORD}, "store": "both"}
        api.ok("POST", "/email-accounts", {**account, "visibility": "everyone"})
        added = time.perf_counter() - begun
        _wait_for_wall(api, contact, begun + PATIENCE_SECONDS)
        return added, time.perf_counter() - begun
    finally:
        product.remove()


def _wait_for_wall(api: RemoteApi, contact: int, until: float) -> None:
    while not api.ok("GET", f"/contacts/{contact}/wall")["items"]:
        if time.perf_counter() > until:
            raise SystemExit("no message came")
        time.sleep(0.05)
