"""Handing over 1,000 queued mails with four workers, beside bare smtplib in the same run; the composer's pages.

Ours is what the task of the outbox does: claims, the fence before DATA (docs/adr/0009), the card on the wall, the row
for the copy in Sent. The peer is `smtplib` with one kept connection per worker, that reads the same bytes from a list
and remembers nothing. Both talk to the same server (see smtp_sink), in turn: one that stores each mail safely before it
answers, as real ones must, and one that forgets it at once, where nothing but the client counts. "blast" is what the
server can take: ready-made bytes, nothing waited for but the last answer of each mail.

Workers are processes, or threads of one process as in `mailwall up`. Times run from the word "go" to the end of the
last worker; starting Python is not in them.
"""

from __future__ import annotations

import argparse
import contextlib
import pickle
import shutil
import smtplib
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

from benchmarks.installation import DATABASES, ROOT, call, installation
from benchmarks.measure import report
from tests.rig.proxy import Proxy

HTML = "<p>Good morning Ewa,</p>" + "<p>as agreed on the phone, here is our offer for the second quarter. </p>" * 30
RUNNERS = ("smtplib", "mailwall")
PAGE_ROUNDS = 20
PASSWORD = "bench"


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench sending")
    parser.add_argument("--mails", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--round-trip-ms", type=int, default=0, help="through a line that takes so long")
    parser.add_argument("--database", choices=DATABASES, action="append")
    options = parser.parse_args(arguments)
    for database in options.database or DATABASES:
        with installation(database) as env:
            numbers = [str(each) for each in (options.mails, options.workers, options.repeats, options.round_trip_ms)]
            call(env, "benchmarks.sending", "measure", database, *numbers)
            call(env, "benchmarks.sending", "pages", database)


# -- the measuring process


def measure(database: str, mails: int, workers: int, repeats: int, round_trip_ms: int) -> None:
    """Seed, let everybody send in turn, print."""
    folder = Path(tempfile.mkdtemp(prefix="bench-sending-"))
    try:
        outbox = folder / "mails"
        outbox.write_bytes(pickle.dumps(seed(mails)))
        for kind, spool in (("storing", folder / "spool"), ("forgetful", None)):
            for style in ("processes", "threads"):
                name = f"sending {database}, {kind} server, {style}" + f", {round_trip_ms} ms" * bool(round_trip_ms)
                compare(name, outbox, partial(sink, spool, round_trip_ms / 2000), style, workers, repeats)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def compare(
    name: str, outbox: Path, server: Callable[[], AbstractContextManager[int]], style: str, workers: int, repeats: int
) -> None:
    """Everybody sends everything, in turn; prints mails a second, CPU and the ratio."""
    count = len(pickle.loads(outbox.read_bytes()))
    rates: dict[str, list[float]] = {"blast": [], **{runner: [] for runner in RUNNERS}}
    cpu: dict[str, list[float]] = {runner: [] for runner in rates}
    for _ in range(repeats):
        for runner in rates:
            with server() as port:
                if runner == "mailwall":
                    queue_again(port)
                seconds, used = go(runner, port, outbox, style, workers)
                if (taken := asked(port)) != count:
                    raise SystemExit(f"{runner}: the server took {taken} of {count} mails")
                if runner == "mailwall":
                    check_all_sent(count)
            rates[runner].append(count / seconds)
            cpu[runner].append(1000 * used / count)
    for runner, values in rates.items():
        report(f"{name}, {runner}", values, "mails/s")
    for runner in RUNNERS:
        report(f"{name}, CPU of {runner}", cpu[runner], "ms/mail")
    pairs = zip(rates["mailwall"], rates["smtplib"], strict=True)
    report(f"{name}, mailwall against smtplib", [ours / theirs for ours, theirs in pairs], "x")


@contextlib.contextmanager
def sink(spool: Path | None, delay_seconds: float = 0.0) -> Iterator[int]:
    """A fresh server, behind a line with a delay in each direction; gives the port."""
    if spool is not None:
        spool.mkdir()
    command = [sys.executable, "-m", "benchmarks.smtp_sink", *([str(spool)] if spool else [])]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            port = int(process.stdout.readline())
            with Proxy(port, delay_seconds=delay_seconds) if delay_seconds else contextlib.nullcontext() as line:
                yield line.port if line else port
        finally:
            process.kill()
            if spool is not None:
                shutil.rmtree(spool)


def asked(port: int) -> int:
    """How many mails the server took."""
    with smtplib.SMTP("127.0.0.1", port, local_hostname="bench") as client:
        return int(client.noop()[1])


def go(runner: str, port: int, outbox: Path, style: str, workers: int) -> tuple[float, float]:
    """Start the workers, let them go together; gives wall and CPU seconds until the last is done."""
    alone = style == "processes"
    command = [sys.executable, "-m", "benchmarks.sending", "work", runner, str(port), str(outbox), str(workers)]
    shares = [[*command, str(n), str(n + 1)] for n in range(workers)] if alone else [[*command, "0", str(workers)]]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen(each, cwd=ROOT, **pipes) for each in shares]
    for process in processes:
        process.stdout.readline()
    begin = time.perf_counter()
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    used = [float(process.stdout.readline()) for process in processes]
    seconds = time.perf_counter() - begin
    for process in processes:
        process.communicate()
    return seconds, sum(used)


# -- the workers


def work(runner: str, port: int, outbox: str, workers: int, share: range) -> None:
    """Be ready, wait for "go", work in a thread for each of our shares, print the CPU seconds that it took."""
    mails = pickle.loads(Path(outbox).read_bytes())
    make: dict[str, Callable[[int], Callable[[], None]]] = {
        "blast": lambda n: Blast(port, mails[n::workers]),
        "smtplib": lambda n: lambda: with_smtplib(port, mails[n::workers]),
        "mailwall": lambda n: with_mailwall,
    }
    threads = [threading.Thread(target=make[runner](n)) for n in share]
    if runner == "mailwall":
        set_up()
    print("ready", flush=True)
    sys.stdin.readline()
    begin = time.process_time()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(time.process_time() - begin, flush=True)


def with_smtplib(port: int, mails: list[tuple[str, list[str], bytes]]) -> None:
    with smtplib.SMTP("127.0.0.1", port, local_hostname="bench") as client:
        client.login("alice", PASSWORD)
        for sender, receivers, raw in mails:
            client.sendmail(sender, receivers, raw)


class Blast:
    """All that can be said of a mail at once, ready-made; the server alone takes time."""

    def __init__(self, port: int, mails: list[tuple[str, list[str], bytes]]) -> None:
        self.port = port
        self.heads = [f"MAIL FROM:<{sender}>\r\nRCPT TO:<{to[0]}>\r\nDATA\r\n".encode() for sender, to, _ in mails]
        self.bodies = [raw + b".\r\n" for _, _, raw in mails]

    def __call__(self) -> None:
        with socket.create_connection(("127.0.0.1", self.port)) as line, line.makefile("rb") as answers:
            answers.readline()
            line.sendall(b"EHLO bench\r\n")
            while answers.readline()[3:4] == b"-":
                pass
            for head, body in zip(self.heads, self.bodies, strict=True):
                line.sendall(head)
                for _ in range(3):
                    answers.readline()
                line.sendall(body)
                answers.readline()


# -- what needs Django


def set_up() -> None:
    import os

    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
    django.setup()
    from mailwall.sending import delivery, tasks  # noqa: F401 -- loaded before "go"


def with_mailwall() -> None:
    """A task of the outbox."""
    from mailwall.email_accounts.models import EmailAccount
    from mailwall.sending import tasks

    tasks.deliver_task.call_local(EmailAccount.objects.values_list("pk", flat=True).get())


def seed(mails: int) -> list[tuple[str, list[str], bytes]]:
    """An account with a full outbox and some contacts; gives the mails as they will leave."""
    set_up()
    from datetime import UTC, datetime

    from django.db import transaction

    from mailwall.contacts.models import Contact, ContactAddress
    from mailwall.email_accounts.models import EmailAccount
    from mailwall.mime.types import Address
    from mailwall.sending import services
    from mailwall.sending.models import Outgoing
    from mailwall.sending.types import Letter
    from mailwall.team.models import User
    from mailwall.web import secrets

    owner = User.objects.create(email="alice@bench.example", name="Alice")
    account = EmailAccount.objects.create(
        owner=owner, address="alice@bench.example", imap_host="127.0.0.1", imap_port=1, imap_username="alice",
        smtp_host="127.0.0.1", smtp_port=1, smtp_security="none", smtp_same_password=False, sending_active=True,
        is_default=True, import_since=datetime.now(UTC),
    )  # fmt: skip
    account.sealed_smtp_password = secrets.seal(PASSWORD, bound_to=f"{account.secret_id}:smtp")
    account.save()
    contacts = Contact.objects.bulk_create([Contact(kind="person", name=f"Kunde {i}") for i in range(500)])
    ContactAddress.objects.bulk_create(
        [ContactAddress(contact=c, kind="person", address=f"kunde{i}@kwiat.example") for i, c in enumerate(contacts)]
    )
    with transaction.atomic():
        for number in range(mails):
            to = Address(name=f"Kunde {number % 500}", address=f"kunde{number % 500}@kwiat.example")
            services.queue_outgoing(owner, Letter(to=(to,), subject=f"Offer {number}", html=HTML))
    rows = Outgoing.objects.select_related("content").order_by("pk")
    return [("alice@bench.example", row.receivers, bytes(row.content.raw)) for row in rows]


def queue_again(port: int) -> None:
    """Everything is due again, and goes to this server."""
    from django.utils import timezone

    from mailwall.email_accounts.models import EmailAccount
    from mailwall.mailstore.models import Message
    from mailwall.sending.models import Outgoing

    EmailAccount.objects.update(smtp_port=port)
    Outgoing.objects.update(
        state="queued", due_at=timezone.now(), attempts=0, lease_token="", lease_until=None, data_started_at=None,
        sent_at=None, settled_at=None, accepted=[], copy_state="", copy_at=None, look_at=None,
    )  # fmt: skip
    Message.objects.filter(outgoing__isnull=False).update(delivery_state="waiting")


def check_all_sent(count: int) -> None:
    """Every mail is sent, says so on its card and has a copy to be filed."""
    from mailwall.sending.models import Outgoing

    told = Outgoing.objects.filter(state="sent", copy_state="wanted", message__delivery_state="sent").count()
    if told != count:
        raise SystemExit(f"only {told} of {count} mails are told as sent")


def pages(database: str) -> None:
    """The composer's pages, in turn."""
    from benchmarks.asking import ask_in_turn
    from mailwall.mailstore.models import Message
    from mailwall.team.models import User

    message = Message.objects.order_by("-pk").values_list("pk", flat=True)[0]
    asked = {
        "new message": ("/compose/", {}),
        "reply": ("/compose/", {"reply": str(message)}),
        "reply all": ("/compose/", {"reply_all": str(message)}),
        "forward": ("/compose/", {"forward": str(message)}),
    }
    ask_in_turn(f"composer {database}", User.objects.get(email="alice@bench.example"), asked, PAGE_ROUNDS)


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["work", runner, port, outbox, workers, first, end]:
            work(runner, int(port), outbox, int(workers), range(int(first), int(end)))
        case ["measure", database, *numbers]:
            measure(database, *map(int, numbers))
        case ["pages", database]:
            pages(database)
