"""The messages of a session as readings, in order and in batches. Touches the network, never the database."""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterable, Iterator, Sequence

from mailwall.email_accounts import import_rules
from mailwall.imap.session import ImapSession
from mailwall.imap.types import FetchedMessage
from mailwall.mime.parse import parse_message
from mailwall.mime.reports import sections_to_read
from mailwall.mime.types import BodyPart
from mailwall.sync import interpreting, rules
from mailwall.sync.interpreting import InterpretAll, Reading, Scope


def read(
    session: ImapSession,
    uids: Sequence[int],
    scope: Scope,
    interpret_all: InterpretAll = interpreting.interpret_all,
) -> Generator[Reading, None, None]:
    """Read messages and give them in the order asked for. Raises ImapError; what was given before it is complete."""
    if rules.keeps_nothing(scope.folder_role, scope.store):
        yield from _skip_all(session, uids, scope)
        return

    def wants_text(raw_header: bytes, structure: BodyPart) -> bool:
        return not import_rules.skipping_rule(parse_message(raw_header, structure, {}), scope.import_rules)

    fetched = session.fetch_messages(
        uids, choose_sections=sections_to_read, wants_text=None if scope.import_rules.is_empty else wants_text
    )
    yield from interpret_all(_in_order(fetched, uids), scope)


def read_whole(session: ImapSession, uid: int, scope: Scope) -> Reading:
    """Read one message whole, for those that failed before. One that is still not there is gone. Raises ImapError."""
    fetched = session.fetch_whole(uid, limit_bytes=rules.WHOLE_RETRY_LIMIT_BYTES)
    return Reading(uid=uid) if fetched.problem == "vanished" else interpreting.interpret(fetched, scope)


def in_batches(
    readings: Generator[Reading, None, None], *, first: int = rules.BATCH_MESSAGES
) -> Generator[list[Reading], None, None]:
    """Readings in batches of bounded number and weight; the first one small. Closing it closes the readings."""
    batch: list[Reading] = []
    weight, limit = 0, first
    with contextlib.closing(readings):
        for reading in readings:
            batch.append(reading)
            weight += reading.weight_bytes
            if len(batch) >= limit or weight >= rules.BATCH_BYTES:
                yield batch
                batch, weight, limit = [], 0, rules.BATCH_MESSAGES
        if batch:
            yield batch


def _in_order(fetched: Iterable[FetchedMessage], uids: Sequence[int]) -> Iterator[FetchedMessage]:
    """The messages in the order of uids; the few that come early wait. A cursor may then move with each."""
    early: dict[int, FetchedMessage] = {}
    expected = iter(uids)
    awaited = next(expected, None)
    for message in fetched:
        early[message.uid] = message
        while awaited is not None and awaited in early:
            yield early.pop(awaited)
            awaited = next(expected, None)


def _skip_all(session: ImapSession, uids: Sequence[int], scope: Scope) -> Iterator[Reading]:
    """Only dates and sizes, for the ledger: no text of a message that is not wanted crosses the wire."""
    for piece in rules.batches(uids, rules.BATCH_MESSAGES):
        seen = {overview.uid: overview for overview in session.fetch_overviews(piece)}
        for uid in piece:
            overview = seen.get(uid)
            if overview is None:
                yield Reading(uid=uid)
                continue
            rule = rules.BEFORE_WINDOW if overview.internaldate < scope.since else rules.DIRECTION
            yield Reading(uid=uid, internaldate=overview.internaldate, size_bytes=overview.size_bytes, rule=rule)
