"""A server's words without our secrets: a server that repeats what we sent, as it came or decoded, tells nobody."""

from __future__ import annotations

import base64
import html
import json
import re
from functools import lru_cache
from itertools import pairwise
from urllib.parse import quote, quote_plus

from mailwall.net.types import ServerSettings

MASK = "…"
MAX_LENGTH = 300
_READ_LENGTH = 1_500  # a server's line may be long, and the search for quoted spellings takes its square


def masked(words: str, settings: ServerSettings) -> str:
    """One short line. The password is taken out in every form in which it may cross the wire or be repeated."""
    if settings.password:
        words = _spelt(settings.username, settings.password).sub(MASK, words[:_READ_LENGTH])
    return " ".join(words.split())[:MAX_LENGTH]


@lru_cache(maxsize=8)  # a connection's answers come one after the other; no more passwords than that stay in memory
def _spelt(username: str, password: str) -> re.Pattern[str]:
    """Every spelling of the password, the longest first; upper and lower case alike."""
    plain = [f"{head}\0{username}\0{password}" for head in ("", username)]  # RFC 4616
    encoded = [_base64(each).rstrip("=") for each in (password, *plain)]
    spelt = {
        password, " ".join(password.split()), password.encode().decode("latin-1"), repr(password.encode())[2:-1],
        json.dumps(password)[1:-1], quote(password, safe=""), quote_plus(password), html.escape(password), *encoded,
    }  # fmt: skip
    longest_first = sorted(spelt - {""}, key=len, reverse=True)
    return re.compile("|".join(map(_however_quoted, longest_first)), re.IGNORECASE)


def _however_quoted(text: str) -> str:
    """As IMAP quotes it (RFC 3501 §4.3), as Python or JSON quotes that again, and so on: more backslashes, at will."""
    chunks = re.findall(r"\\+|[^\\]", text)
    return "".join(
        r"\\+" if chunk[0] == "\\" else ("" if before[:1] == "\\" else r"\\*") + re.escape(chunk)
        for before, chunk in pairwise(["", *chunks])
    )


def _base64(text: str) -> str:
    return base64.b64encode(text.encode()).decode("ascii")
