"""The sample as story.toml tells it: who writes to whom, about what, how long ago. Pure but for reading that file."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any

OLDEST_DAYS, OLDER_FROM_DAYS = 190, 17
NEWSLETTER_HTML = (
    '<html><body><img src="https://cdn.designweekly.example/masthead.png" width="600" alt="Design Weekly">'
    '<h1 style="color:#7a4b1f">{headline}</h1><p>{text}</p>'
    '<p><a href="https://designweekly.example/read">Read on</a> · <a href="https://designweekly.example/leave">'
    "Unsubscribe</a></p></body></html>"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Correspondent:
    """Somebody who writes or is written to. key: '' of newsletters."""

    key: str
    name: str
    address: str
    language: str = "en"


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail of the sample. before: Message-IDs of the thread so far. files: names, their content is made up."""

    message_id: str
    sender: Correspondent
    to: Correspondent
    subject: str
    text: str
    at: datetime
    cc: tuple[Correspondent, ...] = ()
    before: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    html: str = ""
    headers: tuple[tuple[str, str], ...] = ()


@cache
def story() -> dict[str, Any]:
    """The whole of story.toml."""
    return tomllib.loads(Path(__file__).with_name("story.toml").read_text(encoding="utf-8"))


def users() -> list[Correspondent]:
    return [_correspondent(entry) for entry in story()["user"]]


def customers() -> list[Correspondent]:
    """People who are contacts."""
    people = [person for company in story()["customer"] for person in company["people"]]
    return [_correspondent(entry) for entry in [*people, *story()["single"]]]


def strangers() -> list[Correspondent]:
    return [_correspondent(entry) for entry in story()["stranger"]]


@cache
def by_key() -> dict[str, Correspondent]:
    return {person.key: person for person in [*users(), *customers(), *strangers()]}


def letters(now: datetime) -> list[Letter]:
    """Every mail that lies in the mailboxes at the beginning, oldest first."""
    found = [*_threads(now), *_newsletters(now), *_older(now)]
    return sorted(found, key=lambda letter: letter.at)


def fresh(number: int, now: datetime) -> Letter:
    """The mail that arrives as number `number` while one looks; after the last one it begins anew."""
    entry = story()["fresh"][number % len(story()["fresh"])]
    sender, to = by_key()[entry["by"]], by_key()[entry["to"]]
    return Letter(
        message_id=f"fresh-{number}-{int(now.timestamp())}@{_domain(sender)}",
        sender=sender, to=to, subject=entry["subject"], text=entry["text"], at=now,
    )  # fmt: skip


def reply_text(person: Correspondent, number: int) -> str:
    """What a customer answers to one's mail."""
    lines = story()["reply"][person.language]
    return f"{lines[number % len(lines)]}\n\n{person.name.split()[0]}"


def as_html(text: str, name: str) -> str:
    """A mail as mail programs write it: paragraphs and a small signature."""
    paragraphs = "".join(f"<p>{part.strip()}</p>" for part in text.split("\n\n"))
    return (
        f'<html><body style="font-family:Calibri,sans-serif">{paragraphs}'
        f'<table style="border-top:2px solid #2f6f4f;margin-top:1em"><tr><td><b>{name}</b></td></tr></table>'
        "</body></html>"
    )


def _threads(now: datetime) -> Iterator[Letter]:
    for number, thread in enumerate(story()["thread"]):
        box, at = by_key()[thread["box"]], now - timedelta(days=thread["days"])
        other = by_key()[thread["turns"][0]["by"]]
        before: tuple[str, ...] = ()
        for turn in thread["turns"]:
            sender = by_key()[turn["by"]]
            at += timedelta(hours=turn.get("hours", 0))
            other = sender if sender != box else other
            letter = Letter(
                message_id=f"thread-{number}-{len(before)}@{_domain(sender)}",
                sender=sender,
                to=other if sender == box else box,
                subject=("Re: " if before else "") + thread["subject"],
                text=turn["text"].strip(),
                at=at,
                cc=tuple(by_key()[key] for key in thread.get("cc", ())),
                before=before,
                files=tuple(turn.get("files", ())),
                html=as_html(turn["text"], sender.name) if turn.get("html") else "",
                headers=(("Auto-Submitted", "auto-generated"),) if thread.get("automatic") else (),
            )
            before = (*before, letter.message_id)
            yield letter


def _newsletters(now: datetime) -> Iterator[Letter]:
    for entry in story()["newsletter"]:
        sender = Correspondent(key="", name=entry["name"], address=entry["address"])
        for days in entry["days"]:
            for box in entry["boxes"]:
                yield Letter(
                    message_id=f"issue-{days}-{box}@{entry['list']}",
                    sender=sender,
                    to=by_key()[box],
                    subject=entry["subject"],
                    text=entry["text"],
                    at=now - timedelta(days=days),
                    html=NEWSLETTER_HTML.format(headline=entry["headline"], text=entry["text"]),
                    headers=(("List-Id", f"<{entry['list']}>"), ("Precedence", "bulk")),
                )


def _older(now: datetime) -> Iterator[Letter]:
    """Exchanges of the last half year, spread evenly, with Anna or Ben in turn."""
    pairs = [(entry, who) for entry in story()["older"] for who in customers() if who.language == entry["language"]]
    step = (OLDEST_DAYS - OLDER_FROM_DAYS) / len(pairs)
    for number, (entry, other) in enumerate(pairs):
        box = by_key()["anna" if number % 2 else "ben"]
        names = {"name": box.name.split()[0], "by": other.name.split()[0]}
        ask = Letter(
            message_id=f"older-{number}-0@{_domain(other)}",
            sender=other,
            to=box,
            subject=entry["subject"],
            text=entry["asks"].format(**names),
            at=now - timedelta(days=OLDEST_DAYS - number * step, hours=number % 7),
        )
        yield ask
        yield replace(
            ask,
            message_id=f"older-{number}-1@{_domain(box)}",
            sender=box,
            to=other,
            subject=f"Re: {entry['subject']}",
            text=entry["answers"].format(**names),
            at=ask.at + timedelta(hours=2 + number % 5),
            before=(ask.message_id,),
            files=(entry["file"],) if "file" in entry else (),
        )


def _correspondent(entry: dict[str, Any]) -> Correspondent:
    return Correspondent(
        key=entry["key"], name=entry["name"], address=entry["address"], language=entry.get("language", "en")
    )


def _domain(person: Correspondent) -> str:
    return person.address.partition("@")[2]
