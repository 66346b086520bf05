"""`mailwall doctor`: is everything as it should be? One line per check, each with its remedy."""

from __future__ import annotations

import shutil
from argparse import ArgumentParser
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.email_accounts.models import EmailAccount
from mailwall.email_accounts.services import imap_settings
from mailwall.errors import MailwallError
from mailwall.net.guard import resolve_allowed

Finding = tuple[str, str, str]  # check, "" or what is wrong, the remedy


class Command(BaseCommand):
    help = "Check database, queue, key, clock, disk and mail hosts."
    requires_system_checks = ()

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--no-network", action="store_true", help="leave out the look-up of mail hosts")

    def handle(self, *args: Any, **options: Any) -> None:
        checks: list[Callable[[], Iterator[Finding]]] = [_database, _queue, _key, _clock, _disk]
        if not options["no_network"]:
            checks.append(_mail_hosts)
        wrong = 0
        for check in checks:
            for name, problem, remedy in check():
                wrong += bool(problem)
                self.stdout.write(f"NOT OK  {name}: {problem} → {remedy}" if problem else f"ok      {name}")
        if wrong:
            raise SystemExit(1)


def _database() -> Iterator[Finding]:
    try:
        executor = MigrationExecutor(connection)
        pending = executor.migration_plan(executor.loader.graph.leaf_nodes())
    except DatabaseError as error:
        yield "database", f"no answer ({type(error).__name__})", "start it, or mend MAILWALL_DATABASE_URL"
        return
    yield "database", "", ""
    yield "migrations", f"{len(pending)} pending" if pending else "", "run: mailwall migrate"


def _queue() -> Iterator[Finding]:
    try:
        waiting = queue.fast.pending_count() + queue.bulk.pending_count()
    except (RedisError, OSError) as error:
        yield "queue", f"no answer ({type(error).__name__})", "start Redis, or mend MAILWALL_REDIS_URL"
        return
    yield "queue", f"{waiting} tasks wait" if waiting > 10_000 else "", "start more workers: mailwall worker"


def _key() -> Iterator[Finding]:
    unreadable = 0
    try:
        for account in EmailAccount.objects.connected().iterator():
            try:
                imap_settings(account)
            except MailwallError:
                unreadable += 1
    except DatabaseError:
        return
    remedy = "bring back the key file of this data folder, or type the passwords of these accounts again"
    yield "key", f"{unreadable} stored passwords cannot be read" if unreadable else "", remedy
    key_file = Path(settings.DATA_DIR) / "secret.key"
    loose = key_file.exists() and key_file.stat().st_mode & 0o077
    yield "key file", "others may read it" if loose else "", f"chmod 600 {key_file}"


def _clock() -> Iterator[Finding]:
    """Compared with the database's clock, which decides about leases."""
    if connection.vendor != "postgresql":
        yield "clock", "", ""
        return
    with connection.cursor() as cursor:
        cursor.execute("SELECT now()")
        off = abs((datetime.now(UTC) - cursor.fetchone()[0]).total_seconds())
    yield "clock", f"{off:.0f} s off the database's" if off > 5 else "", "set the clock by NTP"


def _disk() -> Iterator[Finding]:
    free = shutil.disk_usage(settings.DATA_DIR).free
    yield "disk", f"{free // 2**20} MB free" if free < 2**29 else "", "make room where MAILWALL_DATA_DIR lies"


def _mail_hosts() -> Iterator[Finding]:
    try:
        accounts = list(EmailAccount.objects.connected().values_list("imap_host", "imap_port").distinct())
    except DatabaseError:
        return
    for host, port in accounts:
        account = EmailAccount.objects.connected().filter(imap_host=host, imap_port=port)[0]
        try:
            resolve_allowed(host, port, imap_settings(account).policy)
            yield f"mail host {host}", "", ""
        except MailwallError as error:
            yield f"mail host {host}", str(error), "see MAILWALL_MAIL_HOSTS_ALLOW in docs/settings.md"
