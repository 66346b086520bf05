"""What can be worked out of a mail before it meets the database: its identity, its snippet, its words. Pure.

An import does it where mail is parsed, beside the writing of the batch before, in another process if there is one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mailwall.mailstore import documents, rules
from mailwall.mailstore.documents import SearchDocument
from mailwall.mailstore.types import IncomingMessage, Prepared
from mailwall.mime import threads
from mailwall.mime import types as mime


def prepare(incoming: IncomingMessage) -> IncomingMessage:
    """The mail with what `prepared` holds; as it is where that was done before."""
    return incoming if incoming.prepared else replace(incoming, prepared=prepared_of(incoming.parsed))


def prepared_of(parsed: mime.ParsedMessage) -> Prepared:
    dedupe_key = threads.dedupe_key(parsed)
    return Prepared(
        dedupe_key=dedupe_key,
        content_key=rules.content_key(dedupe_key, parsed.text, parsed.attachments),
        snippet=rules.snippet(parsed.text),
        words=documents.words_of(_document(parsed)),
    )


def _document(parsed: mime.ParsedMessage) -> SearchDocument:
    names = "\n".join(attachment.filename for attachment in parsed.attachments)
    return SearchDocument(
        subject=parsed.subject,
        sender=_people_text(parsed.from_),
        recipients=_people_text((*parsed.to, *parsed.cc)),
        body=f"{parsed.text}\n{names}" if names else parsed.text,
    )


def _people_text(people: Sequence[mime.Address]) -> str:
    return "\n".join(f"{person.name} {person.address}" for person in people)
