"""The product's settings in a throw-away data folder: set before they are read, whatever the developer's shell says."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile

_kept = {"MAILWALL_DATABASE_URL"}  # ./test runs the storage tests on PostgreSQL through it
for _name in [name for name in os.environ if name.startswith("MAILWALL_") and name not in _kept]:
    del os.environ[_name]
_data_dir = tempfile.mkdtemp(prefix="mailwall-test-")
atexit.register(shutil.rmtree, _data_dir, ignore_errors=True)
os.environ["MAILWALL_DATA_DIR"] = _data_dir
os.environ["MAILWALL_MAIL_HOSTS_ALLOW"] = "127.0.0.1,localhost"
os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"  # Playwright keeps an event loop in the test's thread

from mailwall.config.settings import *  # noqa: E402, F403

# a test database is copied from one with all migrations applied: on PostgreSQL from that of tests/rig, on SQLite by conftest.py
_default = DATABASES["default"]  # noqa: F405
_default["TEST"] = {**_default.get("TEST", {"TEMPLATE": "mailwall"}), "MIGRATE": False}

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]  # quick, for tests only
EMAIL_BACKEND = "django.core.mail.backends.locmem.EmailBackend"
