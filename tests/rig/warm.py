"""Short commands of ours, in processes that have the libraries already: their imports are two thirds of a start.

A process that has never imported a line of ours forks for each command, which then reads its environment and our code
anew. What is to prove a start, a kill or the memory of a process starts one of its own.
"""

from __future__ import annotations

import atexit
import functools
import gc
import importlib
import json
import os
import runpy
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

ROOT = Path(__file__).resolve().parents[2]
LIBRARIES = (
    "asyncio", "cryptography.hazmat.primitives.kdf.scrypt", "cryptography.x509", "csp", "css_inline",
    "django.contrib.auth.hashers", "django.core.management", "django.core.management.commands.shell",
    "django.db.backends.sqlite3.base", "django.db.migrations.executor", "django.db.models", "django.http",
    "django.template.engine", "django.urls", "email_validator", "huey", "idna", "imapclient", "nh3", "psycopg",
    "psycopg_pool", "pydantic", "redis", "rich.traceback", "selectolax.lexbor", "structlog.dev",
)  # fmt: skip
MAX_REQUEST_BYTES, DEADLINE_SECONDS = 200_000, 180
_lock = threading.Lock()


def run(arguments: Sequence[str], env: Mapping[str, str], *, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """As subprocess.run([sys.executable, *arguments]) in the root of the repository; arguments begin with -m or -c."""
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as complained:
        given.write(stdin.encode())
        given.seek(0)
        request = json.dumps({"arguments": list(arguments), "env": dict(env)}).encode()
        with _lock:
            status = _ask(request, [file.fileno() for file in (given, said, complained)])
        return subprocess.CompletedProcess(arguments, status, _text(said), _text(complained))


def _ask(request: bytes, files: list[int]) -> int:
    server = _server()
    try:
        socket.send_fds(server, [request], files)
        return int(server.recv(16))
    except BaseException:
        server.close()  # the next command gets another one, not the answer to this
        _server.cache_clear()
        raise


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode()


@functools.cache
def _server() -> socket.socket:
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, MAX_REQUEST_BYTES)
    ours.settimeout(DEADLINE_SECONDS)
    command = [sys.executable, "-m", "tests.rig.warm", str(theirs.fileno())]
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAILWALL_", "DJANGO_"))}
    process = subprocess.Popen(command, cwd=ROOT, env=env, pass_fds=[theirs.fileno()], stdin=subprocess.DEVNULL)
    theirs.close()
    atexit.register(process.wait)
    atexit.register(ours.close)  # then it ends
    return ours


def main() -> None:
    """Fork for each request; only the fork comes out of the loop with it."""
    asked = socket.socket(fileno=int(sys.argv[1]))
    for name in LIBRARIES:
        importlib.import_module(name)
    assert "mailwall" not in sys.modules
    gc.freeze()  # what is shared stays shared
    while True:
        raw, files, *_ = socket.recv_fds(asked, MAX_REQUEST_BYTES, 3)
        if not raw:
            return
        child = os.fork()
        if child == 0:
            break
        for file in files:
            os.close(file)
        _, status = os.waitpid(child, 0)
        asked.send(str(os.waitstatus_to_exitcode(status)).encode())
    asked.close()
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    _become(**json.loads(raw))


def _become(arguments: list[str], env: dict[str, str]) -> None:
    """Run the command as the interpreter does; its exit is that of this process."""
    os.environ.clear()
    os.environ.update(env)
    how, what, *rest = arguments
    if how == "-m":
        sys.argv = [what, *rest]
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        sys.argv = [how, *rest]
        exec(compile(what, "<string>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    main()
