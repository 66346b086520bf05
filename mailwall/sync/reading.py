"""From a session's bytes to what is to be done with each uid: stored, skipped by a rule, or failed with a reason.

Touches network and mail, never the database. One odd message stops nothing: it becomes a Reading with a reason.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from mailwall.email_accounts import import_rules
from mailwall.email_accounts.import_rules import ImportRules
from mailwall.imap.session import ImapSession
from mailwall.imap.types import FetchedMessage
from mailwall.mailstore.types import IncomingMessage
from mailwall.mime.parse import parse_message, parse_whole
from mailwall.mime.reports import sections_to_read
from mailwall.mime.types import BodyPart, ParsedMessage
from mailwall.sync import rules

logger = logging.getLogger(__name__)

NO_TEXT = "no_text"


@dataclass(frozen=True, slots=True, kw_only=True)
class Scope:
    """What is kept of a folder. since: for INTERNALDATE; own_addresses: folded; store: 'received', 'sent' or 'both';
    import_rules: what is never imported."""

    account_id: int
    folder_id: int
    folder_role: str
    own_addresses: frozenset[str]
    since: datetime
    store: str
    import_rules: ImportRules = field(default_factory=ImportRules)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What became of one uid. incoming: to be stored; else rule, of a skip or (failed) of a failure.

    None of them: the uid is not on the server any more. attempts: how often it failed before.
    A uid that the server listed and did not give counts as failed first: some servers say OK and send nothing.
    """

    uid: int
    internaldate: datetime | None = None
    size_bytes: int = 0
    incoming: IncomingMessage | None = None
    rule: str = ""
    failed: bool = False
    attempts: int = 0

    @property
    def weight_bytes(self) -> int:
        """About what it holds in memory."""
        parsed = self.incoming.parsed if self.incoming else None
        return 2000 + (2 * (len(parsed.text) + len(parsed.html)) if parsed else 0)


def read(session: ImapSession, uids: Sequence[int], scope: Scope) -> Generator[Reading, None, None]:
    """Read messages and give them in the order asked for. Raises ImapError; what was given before it is complete."""
    if rules.keeps_nothing(scope.folder_role, scope.store):
        yield from _skip_all(session, uids, scope)
        return

    def wants_text(raw_header: bytes, structure: BodyPart) -> bool:
        return not import_rules.skipping_rule(parse_message(raw_header, structure, {}), scope.import_rules)

    fetched = session.fetch_messages(
        uids, choose_sections=sections_to_read, wants_text=None if scope.import_rules.is_empty else wants_text
    )
    for message in _in_order(fetched, uids):
        yield interpret(message, scope)


def read_whole(session: ImapSession, uid: int, scope: Scope) -> Reading:
    """Read one message whole, for those that failed before. One that is still not there is gone. Raises ImapError."""
    fetched = session.fetch_whole(uid, limit_bytes=rules.WHOLE_RETRY_LIMIT_BYTES)
    return Reading(uid=uid) if fetched.problem == "vanished" else interpret(fetched, scope)


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


def interpret(fetched: FetchedMessage, scope: Scope) -> Reading:
    """Decide what is to be done with a fetched message. Never raises on bad mail."""
    seen = Reading(uid=fetched.uid, internaldate=fetched.internaldate, size_bytes=fetched.size_bytes)
    if fetched.problem:
        return replace(seen, rule=fetched.problem.replace(" ", "_"), failed=True)
    if fetched.internaldate < scope.since:
        return replace(seen, rule=rules.BEFORE_WINDOW)
    try:
        parsed = _parse(fetched)
    except Exception:
        logger.exception("message cannot be parsed", extra={"folder_id": scope.folder_id, "uid": fetched.uid})
        return replace(seen, rule="not_parsable", failed=True)
    direction = rules.direction_of(parsed, own_addresses=scope.own_addresses, folder_role=scope.folder_role)
    rule = rules.skip_rule(internaldate=fetched.internaldate, direction=direction, since=scope.since, store=scope.store)
    rule = rule or import_rules.skipping_rule(parsed, scope.import_rules)
    if rule:
        return replace(seen, rule=rule)
    header_bytes = len(fetched.raw_header)
    if fetched.raw_whole is None and rules.is_text_missing(
        parsed, header_bytes=header_bytes, size_bytes=fetched.size_bytes
    ):
        return replace(seen, rule=NO_TEXT, failed=True)
    return replace(
        seen,
        incoming=IncomingMessage(
            parsed=parsed, direction=direction, internaldate=fetched.internaldate, size_bytes=fetched.size_bytes
        ),
    )


def _parse(fetched: FetchedMessage) -> ParsedMessage:
    if fetched.raw_whole is not None:
        return parse_whole(fetched.raw_whole)
    return parse_message(
        fetched.raw_header, fetched.structure, fetched.raw_sections, truncated=fetched.truncated_sections
    )


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


def tried_before(reading: Reading, attempts: int) -> Reading:
    """The reading with the number of attempts that failed before it."""
    return replace(reading, attempts=attempts)
