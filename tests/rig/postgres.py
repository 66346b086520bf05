"""A real PostgreSQL of our own on loopback. `python -m tests.rig.postgres COMMAND…` runs a command on it.

Its database `mailwall` is empty and has all migrations applied: what is made from it as TEMPLATE need not apply them.
"""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

from tests.rig import migrated

FORGETFUL = MappingProxyType({"fsync": "off", "full_page_writes": "off"})


class Postgres:
    """Start on construction, `url` for MAILWALL_DATABASE_URL, `stop()` ends it. As root it runs as user postgres.

    settings: of postgresql.conf; without any it forgets what the machine forgets, as tests may. blank: made from nothing,
    and its database has no table.
    """

    def __init__(self, settings: Mapping[str, str] = FORGETFUL, *, blank: bool = False) -> None:
        self.settings = settings
        self.bin = _binaries()
        self.base = Path(tempfile.mkdtemp(prefix="mailwall-pg-"))
        self.port = _free_port()
        self.as_user: dict[str, object] = {}
        if os.getuid() == 0:
            entry = pwd.getpwnam("postgres")
            os.chown(self.base, entry.pw_uid, entry.pw_gid)
            self.as_user = {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []}
        data = str(self.base / "data")
        if blank:
            self._run("initdb", "-D", data, "-U", "mailwall", "--auth=trust", "-E", "UTF8", "--locale=C.UTF-8")
        else:
            version = self.bin.parent.name
            subprocess.run(["cp", "-a", migrated.made_once(f"postgresql-{version}", _make), data], check=True)
        self.start()
        if blank:
            self.sql("CREATE DATABASE mailwall", "postgres")
        self.url = f"postgres://mailwall@127.0.0.1:{self.port}/mailwall"

    def start(self) -> None:
        self.process = subprocess.Popen(
            [
                str(self.bin / "postgres"), "-D", str(self.base / "data"), "-p", str(self.port),
                "-c", "listen_addresses=127.0.0.1", "-c", f"unix_socket_directories={self.base}",
                "-c", "max_connections=200", *(f"--{name}={value}" for name, value in self.settings.items()),
            ],
            cwd="/", stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **self.as_user,
        )  # fmt: skip
        for _ in range(200):
            ready = subprocess.run(
                [self.bin / "pg_isready", "-q", "-h", "127.0.0.1", "-p", str(self.port)], check=False
            )
            if ready.returncode == 0:
                return
            time.sleep(0.1)
        raise RuntimeError("PostgreSQL did not start")

    def halt(self) -> None:
        """Hang up on everybody; all data stays."""
        self.process.send_signal(signal.SIGINT)
        self.process.wait(20)

    def restart(self, *, away_seconds: float) -> None:
        """Be away for a while, come back with all data."""
        self.halt()
        time.sleep(away_seconds)
        self.start()

    def stop(self) -> None:
        if self.process.poll() is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.halt()
        shutil.rmtree(self.base, ignore_errors=True)

    def sql(self, statement: str, database: str = "mailwall") -> str:
        return self._run(
            "psql", "-h", "127.0.0.1", "-p", str(self.port), "-U", "mailwall", "-d", database, "-tAc", statement
        )

    def _run(self, name: str, *args: str) -> str:
        done = subprocess.run([str(self.bin / name), *args], cwd="/", capture_output=True, text=True, **self.as_user)
        if done.returncode:
            raise RuntimeError(f"{name}: {done.stderr[-400:]}")
        return done.stdout.strip()


def _make(made: Path) -> None:
    """The data folder of a server that was stopped."""
    server = Postgres(blank=True)
    try:
        with tempfile.TemporaryDirectory(prefix="mailwall-migrated-") as data:
            migrated.migrate(data, MAILWALL_DATABASE_URL=server.url)
        server.halt()
        subprocess.run(["cp", "-a", server.base / "data", made], check=True)
    finally:
        server.stop()


def _binaries() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]), reverse=True)
    if found:
        return found[0].parent
    if initdb := shutil.which("initdb"):
        return Path(initdb).resolve().parent
    raise RuntimeError("PostgreSQL is not installed; on Debian: apt install postgresql")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def main() -> None:
    server = Postgres()
    try:
        environment = {**os.environ, "MAILWALL_DATABASE_URL": server.url}
        status = subprocess.run(sys.argv[1:], env=environment, check=False).returncode
    finally:
        server.stop()
    sys.exit(status)


if __name__ == "__main__":
    main()
