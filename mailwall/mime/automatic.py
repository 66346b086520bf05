"""Did a human write this? Header fields → '' or why the mail counts as automatic.

Sources: RFC 3834 (Auto-Submitted), RFC 3464 (delivery reports), RFC 5321 §4.5.5 (null return path), RFC 2919 and 2369
(lists), Exchange's X-Auto-Response-Suppress as a weak hint only: Outlook puts it on human mail as well.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from mailwall.mime.types import BodyPart

_ROBOT_SENDER = re.compile(rb"\b(mailer-daemon|postmaster)\b", re.IGNORECASE)
_ROBOT_SUBJECT = re.compile(
    r"^\s*(auto(matic)?[ -]?(reply|response|antwort)|out of (the )?office|automatyczna odpowied|autoodpowied|"
    r"odpowied[zź] automatyczna|nieobecno|poza biurem|abwesen[dh]|automatische antwort|r[eé]ponse automatique|"
    r"respuesta autom|risposta automatica|automatisch antwoord)",
    re.IGNORECASE,
)


def find_automatic(fields: Mapping[str, Sequence[bytes]], structure: BodyPart | None, subject: str) -> str:
    """'bounce', 'auto-replied', 'auto-generated', 'list', 'bulk', or '' for a human's mail."""

    def first(name: str) -> str:
        values = fields.get(name)
        return values[0].decode("latin-1").strip().lower() if values else ""

    submitted = first("auto-submitted").partition(";")[0].split("(")[0].strip()
    precedence = first("precedence")
    says_away = _ROBOT_SUBJECT.match(subject) is not None
    if _is_bounce(fields, structure, is_answer=says_away or precedence == "auto_reply"):
        return "bounce"
    if submitted.startswith("auto-replied") or precedence == "auto_reply":
        return "auto-replied"
    if says_away and (submitted == "auto-generated" or _has_null_path(fields)):  # Exchange's answers of who is away
        return "auto-replied"
    if submitted and submitted != "no":  # before the list: people write to lists too, and this says that none did
        return "auto-generated"
    if "list-id" in fields or "list-unsubscribe" in fields or precedence == "list":
        return "list"
    if precedence in ("bulk", "junk"):
        return "auto-replied" if says_away or _says_it_answers(first) else "bulk"
    if structure is not None and structure.content_type == "multipart/report":
        return "auto-generated"
    return _by_weak_hints(first, subject)


def _is_bounce(fields: Mapping[str, Sequence[bytes]], structure: BodyPart | None, *, is_answer: bool) -> bool:
    """is_answer: by its subject or precedence; then an empty return path says nothing (Exchange's have one)."""
    if structure is not None and structure.content_type == "multipart/report":
        kinds = {part.content_type for part in structure.children}
        report_type = dict(structure.params).get("report-type", "").lower()
        if report_type == "delivery-status" or kinds & {"message/delivery-status", "message/global-delivery-status"}:
            return True
    sender = b" ".join(fields.get("from", ()))[:2000]
    null_path = _has_null_path(fields)
    if b"mailer-daemon" in sender.lower() or (null_path and _ROBOT_SENDER.search(sender)):
        return True
    return "x-failed-recipients" in fields or (null_path and "auto-submitted" not in fields and not is_answer)


def _has_null_path(fields: Mapping[str, Sequence[bytes]]) -> bool:
    return any(value.replace(b" ", b"") == b"<>" for value in fields.get("return-path", ()))


def _says_it_answers(first: Callable[[str], str]) -> bool:
    return bool(first("x-autorespond") or first("x-autoresponder") or first("x-autoreply") in ("yes", "true", "1"))


def _by_weak_hints(first: Callable[[str], str], subject: str) -> str:
    """Fields that programs also put on people's mail: two of them, or one and a telling subject."""
    if _says_it_answers(first):
        return "auto-replied"
    weak = [name for name in ("x-autoreply", "x-auto-response-suppress", "x-vacation") if first(name)]
    return "auto-replied" if weak and _ROBOT_SUBJECT.match(subject) else ""
