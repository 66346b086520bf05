"""Pure decisions about stored mail: its key, its date, its identity, who may see it."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection, Sequence
from datetime import UTC, datetime, timedelta

from mailwall.mime.types import AttachmentInfo, ParsedMessage

KEY_BITS = 20
MAX_KEY: int = 2**53 - 1  # beyond it JavaScript loses digits
FUTURE_TOLERANCE = DATE_TOLERANCE = timedelta(days=1)
SNIPPET_LENGTH = 200
MAX_REFERENCES = 60
_PIECE_LENGTH = 1_000_000
_SPACES = b" \t\n\r\x0b\x0c\x1c\x1d\x1e\x1f"
_WIDE_SPACE = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")


def message_key(internaldate: datetime, salt: int) -> int:
    """The id of a message: INTERNALDATE in seconds << 20, plus 20 bits of `salt`; from 0 up to 2^53 - 1.

    So "newest first" is the order of the primary key (docs/adr/0005).
    """
    seconds = max(0, int(internaldate.timestamp()))
    key: int = (seconds << KEY_BITS) | (salt & (2**KEY_BITS - 1))
    return min(key, MAX_KEY)


def key_before(moment: datetime) -> int:
    """The smallest id a message of this moment or later can have: bounds for `since` and `until`."""
    return message_key(moment, 0)


def choose_date(parsed_date: datetime | None, internaldate: datetime, now: datetime) -> datetime:
    """The Date header in UTC; INTERNALDATE where it is missing, cannot be expressed or is over a day ahead of now."""
    if parsed_date is None:
        return internaldate
    try:
        date = parsed_date.astimezone(UTC)
    except OverflowError:  # year 1 or 9999 with an offset
        return internaldate
    return internaldate if date > now + FUTURE_TOLERANCE else date


def odd_date(date: datetime, internaldate: datetime) -> datetime | None:
    """The date of a message that came more than a day before or after it, so that its id does not tell its date."""
    return date if abs(date - internaldate) > DATE_TOLERANCE else None


def content_key(dedupe_key: str, text: str, attachments: Sequence[AttachmentInfo]) -> str:
    """Identity inside one account, 32 hex digits: mails with equal Message-ID but other content are kept apart.

    White space does not count. Attachments count by name and size as encoded: that size is the same whether it was
    read from the structure or from the whole mail, the decoded one is an estimate.
    """
    digest = hashlib.blake2b(dedupe_key.encode(), digest_size=16)
    for start in range(0, len(text), _PIECE_LENGTH):  # the words of 30 MB at once take ten times that
        digest.update(_without_spaces(text[start : start + _PIECE_LENGTH]))
    for attachment in attachments:
        digest.update(f"\0{attachment.filename}\0{attachment.encoded_size_bytes}".encode("utf-8", "surrogatepass"))
    return digest.hexdigest()


def _without_spaces(text: str) -> bytes:
    """As UTF-8, without what str.split() splits at; a third of the time that splitting and joining takes."""
    if not text.isascii() and _WIDE_SPACE.search(text):
        text = "".join(text.split())
    return text.encode("utf-8", "surrogatepass").translate(None, _SPACES)


def counterpart(parsed: ParsedMessage, own_addresses: Collection[str]) -> str:
    """Who is on the other side: the first address in From, To, Cc that is not our own; '' when there is none."""
    people = (*parsed.from_, *parsed.to, *parsed.cc)
    return next((p.address for p in people if p.address and p.address not in own_addresses), "")


def snippet(text: str) -> str:
    """The first words that the sender wrote, in one line: for lists. Quoted lines are left out while others exist."""
    for beginning in (text[:600], text[:20_000]):  # nearly always the first lines are enough
        lines = beginning.splitlines()
        own = [line for line in lines if not line.lstrip().startswith(">")]
        words = " ".join(" ".join(own).split())
        if len(words) > SNIPPET_LENGTH:
            break
    words = words or " ".join(" ".join(lines).split())
    return words if len(words) <= SNIPPET_LENGTH else words[: SNIPPET_LENGTH - 1].rstrip() + "…"


def cut_bytes(text: str, limit: int) -> str:
    """The longest beginning of a text that has at most `limit` bytes as UTF-8."""
    return text if len(text) * 4 <= limit else text.encode()[:limit].decode(errors="ignore")


def thread_ids(message_id: str, in_reply_to: str, references: Sequence[str]) -> tuple[str, ...]:
    """The ids that say where a message belongs, root first, own id last; without doubles and empty ones."""
    if len(references) > MAX_REFERENCES:
        references = (*references[: MAX_REFERENCES // 2], *references[-MAX_REFERENCES // 2 :])
    return tuple(dict.fromkeys(name for name in (*references, in_reply_to, message_id) if name))


def may_see(
    *,
    viewer_id: int,
    managed_team_ids: Collection[int],
    owner_id: int,
    owner_team_id: int | None,
    visibility: str,
    only_owner: bool,
) -> bool:
    """Whether a viewer may see a message: the readable twin of `MessageQuerySet.visible_to`.

    owner_id, owner_team_id, visibility: of the message's account; only_owner: of the message. Being an admin gives
    nothing here.
    """
    return access_rule(
        viewer_id=viewer_id,
        managed_team_ids=managed_team_ids,
        owner_id=owner_id,
        owner_team_id=owner_team_id,
        visibility=visibility,
        only_owner=only_owner,
    ) != ""  # fmt: skip


def access_rule(
    *,
    viewer_id: int,
    managed_team_ids: Collection[int],
    owner_id: int,
    owner_team_id: int | None,
    visibility: str,
    only_owner: bool,
) -> str:
    """The rule by which a viewer sees a message: 'owner', 'manager' or 'everyone'; '' when they do not see it."""
    if viewer_id == owner_id:
        return "owner"
    if only_owner or visibility == "owner":
        return ""
    if owner_team_id is not None and owner_team_id in managed_team_ids and visibility != "everyone":
        return "manager"
    return "everyone" if visibility == "everyone" else ""
