"""A server's words without our secrets: a server that repeats what we sent, as it came or decoded, tells nobody."""

from __future__ import annotations

import base64
import html
import json
import re
from urllib.parse import quote, quote_plus

from mailwall.net.types import ServerSettings

MASK = "…"
MAX_LENGTH = 300


def masked(words: str, settings: ServerSettings) -> str:
    """One short line. The password is taken out in every form in which it may cross the wire or be repeated."""
    if settings.password:
        words = _spelt(settings.username, settings.password).sub(MASK, words)
    return " ".join(words.split())[:MAX_LENGTH]


def _spelt(username: str, password: str) -> re.Pattern[str]:
    """Every spelling of the password, the longest first; upper and lower case alike."""
    encoded = [_base64(each) for each in (password, f"\0{username}\0{password}", f"{username}\0{username}\0{password}")]
    spelt = {
        password, " ".join(password.split()), *encoded, *(each.rstrip("=") for each in encoded),
        quote(password, safe=""), quote_plus(password), html.escape(password), json.dumps(password)[1:-1],
        repr(password)[1:-1], repr(password.encode())[2:-1], password.encode().decode("latin-1"),
        password.replace("\\", "\\\\").replace('"', '\\"'),  # as IMAP quotes it (RFC 3501 §4.3)
    }  # fmt: skip
    return re.compile("|".join(re.escape(each) for each in sorted(spelt - {""}, key=len, reverse=True)), re.IGNORECASE)


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
