"""Memory of the process that listens on many accounts at once (IDLE), over the same process with one."""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import time
from pathlib import Path

from benchmarks.installation import ROOT, call, installation
from benchmarks.measure import report
from tests.rig.dovecot import PASSWORD, Dovecot
from tests.rig.processes import end

PATIENCE_SECONDS = 600.0


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser(prog="bench idle")
    parser.add_argument("--connections", type=int, default=1_000)
    options = parser.parse_args(arguments)
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    with Dovecot(max_connections=5_000) as dovecot:
        alone = _memory(dovecot, 1)
        many = _memory(dovecot, options.connections)
    report("idle_one_connection_rss", [alone], "MB")
    report(f"idle_{options.connections}_connections_rss", [many], "MB")
    report("idle_memory_of_connections", [many - alone], "MB")


def _memory(dovecot: Dovecot, connections: int) -> float:
    """MB that the watching process holds once all connections listen."""
    with installation("sqlite") as env:
        call(env, "benchmarks.seed_sync", "seed-idle", str(dovecot.port), str(connections), PASSWORD)
        watching = subprocess.Popen(
            [sys.executable, "-m", "mailwall.config", "watch"], env=env, cwd=ROOT, start_new_session=True
        )
        try:
            _wait_for(dovecot.port, connections)
            time.sleep(2)  # the last answers are read
            return _resident(watching.pid)
        finally:
            end(watching)


def _wait_for(port: int, connections: int) -> None:
    until = time.monotonic() + PATIENCE_SECONDS
    while (found := _established(port)) < connections:
        if time.monotonic() > until:
            raise SystemExit(f"only {found} of {connections} connections")
        time.sleep(0.2)


def _established(port: int) -> int:
    """TCP connections to that port, at the client's end."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    return sum(1 for fields in lines if fields[2].endswith(f":{port:04X}") and fields[3] == "01")


def _resident(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("VmRSS:")[1].split()[0]) / 1024
