"""The whole product as a user starts it: `mailwall up` with its own data folder, driven by HTTP and command line."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path
from typing import Any

from tests.rig import migrated, warm

ROOT = Path(__file__).resolve().parents[2]
PASSWORD = "correct horse battery staple"


class Product:
    """Starts on construction; `stop()` ends it. `log` is what it printed. fresh: in an empty data folder, as at first."""

    def __init__(self, *, fresh: bool = False, **env: str) -> None:
        self.data = Path(tempfile.mkdtemp(prefix="mailwall-product-"))
        if not fresh:
            migrated.put_static_into(self.data)
            if "MAILWALL_DATABASE_URL" not in env:
                migrated.put_into(self.data)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.env = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MAILWALL_", "DJANGO_"))},
            "MAILWALL_DATA_DIR": str(self.data),
            "MAILWALL_MAIL_HOSTS_ALLOW": "127.0.0.1",
            "MAILWALL_SYNC_INTERVAL_SECONDS": "5",
            **env,
        }
        self.log_file = self.data / "up.log"
        self.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_file.read_text(errors="replace")

    def start(self, seconds: float = 120) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "mailwall.config", "up", "--port", str(self.port)],
            cwd=ROOT, env=self.env, stdin=subprocess.DEVNULL, stdout=self.log_file.open("ab"), stderr=subprocess.STDOUT,
        )  # fmt: skip
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                urllib.request.urlopen(self.url + "/readyz", timeout=2)
                return
            except OSError:
                if self.process.poll() is not None:
                    raise RuntimeError("mailwall up ended: " + self.log[-2000:]) from None
                time.sleep(0.1)
        self.stop()
        raise RuntimeError("mailwall up is not ready: " + self.log[-2000:])

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.process.kill()
                raise

    def remove(self) -> None:
        self.stop()
        shutil.rmtree(self.data, ignore_errors=True)

    def setup_link(self) -> str:
        found = re.search(r"https?://\S+/setup/\S+", self.log)
        assert found, "no set-up link in: " + self.log[-1000:]
        return found.group()

    def cli(self, *args: str, stdin: str = "") -> str:
        done = warm.run(["-m", "mailwall.config", *args], self.env, stdin=stdin)
        assert done.returncode == 0, done.stderr[-1000:]
        return done.stdout.strip()

    def user(self, email: str, role: str = "user", **options: str) -> RemoteApi:
        """Create a user by the command line; gives the API with a fresh token of theirs."""
        flags = [part for name, value in options.items() for part in (f"--{name}", value)]
        name = email.split("@")[0].title()
        self.cli(
            "user", "add", email, "--name", name, "--role", role, "--password-stdin", *flags, stdin=PASSWORD + "\n"
        )
        return RemoteApi(self, self.cli("token", "create", email))


class RemoteApi:
    """The REST API over HTTP with one token. `call` gives (status, parsed JSON)."""

    def __init__(self, product: Product, token: str) -> None:
        self.product, self.token = product, token

    def call(self, method: str, path: str, body: Any = None, **query: Any) -> tuple[int, Any]:
        url = f"{self.product.url}/api/v1{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(url, data=data, method=method)
        request.add_header("Authorization", f"Bearer {self.token}")
        request.add_header("Content-Type", "application/json")
        try:
            with urllib.request.urlopen(request, timeout=90) as response:
                status, raw = response.status, response.read()
        except urllib.error.HTTPError as error:
            status, raw = error.code, error.read()
        return status, json.loads(raw) if raw else None

    def ok(self, method: str, path: str, body: Any = None, **query: Any) -> Any:
        status, answer = self.call(method, path, body, **query)
        assert status < 300, (method, path, status, answer)
        return answer
