"""Requests to the installation under test, in this process, by users of its store (see seed_store)."""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
django.setup()

from django.db import connection  # noqa: E402 -- needs the line above
from django.db.models import Count  # noqa: E402
from django.test import Client  # noqa: E402

from mailwall.assignment.models import Link  # noqa: E402
from mailwall.config import prepare, wsgi  # noqa: E402, F401 -- wsgi: as the server's processes, all loaded and frozen
from mailwall.team.models import User  # noqa: E402
from mailwall.team.services import create_token  # noqa: E402
from mailwall.team.sign_in import BACKEND  # noqa: E402

prepare.prepare_files()  # static files and translations, as `mailwall web` does
WALL_MESSAGES = 2_000


class Asker:
    """One user: signed in for pages, with a token for the API."""

    def __init__(self, user: User) -> None:
        self.browser = Client(SERVER_NAME="localhost")
        self.browser.force_login(user, backend=BACKEND)
        self.program = Client(SERVER_NAME="localhost", headers={"Authorization": f"Bearer {create_token(user)}"})

    def ask(self, path: str, query: dict[str, str]) -> None:
        """An answer other than 200 ends the benchmark."""
        client = self.program if path.startswith("/api/") else self.browser
        answer = client.get(path, query_params=query)
        if answer.status_code != 200:
            raise SystemExit(f"{path} {query}: {answer.status_code}")


class Watch:
    """Counts queries and their time. Django's own log writes each with its values, on SQLite by a query more."""

    def __init__(self) -> None:
        self.queries, self.seconds = 0, 0.0

    def __call__(self, execute: Callable[..., Any], *call: Any) -> Any:
        begin = time.perf_counter()
        try:
            return execute(*call)
        finally:
            self.queries += 1
            self.seconds += time.perf_counter() - begin


def ask_in_turn(label: str, user: User, asked: Mapping[str, tuple[str, dict[str, str]]], rounds: int) -> None:
    """Requests by address and query, as do_in_turn."""
    asker = Asker(user)
    do_in_turn(label, {kind: partial(asker.ask, *request) for kind, request in asked.items()}, rounds)


def do_in_turn(label: str, deeds: Mapping[str, Callable[[], object]], rounds: int) -> None:
    """Do everything once cold and `rounds` times more, in turn; print p50 and p95 in ms, the median CPU time of this
    process (on PostgreSQL without the database's), the least time in the database and the number of queries."""
    times: dict[str, list[float]] = {kind: [] for kind in deeds}
    cpu: dict[str, list[float]] = {kind: [] for kind in deeds}
    watches: dict[str, list[Watch]] = {kind: [] for kind in deeds}
    for _ in range(1 + rounds):
        for kind, deed in deeds.items():
            watch = Watch()
            begin, begin_cpu = time.perf_counter(), time.process_time()
            with connection.execute_wrapper(watch):
                deed()
            cpu[kind].append(1000 * (time.process_time() - begin_cpu))
            times[kind].append(1000 * (time.perf_counter() - begin))
            watches[kind].append(watch)
    for kind, (_cold, *values) in times.items():
        middle, high = statistics.median(values), sorted(values)[int(0.95 * len(values))]
        sql, queries = 1000 * min(watch.seconds for watch in watches[kind]), watches[kind][-1].queries
        cost = f"cpu {statistics.median(cpu[kind]):.3g}, sql {sql:.3g}, {queries} queries"
        print(f"{label}, {kind}: {middle:.3g} ms  (p95 {high:.3g}, {cost})", flush=True)


def viewers() -> dict[str, User]:
    """An administrator who manages a team, and a colleague who sees his own and what is for everyone."""
    return {name: User.objects.get(email=f"{name}@bench.example") for name in ("alice", "charlie")}


def big_wall() -> int:
    """The contact whose wall is nearest to 2,000 messages."""
    counted = Link.objects.values_list("contact").annotate(n=Count("message")).values_list("contact", "n")
    return min(counted, key=lambda row: abs(row[1] - WALL_MESSAGES))[0]
