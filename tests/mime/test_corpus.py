"""Every mail of the corpus is read right in every field that its .json names, whichever way it came in."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from mailwall.mime import types as mime
from mailwall.mime.parse import parse_message, parse_whole
from mailwall.mime.parts import choose_text_parts, list_attachments
from mailwall.mime.scan import scan_message

CORPUS = Path(__file__).parent.parent / "corpus"
NAMES = sorted(path.stem for path in CORPUS.glob("*.eml"))


def wanted(name: str) -> dict[str, Any]:
    fields: dict[str, Any] = json.loads((CORPUS / f"{name}.json").read_text())
    return fields


def read_fields(parsed: mime.ParsedMessage) -> dict[str, Any]:
    """The fields of a message in the words of the .json files."""
    return {
        "subject": parsed.subject,
        "from_": [[address.name, address.address] for address in parsed.from_],
        "sender": parsed.sender.address if parsed.sender else None,
        "to": [address.address for address in parsed.to],
        "cc": [address.address for address in parsed.cc],
        "bcc": [address.address for address in parsed.bcc],
        "date": parsed.date.isoformat() if parsed.date else None,
        "message_id": parsed.message_id,
        "in_reply_to": parsed.in_reply_to,
        "references": list(parsed.references),
        "attachments": [[item.filename, item.content_type, item.size_bytes] for item in parsed.attachments],
        "inline": [item.inline for item in parsed.attachments],
        "sections": [item.section for item in parsed.attachments],
        "html": bool(parsed.html),
        "automatic": parsed.automatic,
        "list_id": parsed.list_id,
        "text_exact": parsed.text.strip("\n"),
        "defects_exact": list(parsed.defects),
    }


def check(parsed: mime.ParsedMessage, want: dict[str, Any]) -> None:
    fields = read_fields(parsed)
    for key, value in want.items():
        if key == "text":
            assert [piece for piece in value if piece not in parsed.text] == [], parsed.text
        elif key == "not_text":
            assert [piece for piece in value if piece in parsed.text] == [], parsed.text
        elif key == "defects":
            assert set(value) <= set(parsed.defects)
        else:
            assert fields[key] == value, key


def test_the_corpus_is_there() -> None:
    assert len(NAMES) >= 60


@pytest.mark.parametrize("name", NAMES)
def test_a_whole_message_is_read_right(name: str) -> None:
    check(parse_whole((CORPUS / f"{name}.eml").read_bytes()), wanted(name))


@pytest.mark.parametrize("name", NAMES)
def test_header_structure_and_text_sections_give_the_same(name: str) -> None:
    """What the sync fetches from a server gives the same message as all of its bytes; sizes are near."""
    scan = scan_message((CORPUS / f"{name}.eml").read_bytes())
    sections = {part.section: scan.raw_sections[part.section] for part in choose_text_parts(scan.structure)}
    parsed = parse_message(scan.raw_header, scan.structure, sections)
    want = {key: value for key, value in wanted(name).items() if not key.startswith("defects")}
    for near, (_, _, size) in zip(list_attachments(scan.structure), want.pop("attachments", []), strict=False):
        assert abs(near.size_bytes - size) <= max(3, size * 0.02), near
    check(parsed, want)
