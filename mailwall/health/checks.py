"""Is everything as it should be? Each check gives findings in the reader's language, each with what to do next."""

from __future__ import annotations

import shutil
import sqlite3
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.utils.translation import pgettext as _p
from redis.exceptions import RedisError

from mailwall import queue
from mailwall.email_accounts.connection import imap_settings
from mailwall.email_accounts.models import EmailAccount
from mailwall.errors import MailwallError
from mailwall.health import queries, rules
from mailwall.net import dial
from mailwall.web import clock

SLOW_DATABASE_MS = 250
MANY_TASKS = 10_000
LITTLE_DISK_BYTES = 2**29
HOST_SECONDS = 5.0
HOSTS_ASKED = 50


@dataclass(frozen=True, slots=True)
class Finding:
    """One line. problem: '' when all is well; detail: said beside the name when all is well.

    by_choice: somebody may want it so, as no worker while Mailwall is stopped.
    """

    name: str
    problem: str = ""
    remedy: str = ""
    detail: str = ""
    by_choice: bool = False


Check = Callable[[], Iterator[Finding]]


def database() -> Iterator[Finding]:
    name = _("database")
    try:
        begin = time.perf_counter()
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        took_ms = round(1000 * (time.perf_counter() - begin))
        pending = pending_migrations()
    except DatabaseError as error:
        problem = _("no answer (%(error)s)") % {"error": type(error).__name__}
        yield Finding(name, problem, _("start it, or mend MAILWALL_DATABASE_URL"))
        return
    slow = _("an answer takes %(ms)d ms") % {"ms": took_ms} if took_ms > SLOW_DATABASE_MS else ""
    yield Finding(name, slow, _("look at its load and at the network to it"), connection.vendor)
    waiting = ngettext("%(number)d is pending", "%(number)d are pending", pending) % {"number": pending}
    yield Finding(_("migrations"), waiting if pending else "", _("run: mailwall migrate"))


def pending_migrations() -> int:
    """How many the program has that the database has not."""
    executor = MigrationExecutor(connection)
    return len(executor.migration_plan(executor.loader.graph.leaf_nodes()))


def task_queue() -> Iterator[Finding]:
    name = _("queue")
    try:
        waiting = queue.fast.pending_count() + queue.bulk.pending_count()
    except (RedisError, sqlite3.Error, OSError) as error:
        problem = _("no answer (%(error)s)") % {"error": type(error).__name__}
        yield Finding(name, problem, _("start Redis, or mend MAILWALL_REDIS_URL"))
        return
    told = ngettext("%(number)d task waits", "%(number)d tasks wait", waiting) % {"number": waiting}
    remedy = _("start more workers: mailwall worker")
    yield Finding(name, told if waiting > MANY_TASKS else "", remedy, told)


def running_workers() -> Iterator[Finding]:
    """Somebody must take tasks, and somebody must tick; on every machine the clocks must be right."""
    try:
        now = clock.now()
        known = queries.workers(now)
    except DatabaseError:
        return
    living = [each for each in known if not each.is_silent]
    count = len(living)
    told = ngettext("%(number)d process", "%(number)d processes", count) % {"number": count}
    remedy = _("start one: mailwall up, or mailwall worker")
    problem = "" if living else _("none was heard of for a minute")
    yield Finding(_("workers"), problem, remedy, told, by_choice=not known)
    ticks = [each.beat.ticked_at for each in living if each.beat.ticked_at]
    yield Finding(_("tick"), _tick_problem(ticks, now) if living else "", _("see the log of the workers"))
    for each in living:
        if each.clock_is_off:
            label = _("clock of %(machine)s") % {"machine": each.beat.machine}
            problem = _("%(seconds)d s off the database's") % {"seconds": abs(each.beat.clock_off_seconds)}
            yield Finding(label, problem, _("set it by NTP"))


def _tick_problem(ticks: list[datetime], now: datetime) -> str:
    if ticks and now - max(ticks) <= rules.SILENT_AFTER:
        return ""
    return _("nobody has looked for due work for a minute")


def accounts_in_time() -> Iterator[Finding]:
    try:
        overdue = queries.fleet(clock.now()).overdue
    except DatabaseError:
        return
    told = ngettext(
        "%(number)d was not synchronised for two intervals",
        "%(number)d were not synchronised for two intervals",
        overdue,
    )
    remedy = _("start more workers, or look at the mail hosts")
    yield Finding(_("email accounts"), told % {"number": overdue} if overdue else "", remedy)


def key() -> Iterator[Finding]:
    try:
        unreadable = sum(not _opens(account) for account in EmailAccount.objects.connected().iterator(chunk_size=500))
    except DatabaseError:
        return
    told = ngettext(
        "%(number)d stored password cannot be read", "%(number)d stored passwords cannot be read", unreadable
    )
    remedy = _("bring back the key file of this data folder, or type the passwords of these accounts again")
    yield Finding(_p("secret", "key"), told % {"number": unreadable} if unreadable else "", remedy)
    file = Path(settings.DATA_DIR) / "secret.key"
    loose = file.exists() and file.stat().st_mode & 0o077
    yield Finding(_("key file"), _("others may read it") if loose else "", f"chmod 600 {file}")


def _opens(account: EmailAccount) -> bool:
    try:
        imap_settings(account)
    except MailwallError:
        return False
    return True


def own_clock() -> Iterator[Finding]:
    """Compared with the database's clock, which decides about leases."""
    try:
        off = abs(clock.measure().total_seconds())
    except DatabaseError:
        return
    problem = _("%(seconds)d s off the database's") % {"seconds": off} if off > rules.CLOCK_OFF_SECONDS else ""
    yield Finding(_("clock"), problem, _("set it by NTP"))


def disk() -> Iterator[Finding]:
    free = shutil.disk_usage(settings.DATA_DIR).free
    told = _("%(size)s free") % {"size": filesizeformat(free)}
    remedy = _("make room where MAILWALL_DATA_DIR lies")
    yield Finding(_("disk"), told if free < LITTLE_DISK_BYTES else "", remedy, told)


def mail_hosts() -> Iterator[Finding]:
    """Each host is looked up and called once, up to the busiest HOSTS_ASKED; nobody signs in."""
    try:
        rows = EmailAccount.objects.connecting().order_by("imap_host", "imap_port", "pk").iterator(chunk_size=500)
        hosts = {(account.imap_host, account.imap_port): account for account in rows}
    except DatabaseError:
        return
    for (host, port), account in list(hosts.items())[:HOSTS_ASKED]:
        name = _("mail host %(host)s:%(port)s") % {"host": host, "port": port}
        try:
            dial.dial(imap_settings(account), timeout_seconds=HOST_SECONDS).close()
        except MailwallError as error:
            yield Finding(
                name, error.message, _("see MAILWALL_MAIL_HOSTS_ALLOW in docs/settings.md, or call its admin")
            )
        else:
            yield Finding(name)


#: those that ask nobody outside, and those that go over the network
LOCAL: tuple[Check, ...] = (database, task_queue, running_workers, accounts_in_time, key, own_clock, disk)
REMOTE: tuple[Check, ...] = (mail_hosts,)
