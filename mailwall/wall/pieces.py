"""Newest first without walking the store: a list is read in growing pieces, from the side that knows it best.

A wall or the list "Unassigned" is small while the store is large, or holds nearly all of it, and statistics do not tell
a planner which: it would walk a million messages for thirty. So ids come from narrow tables, some at a time.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import cycle
from typing import Any

from django.db.models import QuerySet

from mailwall.assignment import queries as assignment
from mailwall.assignment.models import Link, Unassigned
from mailwall.mailstore.models import MessageQuerySet
from mailwall.team.models import User

FIRST = 200  # messages of the first piece
GROWTH = 8


@dataclass(frozen=True, slots=True)
class Side:
    """Rows, a message once, among which all of a list are to be found; key: the column with the message's id."""

    rows: QuerySet[Any]
    key: str


def ids_in_pieces(*sides: Side, below: int | None = None, first: int = FIRST) -> Iterator[list[int]]:
    """Ids of messages, newest first, ever more at a time. By turns from each side, and never the same again: what one
    side has plenty of for nothing, the other leaps over; the first that comes to its end ends all."""
    size = first
    for side in cycle(sides):
        ids = side.rows.order_by(f"-{side.key}").values_list(side.key, flat=True)
        piece = list((ids if below is None else ids.filter(**{f"{side.key}__lt": below}))[:size])
        if piece:
            yield piece
        if len(piece) < size:
            return
        below, size = piece[-1], size * GROWTH


def by_mark(
    viewer: User, rows: MessageQuerySet, *, assigned: bool, below: int | None = None, first: int = FIRST
) -> Iterator[MessageQuerySet]:
    """Those of `rows`, which the viewer may see, that are assigned or unassigned; to be left when enough are found."""
    marked = assignment.assigned(rows) if assigned else assignment.unassigned(rows)
    narrow = Link.objects.distinct() if assigned else Unassigned.objects.visible_to(viewer)
    for ids in ids_in_pieces(Side(narrow, "message_id"), Side(rows, "id"), below=below, first=first):
        yield marked.filter(pk__one_of=ids)


def newest_first(rows: MessageQuerySet, column: str, *, first: int) -> Iterator[Any]:
    """A column of `rows`, newest first, read ever more at a time; to be left when enough is seen."""
    below, size = None, first
    while True:
        values = (rows if below is None else rows.filter(pk__lt=below)).order_by("-pk").values_list("pk", column)
        piece = list(values[:size])
        yield from (value for _pk, value in piece)
        if len(piece) < size:
            return
        below, size = piece[-1][0], size * GROWTH
