"""Which messages belong together: the thread's root and key, and the key of copies of one mail.

Sources: RFC 5322 §3.6.4 (References), RFC 5256 §2.1 (base subject).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence

from mailwall.mime.types import ParsedMessage

_PREFIX = re.compile(
    r"^\s*(?:\[[^\[\]]{0,40}\]\s*)?(?:re|aw|antw|sv|vs|ref|rif|r|res|rv|odp|odpowiedź|tr|fw|fwd|wg|wtr|pd|dot|i|enc|"
    r"vl|doorst|ynt|ilt|"
    r"vá|továbbítás|atb|ang|отв|отг|bls|trs|rsp|fs|vb|vd|απ|προ|πρθ|σχετ|回复|回覆|答复|转发|轉寄|返信|転送|답장|전달|השב|הועבר|رد|"
    r"إعادة توجيه"
    r")\s*(?:\[\d{1,4}\]|\(\d{1,4}\)|\^\d{1,4}|\*\d{1,4})?\s*[:：]\s*",
    re.IGNORECASE,
)
_FORWARD = re.compile(
    r"^\s*(?:fw|fwd|wg|pd|tr|enc|rv|i|vl|vb|doorst|továbbítás|转发|轉寄|転送|전달|הועבר)\s*[:：]", re.IGNORECASE
)
_TAIL = re.compile(r"\s*\((?:fwd|fw)\)\s*$", re.IGNORECASE)
_SPACES = re.compile(r"\s+")


def thread_root(message_id: str, in_reply_to: str, references: Sequence[str]) -> str:
    """The id of the message that began the thread: first of References, else In-Reply-To, else the message's own."""
    return next(iter(references), "") or in_reply_to or message_id


def thread_key(root: str) -> str:
    """A short fixed-length key of a thread: 32 hex digits of BLAKE2b over the root's id."""
    return _digest(root)


def dedupe_key(parsed: ParsedMessage) -> str:
    """Equal for copies of one mail, in whatever folder or account: 32 hex digits.

    Over normalised Message-ID, From, Date and Subject: an id alone is reused by broken senders. Without a Message-ID:
    over the header fields and the text.
    """
    sender = ",".join(address.address for address in parsed.from_)
    date = parsed.date.isoformat() if parsed.date else ""
    subject = _SPACES.sub(" ", parsed.subject).strip()
    if parsed.message_id:
        return _digest("id", _normalize_id(parsed.message_id), sender, date, subject)
    receivers = ",".join(sorted(address.address for address in (*parsed.to, *parsed.cc)))
    text = _SPACES.sub(" ", parsed.text).strip()
    names = ",".join(f"{item.filename}:{item.content_type}" for item in parsed.attachments)
    return _digest("text", sender, receivers, date, subject, text, names)


def normalize_subject(subject: str) -> str:
    """The subject without reply and forward marks (Re:, Fwd:, Odp:, AW:, PD: … in many languages), spaces joined."""
    text = _SPACES.sub(" ", subject[:2000]).strip()
    for _ in range(50):
        match = _PREFIX.match(text)
        shorter = _TAIL.sub("", text[match.end() :] if match else text)
        if shorter == text:
            break
        text = shorter
    return text.strip()


def is_forward(subject: str) -> bool:
    """Whether the subject's first mark says forwarded (Fwd:, FW:, PD:, WG: …): then the quoted part is the news."""
    return _FORWARD.match(subject) is not None


def _normalize_id(message_id: str) -> str:
    """The part right of the @ is a domain, so its case says nothing."""
    local, at, domain = message_id.strip().strip("<>").rpartition("@")
    return local + at + domain.lower()


def _digest(*fields: str) -> str:
    """Each field with its length, so that no two lists of fields run into one."""
    raw = [field.encode("utf-8", "surrogatepass") for field in fields]
    joined = b"".join([len(field).to_bytes(8, "big") + field for field in raw])
    return hashlib.blake2b(joined, digest_size=16).hexdigest()
