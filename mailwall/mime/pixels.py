"""The picture by which a mail tells Mailwall that it was opened: how its address looks, and how it is taken out again.

Its form is Mailwall's own, so that no Mailwall, whatever its address or key, loads one when it shows mail.
"""

from __future__ import annotations

import re
from email.parser import BytesParser
from html import escape

from mailwall.mime import compose

FOLDER = "opened"
_ADDRESS = re.compile(rf"/{FOLDER}/\d+-\d+\.[\w-]{{43}}\.gif(?![^?#])", re.ASCII)
_TAG = re.compile(rf'<img\b[^>]*/{FOLDER}/\d+-\d+\.[\w-]{{43}}\.gif"[^>]*>', re.ASCII)
_HTML_PART = b"Content-Type: text/html;"


def is_pixel(url: str) -> bool:
    """Whether this is the address of such a picture, of this Mailwall or of another one."""
    return _ADDRESS.search(url) is not None


def tag_for(url: str) -> str:
    return f'<img src="{escape(url)}" width="1" height="1" alt="">'


def without_pixel(raw: bytes) -> bytes:
    """A mail of compose() without the picture; as it is where it has none."""
    start = raw.find(_HTML_PART)
    end = raw.find(b"\r\n--=_", start)
    if start < 0 or end < 0:
        return raw
    html = BytesParser().parsebytes(raw[start:end]).get_payload(decode=True)
    assert isinstance(html, bytes)
    text = html.decode()
    bare = _TAG.sub("", text)
    return raw if bare == text else raw[:start] + compose.text_part("html", bare) + raw[end:]
