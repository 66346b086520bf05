"""Pure decisions about outgoing mail: what may leave, how the body is completed, when to try again."""

from __future__ import annotations

import base64
import binascii
import hashlib
import html as html_entities
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from mailwall.mime.html_text import html_to_text

MAX_RECEIVERS = 500
MAX_SUBJECT_LENGTH = 2_000
MAX_BODY_BYTES = 5_000_000
#: of all files together, before base64 makes them a third larger: what the large providers take
MAX_FILES_BYTES = 25_000_000
MAX_FILENAME_BYTES = 255
MAX_HOLD_SECONDS = 86_400
MAX_SEND_LATER = timedelta(days=366)
#: programs that mail servers and receivers refuse, and that nobody should get from us
BLOCKED_EXTENSIONS = frozenset(("exe", "msi", "bat", "js", "vbs", "ps1", "php"))

#: after the first, second … failed try; the last one repeats. Shortened or kept by up to a fifth, so that they spread
RETRY_AFTER = tuple(timedelta(seconds=seconds) for seconds in (40, 120, 300, 900, 1800, 3600))
GIVE_UP_AFTER = timedelta(hours=24)
FEWEST_TRIES = 5

#: how long a mail whose outcome is unknown is looked for in Sent, and how often
LOOK_FOR = timedelta(minutes=10)
LOOK_AGAIN_AFTER = timedelta(seconds=30)
#: a server that files by itself gets this long, then we file; so does one that we do not know yet
SERVER_FILES_WITHIN = timedelta(minutes=4)
UNKNOWN_SERVER_FILES_WITHIN = timedelta(seconds=2)
COPY_GIVE_UP_AFTER = timedelta(days=3)
_COPY_PAUSES = (timedelta(seconds=20), timedelta(hours=1))

#: mails that a worker takes at once. What a killed one held waits for the end of its lease, so not more than it needs
CLAIMED_FIRST, CLAIMED_MOST = 5, 100

IDEMPOTENCY_KEPT = timedelta(hours=24)

#: the class of the element around a signature: where it stands in a letter, no second one is added
SIGNATURE_CLASS = "mailwall-signature"
_SIGNATURE = re.compile(r"<[^<>]{0,2000}\bclass\s*=\s*[\"']?[^\"'<>]{0,500}\b" + SIGNATURE_CLASS, re.IGNORECASE)
_BODY_END = re.compile(r"</body\s*>", re.IGNORECASE)
_DATA_IMAGE = re.compile(
    r"""(<img\b[^<>]*?\bsrc\s*=\s*)(["'])\s*data:(image/[a-z0-9.+-]{1,40})\s*;\s*base64\s*,([A-Za-z0-9+/=\s%]*)\2""",
    re.IGNORECASE,
)
_FILES_BY_ITSELF = re.compile(
    r"(^|\.)(gmail\.com|googlemail\.com|google\.com|office365\.com|outlook\.com|hotmail\.com|live\.com)$"
)


def new_message_id(address: str) -> str:
    """A Message-ID, without brackets, in the domain of the account's address (RFC 5322 §3.6.4)."""
    return f"{secrets.token_hex(16)}@{address.rpartition('@')[2]}"


def is_blocked(filename: str) -> bool:
    """Whether the file is a program by its name; trailing dots and spaces do not count on Windows."""
    return filename.rstrip(". \t").rpartition(".")[2].strip().lower() in BLOCKED_EXTENSIONS


def files_by_itself(hosts: Iterable[str]) -> bool:
    """Whether a provider behind one of the hosts is known to put what it sends into Sent."""
    return any(_FILES_BY_ITSELF.search(host.rstrip(".").lower()) for host in hosts)


# -- the body


def has_signature(html: str) -> bool:
    """Whether the writer placed the signature."""
    return _SIGNATURE.search(html) is not None


def with_signature(html: str, signature: str) -> str:
    """The HTML with the signature at its end, marked."""
    block = f'<br><div class="{SIGNATURE_CLASS}">{signature}</div>'
    end = next(iter(reversed(list(_BODY_END.finditer(html)))), None)
    return html[: end.start()] + block + html[end.start() :] if end else html + block


def with_text_signature(text: str, signature: str) -> str:
    """The text with the signature as text below the usual mark (RFC 3676 §4.3), unless it is there."""
    words = html_to_text(signature).strip()
    return text if not words or words in text else f"{text.rstrip()}\n\n-- \n{words}\n"


def html_of(text: str) -> str:
    """Plain text as HTML that looks the same: paragraphs and line breaks kept, nothing of it a tag."""
    escaped = html_entities.escape(text.replace("\r\n", "\n").replace("\r", "\n").strip("\n"), quote=False)
    kept = re.sub("^ +| {2,}|\t", lambda spaces: "&nbsp;" * len(spaces[0]), escaped, flags=re.MULTILINE)
    return "".join(f"<p>{'<br>'.join(paragraph.splitlines())}</p>" for paragraph in re.split("\n\n+", kept))


@dataclass(frozen=True, slots=True, kw_only=True)
class InlineImage:
    """An image that was written into the HTML itself. content_id: what `cid:` names."""

    content_id: str
    content_type: str
    raw_content: bytes

    @property
    def filename(self) -> str:
        kind = self.content_type.partition("/")[2].partition("+")[0]
        return f"image-{self.content_id[:8]}.{'jpg' if kind == 'jpeg' else kind}"


def images_as_parts(html: str, domain: str) -> tuple[str, tuple[InlineImage, ...]]:
    """HTML whose `data:` images are named by `cid:`, and the images; the same image is one part."""
    images: dict[str, InlineImage] = {}

    def replace(match: re.Match[str]) -> str:
        try:
            raw = base64.b64decode(re.sub(r"\s|%0[AaDd]", "", match[4]), validate=True)
        except (binascii.Error, ValueError):
            return match[0]
        name = f"{hashlib.blake2b(raw, digest_size=12).hexdigest()}@{domain}"
        images[name] = InlineImage(content_id=name, content_type=match[3].lower(), raw_content=raw)
        return f"{match[1]}{match[2]}cid:{name}{match[2]}"

    return _DATA_IMAGE.sub(replace, html), tuple(images.values())


# -- trying again


def claim_size(taken: int, seconds: float) -> int:
    """How many mails a worker takes next that has just handed over so many: about what goes in a second."""
    return min(max(int(taken / max(seconds, 0.001)), CLAIMED_FIRST), CLAIMED_MOST)


def retry_after(attempts: int, share: float) -> timedelta:
    """The pause after so many tries. share: 0 to 1, by chance."""
    return RETRY_AFTER[min(max(attempts, 1), len(RETRY_AFTER)) - 1] * (0.8 + 0.2 * share)


def gives_up(attempts: int, queued_at: datetime, now: datetime) -> bool:
    """Whether a mail that could not be handed over is told as failed: after a day, and enough tries."""
    return attempts >= FEWEST_TRIES and now - queued_at >= GIVE_UP_AFTER


def server_has_until(patience: timedelta, sent_at: datetime, now: datetime) -> datetime | None:
    """When to look again whether the server has filed the copy itself; None: it has had its time."""
    end = sent_at + patience
    return min(end, now + max(now - sent_at, timedelta(seconds=15))) if now < end else None


def copy_pause(since: datetime, now: datetime) -> timedelta:
    """When to try the copy in Sent again: pauses grow with its age."""
    return min(max((now - since) / 2, _COPY_PAUSES[0]), _COPY_PAUSES[1])
