"""Pictures in a mail's HTML: when they are shown, and those that lie in the mail itself.

A remote picture is loaded by the reader's browser; one that came with the mail (`cid:`, RFC 2392) is fetched from the
mail server and written into the page as data, so that no address of ours gives pictures away.
"""

from __future__ import annotations

import binascii
import html as entities
import re
from collections.abc import Callable
from urllib.parse import unquote

from django.utils.translation import gettext

from mailwall.errors import MailwallError
from mailwall.mailstore import hooks
from mailwall.mailstore.models import Attachment
from mailwall.mime.addresses import fold_address
from mailwall.team.models import User
from mailwall.wall.models import PictureSender

MAX_PICTURES = 40
MAX_PICTURES_BYTES = 15 * 1024 * 1024  # of a mail, together
_IMAGE = re.compile(r"<img [^<>]*>")
_PART = re.compile(r' data-cid="([^"]*)"')
_RASTERS = ((b"\x89PNG\r\n\x1a\n", "png"), (b"\xff\xd8\xff", "jpeg"), (b"GIF87a", "gif"), (b"GIF89a", "gif"))


def always_show(viewer: User, address: str) -> None:
    """From now on show `viewer` the pictures in mails from this address."""
    PictureSender.objects.get_or_create(user=viewer, address=fold_address(address))


def show_on_request(viewer: User, address: str) -> None:
    """Take back always_show()."""
    PictureSender.objects.filter(user=viewer, address=fold_address(address)).delete()


def with_remote(cleaned: str) -> str:
    """HTML of clean_html() whose remote pictures load again."""
    return _IMAGE.sub(lambda image: image[0].replace(" data-remote-src=", " src="), cleaned)


def with_attached(viewer: User, message_id: int, cleaned: str) -> tuple[str, str]:
    """HTML of clean_html() with the pictures that lie in the mail as data; and why they are missing, else ''.

    Only pictures made of pixels, known by their first bytes, whatever the mail calls them. Asks the mail server.
    """
    wanted = _wanted(message_id, cleaned)
    if not wanted:
        return cleaned, ""
    try:
        ids = sorted(set(wanted.values()))
        raw_files = hooks.read_attachments(viewer, message_id, ids, limit_bytes=MAX_PICTURES_BYTES)
    except MailwallError as error:
        return cleaned, gettext(error.message)
    sources = {pk: _data_address(raw) for pk, raw in raw_files.items()}
    return _IMAGE.sub(_filler(wanted, sources), cleaned), ""


def _wanted(message_id: int, cleaned: str) -> dict[str, int]:
    """Content-ID as it stands in the HTML → the attachment it names."""
    named = {found[1] for found in _PART.finditer(cleaned)}
    if not named:
        return {}
    rows = Attachment.objects.filter(message=message_id, content_type__startswith="image/").exclude(content_id="")
    by_id = dict(rows.order_by("-position").values_list("content_id", "pk")[:MAX_PICTURES])
    found = {name: by_id.get(_plain(name)) or by_id.get(unquote(_plain(name))) for name in named}
    return {name: pk for name, pk in found.items() if pk is not None}


def _plain(name: str) -> str:
    return entities.unescape(name).strip().strip("<>")


def _filler(wanted: dict[str, int], sources: dict[int, str]) -> Callable[[re.Match[str]], str]:
    def fill(image: re.Match[str]) -> str:
        part = _PART.search(image[0])
        source = sources.get(wanted.get(part[1], 0)) if part else None
        return image[0].replace(part[0], f' src="{source}"') if part and source else image[0]

    return fill


def _data_address(raw: bytes) -> str:
    """A picture as an address (RFC 2397); '' for what is none."""
    kind = next((name for start, name in _RASTERS if raw.startswith(start)), "")
    if raw[:4] == b"RIFF" and raw[8:12] == b"WEBP":
        kind = "webp"
    return f"data:image/{kind};base64,{binascii.b2a_base64(raw, newline=False).decode()}" if kind else ""
