"""Write the search documents of stored messages anew: after a restore or a move, which copy tables but no index."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from django.db import transaction

from mailwall.mailstore import search_index
from mailwall.mailstore.models import Attachment, MessageBody, Participant, ParticipantRole
from mailwall.mailstore.search_index import SearchDocument

BATCH = 500
_SENDER, _RECIPIENTS = (ParticipantRole.FROM,), (ParticipantRole.TO, ParticipantRole.CC)


def index_messages() -> int:
    """Every message, in batches of a transaction each; gives how many. May be called again."""
    last, done = 0, 0
    while True:
        bodies = list(MessageBody.objects.select_related("message").filter(pk__gt=last).order_by("pk")[:BATCH])
        if not bodies:
            return done
        with transaction.atomic():
            search_index.index_documents(_documents(bodies))
        last, done = bodies[-1].pk, done + len(bodies)


def _documents(bodies: Sequence[MessageBody]) -> list[SearchDocument]:
    ids = [body.pk for body in bodies]
    people: dict[tuple[int, str], list[str]] = defaultdict(list)
    rows = Participant.objects.filter(message__one_of=ids).order_by("position").values_list(
        "message_id", "role", "name", "address__address"
    )  # fmt: skip
    for message_id, role, name, address in rows:
        people[message_id, role].append(f"{name} {address}")
    files: dict[int, list[str]] = defaultdict(list)
    for message_id, filename in Attachment.objects.filter(message__one_of=ids).values_list("message_id", "filename"):
        files[message_id].append(filename)
    return [
        SearchDocument(
            id=body.pk,
            subject=body.message.subject,
            sender="\n".join(line for role in _SENDER for line in people[body.pk, role]),
            recipients="\n".join(line for role in _RECIPIENTS for line in people[body.pk, role]),
            body="\n".join([body.text, *files[body.pk]]),
        )
        for body in bodies
    ]
