"""From a fetched message to what is to be done with it: stored, skipped by a rule, or failed with a reason.

Knows neither network nor database nor settings, so a process of its own can do it (helper.py). One odd message stops
nothing: it becomes a Reading with a reason.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import TypeAlias

from mailwall.email_accounts import import_rules
from mailwall.email_accounts.import_rules import ImportRules
from mailwall.imap.types import FetchedMessage
from mailwall.mailstore import preparing
from mailwall.mailstore.types import IncomingMessage
from mailwall.mime.parse import parse_message, parse_whole
from mailwall.mime.types import ParsedMessage, Sendable
from mailwall.sync import rules

logger = logging.getLogger(__name__)

NO_TEXT, NOT_PARSABLE = "no_text", "not_parsable"


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
class Reading(Sendable):
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
        if self.incoming is None:
            return 2000
        parsed, prepared = self.incoming.parsed, self.incoming.prepared
        characters = len(parsed.text) + len(parsed.html) + (sum(map(len, prepared.words)) if prepared else 0)
        return 2000 + 2 * characters


def interpret_all(fetched: Iterable[FetchedMessage], scope: Scope) -> Iterator[Reading]:
    """Readings of messages in their order, made in this process."""
    return (interpret(message, scope) for message in fetched)


def interpret(fetched: FetchedMessage, scope: Scope) -> Reading:
    """Decide what is to be done with a fetched message. Never raises on bad mail."""
    seen = Reading(uid=fetched.uid, internaldate=fetched.internaldate, size_bytes=fetched.size_bytes)
    if fetched.problem:
        return replace(seen, rule=fetched.problem.replace(" ", "_"), failed=True)
    if fetched.internaldate < scope.since:
        return replace(seen, rule=rules.BEFORE_WINDOW)
    try:
        return _interpreted(seen, fetched, scope)
    except Exception:
        logger.exception("message cannot be parsed", extra={"folder_id": scope.folder_id, "uid": fetched.uid})
        return replace(seen, rule=NOT_PARSABLE, failed=True)


def _interpreted(seen: Reading, fetched: FetchedMessage, scope: Scope) -> Reading:
    parsed = _parse(fetched)
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
    incoming = IncomingMessage(
        parsed=parsed, direction=direction, internaldate=fetched.internaldate, size_bytes=fetched.size_bytes
    )
    return replace(seen, incoming=preparing.prepare(incoming))


def _parse(fetched: FetchedMessage) -> ParsedMessage:
    if fetched.raw_whole is not None:
        return parse_whole(fetched.raw_whole)
    return parse_message(
        fetched.raw_header, fetched.structure, fetched.raw_sections, truncated=fetched.truncated_sections
    )


#: what makes readings of messages: `interpret_all`, or a helper's
InterpretAll: TypeAlias = Callable[[Iterable[FetchedMessage], Scope], Iterator[Reading]]


def tried_before(reading: Reading, attempts: int) -> Reading:
    """The reading with the number of attempts that failed before it."""
    return replace(reading, attempts=attempts)
