"""Secrets at rest: AES-256-GCM, the key outside the database, each bound to the row it belongs to.

Form: `v1:<key id>:<base64 of nonce + ciphertext>`. A value copied to another row does not open there. The key id tells
which of several keys sealed it, so that `mailwall rotate-key` can replace keys without a moment of darkness.
"""

from __future__ import annotations

import base64
import hashlib
import os
import threading
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings

from mailwall.errors import MailwallError


class SecretUnreadable(MailwallError):
    """The sealed value cannot be opened: another key, another row, or damaged."""

    code = "secret_unreadable"


def seal(plain: str, *, bound_to: str) -> str:
    """Encrypt `plain`; `bound_to` names its row and column and must be given again to open it. '' stays ''."""
    if not plain:
        return ""
    key_id, key = _keys()[0]
    nonce = os.urandom(12)
    sealed = AESGCM(key).encrypt(nonce, plain.encode(), bound_to.encode())
    return f"v1:{key_id}:{base64.b64encode(nonce + sealed).decode()}"


def unseal(sealed: str, *, bound_to: str) -> str:
    """The secret again.

    :raises SecretUnreadable: with a sentence that says what to do.
    """
    if not sealed:
        return ""
    try:
        version, key_id, body = sealed.split(":", 2)
        raw = base64.b64decode(body, validate=True)
        key = dict(_keys())[key_id]
        if version != "v1":
            raise ValueError(version)
        return AESGCM(key).decrypt(raw[:12], raw[12:], bound_to.encode()).decode()
    except (ValueError, KeyError, InvalidTag) as error:
        raise SecretUnreadable(
            "The stored password cannot be read with this installation's key. Type the password again, "
            "or bring back the key file that belonged to this data."
        ) from error


def is_sealed_with_newest(sealed: str) -> bool:
    return not sealed or sealed.split(":", 2)[1] == _keys()[0][0]


def is_rotating() -> bool:
    """Whether more than one key opens secrets: a rotation was begun and not ended."""
    return len(_keys()) > 1


def add_key() -> str:
    """Make a new key, from now on used for sealing; the old ones still open. Gives its id."""
    path = _extra_keys_file()
    key = base64.b64encode(os.urandom(32)).decode()
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with os.fdopen(handle, "a", encoding="ascii") as file:
        file.write(key + "\n")
    _cache.clear()
    return _keys()[0][0]


def drop_old_keys() -> None:
    """Forget all keys but the newest: what they sealed cannot be opened any more."""
    path = _extra_keys_file()
    lines = path.read_text(encoding="ascii").split()
    fresh = path.with_suffix(".new")
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write("only-these\n" + lines[-1] + "\n")
    fresh.replace(path)
    _cache.clear()


_cache: dict[tuple[str, float], list[tuple[str, bytes]]] = {}
_lock = threading.Lock()


def _extra_keys_file() -> Path:
    return Path(settings.DATA_DIR) / "sealing.keys"


def _keys() -> list[tuple[str, bytes]]:
    """(key id, key), newest first; the one made from SECRET_KEY is the oldest unless the file says `only-these`."""
    path = _extra_keys_file()
    stamp = path.stat().st_mtime if path.exists() else 0.0
    with _lock:
        if (settings.SECRET_KEY, stamp) not in _cache:
            lines = path.read_text(encoding="ascii").split() if stamp else []
            keys = [base64.b64decode(line) for line in lines if line != "only-these"]
            if "only-these" not in lines:
                derive = HKDF(algorithm=hashes.SHA256(), length=32, salt=None, info=b"mailwall sealed secrets")
                keys.insert(0, derive.derive(settings.SECRET_KEY.encode()))
            _cache.clear()
            _cache[settings.SECRET_KEY, stamp] = [(hashlib.sha256(key).hexdigest()[:8], key) for key in reversed(keys)]
        return _cache[settings.SECRET_KEY, stamp]
