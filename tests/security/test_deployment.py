"""How the product stands behind HTTPS, what it tells browsers, what others on the machine can read."""

from __future__ import annotations

import json
import os
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import redis
from django.core.cache.backends.redis import RedisCache

from mailwall.web.json_cache import JsonSerializer
from tests.rig.processes import free_port, wait_until
from tests.rig.product import ROOT

ASKED = (
    "SESSION_COOKIE_SECURE", "CSRF_COOKIE_SECURE", "SESSION_COOKIE_HTTPONLY", "SECURE_HSTS_SECONDS",
    "SECURE_PROXY_SSL_HEADER", "ALLAUTH_TRUSTED_PROXY_COUNT", "DEBUG", "CACHES",
)  # fmt: skip


def run(data: Path, *arguments: str, **settings: str) -> str:
    env = {name: value for name, value in os.environ.items() if not name.startswith(("MAILWALL_", "DJANGO_"))}
    env |= {"MAILWALL_DATA_DIR": str(data), "DJANGO_SETTINGS_MODULE": "mailwall.config.settings", **settings}
    done = subprocess.run([sys.executable, *arguments], cwd=ROOT, env=env, capture_output=True, text=True, check=True)
    return done.stdout


def settings_with(data: Path, **settings: str) -> dict:
    code = f"import json; from django.conf import settings as s; print(json.dumps({{n: getattr(s, n) for n in {ASKED}}}, default=str))"
    return json.loads(run(data, "-c", code, **settings))


def test_behind_https_cookies_are_secure_and_browsers_stay_there(tmp_path):
    known = settings_with(tmp_path, MAILWALL_BASE_URL="https://crm.example", MAILWALL_TRUSTED_PROXIES="1")
    assert known["SESSION_COOKIE_SECURE"] and known["CSRF_COOKIE_SECURE"] and known["SESSION_COOKIE_HTTPONLY"]
    assert known["SECURE_HSTS_SECONDS"] >= 180 * 86_400
    assert known["SECURE_PROXY_SSL_HEADER"] == ["HTTP_X_FORWARDED_PROTO", "https"]
    assert known["ALLAUTH_TRUSTED_PROXY_COUNT"] == 1


def test_without_https_no_forwarded_header_is_believed(tmp_path):
    known = settings_with(tmp_path)
    assert (known["SESSION_COOKIE_SECURE"], known["SECURE_HSTS_SECONDS"]) == (False, 0)
    assert known["SECURE_PROXY_SSL_HEADER"] is None
    assert (known["ALLAUTH_TRUSTED_PROXY_COUNT"], known["DEBUG"]) == (0, False)


def test_nobody_else_on_the_machine_can_read_what_we_write(tmp_path):
    data = tmp_path / "data"
    before = os.umask(0o022)
    try:
        run(data, "-m", "mailwall.config", "migrate")
    finally:
        os.umask(before)
    written = [data, *data.rglob("*")]
    assert data / "mailwall.sqlite3" in written and data / "secret.key" in written
    assert [path for path in written if path.stat().st_mode & 0o077] == []


@pytest.mark.live
def test_what_somebody_writes_to_redis_is_never_run(tmp_path):
    port = free_port()
    server = subprocess.Popen(
        ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)],
        stdout=subprocess.DEVNULL,
    )
    try:
        door = redis.Redis(port=port)
        wait_until(lambda: _answers(door), seconds=10, what="Redis does not answer")
        configured = settings_with(tmp_path, MAILWALL_REDIS_URL=f"redis://127.0.0.1:{port}/0")["CACHES"]["default"]
        cache = RedisCache(configured["LOCATION"], {"OPTIONS": configured["OPTIONS"]})
        cache.set("kept", [1.5, True])
        assert cache.get("kept") == [1.5, True]
        cache.set("count", 1)
        assert cache.incr("count") == 2
        door.set(cache.make_key("planted"), pickle.dumps(_Runs(str(tmp_path / "ran"))))
        with pytest.raises(ValueError):
            cache.get("planted")
        assert not (tmp_path / "ran").exists()
    finally:
        server.terminate()
        server.wait(10)


class _Runs:
    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self):
        return (os.mkdir, (self.path,))


def _answers(door: redis.Redis) -> bool:
    try:
        return bool(door.ping())
    except redis.RedisError:
        return False


def test_the_cache_refuses_what_is_not_json():
    with pytest.raises(ValueError):
        JsonSerializer().loads(pickle.dumps(_Runs("never")))


def test_every_answer_says_what_a_page_never_needs(client, db):
    for path in ("/accounts/login/", "/healthz", "/nothing/", "/api/v1/me"):
        answer = client.get(path)
        assert "camera=()" in answer.headers["Permissions-Policy"]
        assert answer.headers["Referrer-Policy"] in ("same-origin", "no-referrer")
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["X-Frame-Options"] == "DENY"
        assert "default-src 'self'" in answer.headers["Content-Security-Policy"]
