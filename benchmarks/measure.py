"""Running one command as a whole process and reading what it cost."""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

_TICKS = os.sysconf("SC_CLK_TCK")
#: a small process that starts the commands: Linux counts the peak memory of who starts one as its own
_launcher = ProcessPoolExecutor(1, mp_context=get_context("spawn"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """wall and CPU in seconds (of the process and those it waited for), peak resident memory in MB."""

    wall_seconds: float
    cpu_seconds: float
    peak_rss_mb: float
    output: str


def run(command: Sequence[str], *, env: Mapping[str, str] | None = None, cwd: str | None = None) -> Cost:
    """Run to the end; a command that fails stops the benchmark with what it said."""
    return _launcher.submit(_run, command, env, cwd).result()


def _run(command: Sequence[str], env: Mapping[str, str] | None, cwd: str | None) -> Cost:
    begin = time.perf_counter()
    process = subprocess.Popen(command, env=env, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    output = process.stdout.read()
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - begin
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{command[0]} ended with {process.returncode}: {output[-2000:]}")
    return Cost(
        wall_seconds=wall,
        cpu_seconds=usage.ru_utime + usage.ru_stime,
        peak_rss_mb=usage.ru_maxrss / 1024,
        output=output,
    )


def report(name: str, values: Sequence[float], unit: str) -> None:
    """One line: the median, and the spread where there are several values."""
    middle = statistics.median(values)
    spread = f"  (min {min(values):.4g}, max {max(values):.4g}, n={len(values)})" if len(values) > 1 else ""
    print(f"{name}: {middle:.4g} {unit}{spread}", flush=True)


def rss_mb(pid: int | str = "self") -> float:
    """Memory of its own, without pages of files that it only looks at (SQLite maps its database)."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) / 1024


def tree_cpu_seconds(pid: int) -> float:
    """Of a process, its children that live and those that were waited for."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    total = _cpu_seconds(pid, reaped=True)
    for child in children:
        try:
            total += _cpu_seconds(int(child), reaped=True)
        except FileNotFoundError:
            continue  # it ended meanwhile and is counted with its parent next time
    return total


def _cpu_seconds(pid: int, *, reaped: bool) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, fields[11 : 15 if reaped else 13])) / _TICKS
