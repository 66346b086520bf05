"""Downloads of attachments through the web server, from a real Dovecot on loopback.

Speed: one file of 100 MB, from its first byte to its last, as the stream that `sync.attachments` gives (checked,
decoded) and through `mailwall web` (sent on by HTTP and read by another client besides), beside raw IMAP FETCHes of the
same section, on a connection that is signed in already: by a client that throws the bytes away, and by imaplib, which
gives them to its caller. All are told in bytes of the section as they cross the wire, 1.37 for each of the file. How
long the first byte takes is told apart.
Memory: what twenty such downloads at once, two for each of ten accounts, add to a web process.
"""

from __future__ import annotations

import argparse
import hashlib
import imaplib
import json
import os
import random
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

from benchmarks.installation import ROOT, call, installation
from benchmarks.measure import report
from tests.rig.dovecot import MAIL_UID, PASSWORD, Dovecot
from tests.rig.mails import mail
from tests.rig.processes import answers, end, free_port, wait_until

ACCOUNTS, PARALLEL = 10, 20
READ_BYTES = 1_000_000


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench attachments")
    parser.add_argument("--megabytes", type=int, default=100)
    parser.add_argument("--repeats", type=int, default=5)
    options = parser.parse_args(arguments)
    content = random.Random(7).randbytes(options.megabytes * 1_000_000)
    with Dovecot(max_connections=100) as dovecot, installation("sqlite") as env:
        fill(dovecot, content)
        call(env, "benchmarks.attachments", "seed", str(dovecot.port))
        call(env, "mailwall.config", "sync")
        token = (Path(env["MAILWALL_DATA_DIR"]) / "token").read_text()
        with web(env) as (url, process):
            links = files(url, token)
            with streaming(env, links[0]) as stream_seconds:
                compare(dovecot, links[0], token, content, options.repeats, process, stream_seconds)
            together(links, token, content, process)


def fill(dovecot: Dovecot, content: bytes) -> None:
    """The same mail for every account, on the disk once."""
    raw = mail(text="See the file.\n", attachments=[("film.mp4", "video/mp4", content)])
    dovecot.fill(address(0), [(raw, datetime.now(UTC) - timedelta(hours=1))])
    [first] = (dovecot.base / "mail" / address(0) / "cur").iterdir()
    for number in range(1, ACCOUNTS):
        home = dovecot.base / "mail" / address(number)
        for name in ("cur", "new", "tmp"):
            (home / name).mkdir(parents=True)
        os.link(first, home / "cur" / first.name)
        if os.getuid() == 0:
            for each in [home, *home.iterdir()]:
                shutil.chown(each, MAIL_UID, MAIL_UID)


def address(number: int) -> str:
    return f"box{number}@bench.example"


@contextmanager
def web(env: dict[str, str]) -> Iterator[tuple[str, int]]:
    """`mailwall web`: its address and the id of its main process."""
    port = free_port()
    command = [sys.executable, "-m", "mailwall.config", "web", "--port", str(port)]
    server = subprocess.Popen(command, env=env, cwd=ROOT, start_new_session=True)
    try:
        wait_until(lambda: answers(port), seconds=60, what="the web server does not answer")
        yield f"http://127.0.0.1:{port}", server.pid
    finally:
        end(server)


def files(url: str, token: str) -> list[str]:
    """Where the file of each account is downloaded from."""
    with ask(f"{url}/api/v1/messages?limit=200", token) as answer:
        messages = json.load(answer)["items"]
    return [f"{url}/api/v1/messages/{item['id']}/attachments/{item['attachments'][0]['id']}" for item in messages]


def ask(url: str, token: str):  # type: ignore[no-untyped-def]
    return urllib.request.urlopen(
        urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"}), timeout=120
    )


def download(url: str, token: str) -> tuple[int, str]:
    """Read a file to its end; gives its length and digest."""
    size, digest = 0, hashlib.blake2b()
    with ask(url, token) as answer:
        while piece := answer.read(READ_BYTES):
            size += len(piece)
            digest.update(piece)
    return size, digest.hexdigest()


@contextmanager
def streaming(env: dict[str, str], link: str) -> Iterator[Callable[[], float]]:
    """A process with Mailwall in it that reads the file's stream when asked; gives its seconds."""
    command = [sys.executable, "-m", "benchmarks.attachments", "stream", link]
    with subprocess.Popen(
        command, env=env, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as reader:
        assert reader.stdin is not None
        assert reader.stdout is not None
        ask_for, answers_of = reader.stdin, reader.stdout

        def seconds() -> float:
            ask_for.write("\n")
            ask_for.flush()
            return float(answers_of.readline())

        seconds()  # to warm it
        yield seconds
        ask_for.close()


def compare(
    dovecot: Dovecot,
    link: str,
    token: str,
    content: bytes,
    repeats: int,
    process: int,
    stream_seconds: Callable[[], float],
) -> None:
    """Ours and the raw fetches in turn, once before to warm the server's caches."""
    if download(link, token) != (len(content), hashlib.blake2b(content).hexdigest()):
        raise SystemExit("the download is not the file")
    fetch_seconds(dovecot)
    first, ours, stream, raw, by_imaplib, cpu = [], [], [], [], [], []
    for _ in range(repeats):
        before, begin = cpu_seconds(process), time.perf_counter()
        with ask(link, token) as answer:
            answer.read(1)
            first.append(time.perf_counter() - begin)
            while answer.read(READ_BYTES):
                pass
        ours.append(time.perf_counter() - begin - first[-1])
        cpu.append(cpu_seconds(process) - before)
        stream.append(stream_seconds())
        raw.append(fetch_seconds(dovecot))
        by_imaplib.append(imaplib_seconds(dovecot))
    wire = len(content) / 57 * 78 / 1e6  # 57 bytes are a line of 76 letters and its end
    report("attachment_first_byte", [1000 * seconds for seconds in first], "ms")
    peers = (("raw_imap_fetch", raw), ("imaplib_fetch", by_imaplib))
    for name, times in (("mailwall_stream", stream), ("mailwall_web", ours), *peers):
        report(f"attachment_{name}", [wire / seconds for seconds in times], "MB/s of the section")
    report("attachment_mailwall_web_file", [len(content) / 1e6 / seconds for seconds in ours], "MB/s of the file")
    for mine, own in (("stream", stream), ("web", ours)):
        for name, times in peers:
            report(f"attachment_{mine}_against_{name}", [b / a for a, b in zip(own, times, strict=True)], "x")
    report("attachment_web_cpu", [1e9 * seconds / len(content) for seconds in cpu], "s per GB of the file")


def cpu_seconds(process: int) -> float:
    """What the processes that it started have used."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in children(process)]
    return sum(int(each[11]) + int(each[12]) for each in fields) / os.sysconf("SC_CLK_TCK")


def imaplib_seconds(dovecot: Dovecot) -> float:
    """The same by the standard library, which keeps the section in memory."""
    with imaplib.IMAP4("127.0.0.1", dovecot.port) as client:
        client.login(address(0), PASSWORD)
        client.select("INBOX", readonly=True)
        begin = time.perf_counter()
        client.uid("FETCH", "1", "(BODY.PEEK[2])")
        return time.perf_counter() - begin


def fetch_seconds(dovecot: Dovecot) -> float:
    """BODY.PEEK[2] as it comes, thrown away, by a client that does nothing else."""
    with socket.create_connection(("127.0.0.1", dovecot.port)) as connection:
        connection.recv(65_536)
        for command in (f"LOGIN {address(0)} {PASSWORD}", "EXAMINE INBOX"):
            connection.sendall(f"a {command}\r\n".encode())
            answer = b""
            while b"a OK" not in answer:
                answer += connection.recv(65_536)
        begin, tail, buffer = time.perf_counter(), b"", bytearray(READ_BYTES)
        connection.sendall(b"b UID FETCH 1 BODY.PEEK[2]\r\n")
        while b"\r\nb OK" not in tail:
            number = connection.recv_into(buffer)
            tail = (tail + buffer[max(0, number - 100) : number])[-200:]
        return time.perf_counter() - begin


def together(links: list[str], token: str, content: bytes, process: int) -> None:
    """All downloads at once; the most that any process of the web server grew."""
    wanted = (len(content), hashlib.blake2b(content).hexdigest())
    before, highest, done = resident(process), {}, threading.Event()

    def watch() -> None:
        while not done.wait(0.02):
            for pid, size in resident(process).items():
                highest[pid] = max(highest.get(pid, 0.0), size)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begin = time.perf_counter()
    with ThreadPoolExecutor(PARALLEL) as pool:
        got = list(pool.map(lambda number: download(links[number % len(links)], token), range(PARALLEL)))
    seconds = time.perf_counter() - begin
    done.set()
    watcher.join()
    if got != [wanted] * PARALLEL:
        raise SystemExit("a download is not the file")
    report(f"attachments_{PARALLEL}_at_once", [PARALLEL * len(content) / 1e6 / seconds], "MB/s of files")
    report("attachments_web_process_before", [max(before.values())], "MB")
    report("attachments_growth_of_a_process", [max(highest[pid] - before.get(pid, 0) for pid in highest)], "MB")


def resident(process: int) -> dict[int, float]:
    """Resident MB of a process and of those it started."""
    sizes = {}
    for pid in (process, *children(process)):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmRSS:"):
                sizes[pid] = int(line.split()[1]) / 1024
    return sizes


def children(process: int) -> list[int]:
    return [int(pid) for pid in Path(f"/proc/{process}/task/{process}/children").read_text().split()]


# -- inside the installation


def stream(link: str) -> None:
    """For each line that comes, read the file to its end; tells the seconds from its first piece on."""
    from mailwall.sync.attachments import open_attachment
    from mailwall.team.models import User

    message_id, attachment_id = (int(number) for number in re.findall(r"/(\d+)", link)[-2:])
    for _ in sys.stdin:
        download = open_attachment(User.objects.get(), message_id, attachment_id)
        begin = time.perf_counter()
        size = sum(map(len, download.chunks))
        print(time.perf_counter() - begin if size else "nothing came", flush=True)


def seed(port: int) -> None:
    """A user with all accounts, and a token of theirs in its data folder."""
    from django.conf import settings

    from mailwall.email_accounts.models import EmailAccount
    from mailwall.team.models import User
    from mailwall.team.services import create_token
    from mailwall.web import secrets

    owner = User.objects.create(email="owner@bench.example", name="Owner")
    for number in range(ACCOUNTS):
        account = EmailAccount(owner=owner, address=address(number), imap_host="127.0.0.1", imap_port=port)
        account.imap_security, account.imap_username = "none", address(number)
        account.import_since, account.next_sync_at = datetime.now(UTC) - timedelta(days=14), datetime.now(UTC)
        account.sealed_imap_password = secrets.seal(PASSWORD, bound_to=f"{account.secret_id}:imap")
        account.save()
    (settings.DATA_DIR / "token").write_text(create_token(owner))


if __name__ == "__main__":
    import django

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "mailwall.config.settings")
    django.setup()
    match sys.argv[1:]:
        case ["seed", port]:
            seed(int(port))
        case ["stream", link]:
            stream(link)
