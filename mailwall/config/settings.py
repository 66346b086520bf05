"""Every setting of the process. The only module that reads the environment (docs/settings.md lists what it knows).

Values come from `MAILWALL_<NAME>`, secrets also from the file named by `MAILWALL_<NAME>_FILE`. A bad value stops the
start with one clear sentence.
"""

from __future__ import annotations

import os
import secrets
import sys
from datetime import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

from csp.constants import NONE, SELF

BASE_DIR = Path(__file__).resolve().parent.parent


class SettingInvalid(SystemExit):
    """A setting that cannot be used; the process ends with the sentence."""


def env_text(name: str, default: str = "") -> str:
    """The setting as text; `NAME_FILE` wins over nothing, the variable itself over the file."""
    value = os.environ.get(name, "").strip()
    file = os.environ.get(f"{name}_FILE", "").strip()
    if value or not file:
        return value or default
    try:
        return Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise SettingInvalid(f"{name}_FILE names a file that cannot be read: {file} ({error.strerror}).") from error


def env_int(name: str, default: int, *, low: int, high: int) -> int:
    value = env_text(name)
    if not value:
        return default
    if not value.isdigit() or not low <= int(value) <= high:
        raise SettingInvalid(f"{name} must be a whole number from {low} to {high}, not {value!r}.")
    return int(value)


def env_bool(name: str, default: bool) -> bool:
    value = env_text(name).lower()
    if value in ("", "1", "true", "yes", "on", "0", "false", "no", "off"):
        return default if not value else value in ("1", "true", "yes", "on")
    raise SettingInvalid(f"{name} must be yes or no, not {value!r}.")


def env_list(name: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in env_text(name).split(",") if item.strip())


def env_time(name: str, default: str) -> time:
    value = env_text(name, default)
    try:
        return time.fromisoformat(value)
    except ValueError as error:
        raise SettingInvalid(f"{name} must be a time such as 03:00, not {value!r}.") from error


def read_or_make_key(path: Path) -> str:
    """The secret key of this installation; made once, readable by its owner alone."""
    try:
        return path.read_text(encoding="ascii").strip()
    except FileNotFoundError:
        pass
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:  # another process of ours was first
        return path.read_text(encoding="ascii").strip()
    with os.fdopen(handle, "w", encoding="ascii") as file:
        key = secrets.token_urlsafe(48)
        file.write(key + "\n")
    return key


def database_from(url: str, data_dir: Path) -> dict[str, object]:
    """Django's settings of one database: SQLite in the data folder, or postgres://user:password@host:port/name."""
    if not url:
        return {
            "ENGINE": "django.db.backends.sqlite3",
            "NAME": data_dir / "mailwall.sqlite3",
            "OPTIONS": {
                # IMMEDIATE takes the write lock first: a read that turns into a write can then not be "locked" out
                "transaction_mode": "IMMEDIATE",
                "timeout": 20,
                # pages: each thread's connection keeps its own; the kernel keeps the file (docs/scaling.md, Memory)
                "init_command": "PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL; PRAGMA temp_store=MEMORY;"
                " PRAGMA cache_size=-8000; PRAGMA mmap_size=268435456;",
            },
            "TEST": {"NAME": data_dir / "test.sqlite3"},
        }
    parts = urlsplit(url)
    if parts.scheme not in ("postgres", "postgresql"):
        raise SettingInvalid("MAILWALL_DATABASE_URL must start with postgres:// (or be empty for SQLite).")
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": parts.hostname or "",
        "PORT": parts.port or "",
        "CONN_HEALTH_CHECKS": True,  # after a restart no request meets a dead connection of the pool
        "OPTIONS": {
            "prepare_threshold": 5,  # allows it: Django's own cursors never prepare, sending/statements.py does
            "pool": {"min_size": 1, "max_size": 24, "timeout": 10},
            # a network that swallows packets is noticed within half a minute, not after the system's two hours
            "connect_timeout": 5,
            "keepalives_idle": 10,
            "keepalives_interval": 5,
            "keepalives_count": 3,
            "tcp_user_timeout": 20_000,
        },
    }


# -- the installation

DATA_DIR = Path(env_text("MAILWALL_DATA_DIR", "./data")).resolve()
try:
    DATA_DIR.mkdir(parents=True, exist_ok=True)
except OSError as error:
    raise SettingInvalid(f"MAILWALL_DATA_DIR: {DATA_DIR} cannot be made ({error.strerror}).") from error

SECRET_KEY = env_text("MAILWALL_SECRET_KEY") or read_or_make_key(DATA_DIR / "secret.key")
BASE_URL = env_text("MAILWALL_BASE_URL", "http://127.0.0.1:8000").rstrip("/")
IS_HTTPS = BASE_URL.startswith("https://")
DEBUG = False
TESTING = "pytest" in sys.modules
ALLOWED_HOSTS = ["*"] if not env_text("MAILWALL_ALLOWED_HOSTS") else list(env_list("MAILWALL_ALLOWED_HOSTS"))
CSRF_TRUSTED_ORIGINS = [BASE_URL]

# -- what administrators may set

REDIS_URL = env_text("MAILWALL_REDIS_URL")
DEMO = env_bool("MAILWALL_DEMO", (DATA_DIR / "demo").is_dir())
SYNC_INTERVAL_SECONDS = env_int("MAILWALL_SYNC_INTERVAL_SECONDS", 180, low=1, high=86_400)
IMPORT_WINDOW_DAYS = env_int("MAILWALL_IMPORT_WINDOW_DAYS", 14, low=1, high=36_500)
MAX_FAILED_ATTEMPTS = env_int("MAILWALL_MAX_FAILED_ATTEMPTS", 10, low=1, high=1_000)
REVIEW_TIME = env_time("MAILWALL_REVIEW_TIME", "03:00")
MAIL_HOSTS_ALLOW = env_list("MAILWALL_MAIL_HOSTS_ALLOW") + (("127.0.0.1",) if DEMO else ())
MAIL_CA_FILE = env_text("MAILWALL_MAIL_CA_FILE")
WEB_PROCESSES = env_int("MAILWALL_WEB_PROCESSES", 1, low=1, high=64)
WEB_THREADS = env_int("MAILWALL_WEB_THREADS", 32, low=1, high=512)
WORKER_CONCURRENCY = env_int("MAILWALL_WORKER_CONCURRENCY", 4, low=1, high=256)
PUSH_CONNECTIONS = env_int("MAILWALL_PUSH_CONNECTIONS", 1000, low=0, high=100_000)
HOST_CONNECTIONS = env_int("MAILWALL_HOST_CONNECTIONS", 10, low=2, high=10_000)
KEPT_CONNECTIONS = env_int("MAILWALL_KEPT_CONNECTIONS", 200, low=0, high=10_000)
METRICS_TOKEN = env_text("MAILWALL_METRICS_TOKEN")
LEASE_SECONDS = env_int("MAILWALL_LEASE_SECONDS", 120, low=2, high=3_600)

# -- Django

INSTALLED_APPS = [
    "mailwall.config.apps.ConfigConfig",
    "mailwall.demo",
    "mailwall.operations",
    "mailwall.health",
    "mailwall.sequences",
    "mailwall.dashboard",
    "mailwall.wall",
    "mailwall.sending",
    "mailwall.sync",
    "mailwall.assignment",
    "mailwall.mailstore",
    "mailwall.email_accounts",
    "mailwall.contacts",
    "mailwall.team",
    "mailwall.web",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "csp",
    "template_partials.apps.SimpleAppConfig",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
    "django.contrib.humanize",
]
MIDDLEWARE = [
    "django.middleware.security.SecurityMiddleware",
    "mailwall.web.headers.permissions_policy",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "csp.middleware.CSPMiddleware",
    "mailwall.web.rest.problems_for_wrong_methods",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "mailwall.team.middleware.LanguageMiddleware",
    "django.middleware.common.CommonMiddleware",
    "django.middleware.csrf.CsrfViewMiddleware",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "mailwall.team.middleware.UserPreferencesMiddleware",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
]
ROOT_URLCONF = "mailwall.config.urls"
WSGI_APPLICATION = "mailwall.config.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "APP_DIRS": False,
        "OPTIONS": {
            "loaders": [
                (
                    "template_partials.loader.Loader",
                    [
                        (
                            "django.template.loaders.cached.Loader",
                            ["django.template.loaders.app_directories.Loader"],
                        )
                    ],
                )
            ],
            "builtins": ["template_partials.templatetags.partials"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "django.template.context_processors.i18n",
                "mailwall.web.context.shell",
            ],
        },
    }
]

DATABASES = {"default": database_from(env_text("MAILWALL_DATABASE_URL"), DATA_DIR)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.redis.RedisCache",
        "LOCATION": REDIS_URL,
        "OPTIONS": {"serializer": "mailwall.web.json_cache.JsonSerializer"},
    }
    if REDIS_URL
    else {"BACKEND": "django.core.cache.backends.filebased.FileBasedCache", "LOCATION": DATA_DIR / "cache"}
}

# -- signing in

AUTH_USER_MODEL = "team.User"
AUTHENTICATION_BACKENDS = ["allauth.account.auth_backends.AuthenticationBackend"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator"},
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 10}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
]
ACCOUNT_ADAPTER = "mailwall.team.sign_in.AccountAdapter"
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_USER_DISPLAY = "mailwall.team.sign_in.display_name"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*"]
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_EMAIL_SUBJECT_PREFIX = ""
ACCOUNT_LOGOUT_ON_GET = False
ALLAUTH_TRUSTED_PROXY_COUNT = env_int("MAILWALL_TRUSTED_PROXIES", 0, low=0, high=10)
ACCOUNT_SESSION_REMEMBER = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # addresses come from administrators, not from their owners
MFA_TOTP_ISSUER = "Mailwall"
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
CSRF_COOKIE_SAMESITE = "Lax"
CSRF_FAILURE_VIEW = "mailwall.web.views.csrf_failure"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = IS_HTTPS

# -- safety in the browser

X_FRAME_OPTIONS = "DENY"
SECURE_REFERRER_POLICY = "same-origin"
# TLS ends at a proxy; what a client forges here changes only the answer that it gets itself
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if IS_HTTPS else None
SECURE_HSTS_SECONDS = 365 * 86_400 if IS_HTTPS else 0
CONTENT_SECURITY_POLICY = {
    "DIRECTIVES": {
        "default-src": [SELF],
        "script-src": [SELF],
        "style-src": [SELF],
        "img-src": [SELF, "data:"],
        "font-src": [SELF],
        "frame-src": [SELF],
        "frame-ancestors": [NONE],
        "form-action": [SELF],
        "base-uri": [NONE],
        "object-src": [NONE],
    }
}

# -- language, time, files

LANGUAGE_CODE = "en"
LANGUAGES = [("en", "English"), ("pl", "Polski")]
# the edges are no Django apps, so that their sentences would not be found
LOCALE_PATHS = [BASE_DIR / room / "locale" for room in ("net", "imap", "smtp")]
LANGUAGE_COOKIE_NAME = "mailwall_language"
USE_I18N = True
USE_TZ = True
TIME_ZONE = "UTC"
USE_THOUSAND_SEPARATOR = True
STATIC_URL = "/static/"
STATIC_ROOT = DATA_DIR / "static"
STORAGES = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage"},
    "staticfiles": {
        "BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"
        if TESTING
        else "whitenoise.storage.CompressedManifestStaticFilesStorage"
    },
}
WHITENOISE_KEEP_ONLY_HASHED_FILES = True  # a third of the time for the first start
DATA_UPLOAD_MAX_MEMORY_SIZE = 60_000_000

# -- system mail (notices to owners), off until a server is named

EMAIL_URL = urlsplit(env_text("MAILWALL_SYSTEM_SMTP_URL"))
EMAIL_BACKEND = (
    "django.core.mail.backends.smtp.EmailBackend"
    if EMAIL_URL.hostname
    else "django.core.mail.backends.dummy.EmailBackend"
)
EMAIL_HOST = EMAIL_URL.hostname or ""
EMAIL_PORT = EMAIL_URL.port or 587
EMAIL_HOST_USER = unquote(EMAIL_URL.username or "")
EMAIL_HOST_PASSWORD = unquote(EMAIL_URL.password or "")
EMAIL_USE_TLS = EMAIL_URL.scheme == "smtp+starttls"
EMAIL_USE_SSL = EMAIL_URL.scheme == "smtps"
EMAIL_TIMEOUT = 15
DEFAULT_FROM_EMAIL = env_text("MAILWALL_SYSTEM_MAIL_FROM", "mailwall@localhost")

LOGGING_CONFIG = None  # config/logging.py sets it up with structlog
