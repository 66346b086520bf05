"""How far a folder has been read: its cursor, and the columns that move with a batch."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from django.db.models import F

from mailwall.sync import comparing, rules
from mailwall.sync.interpreting import Reading
from mailwall.sync.models import Folder


def cursor_of(folder: Folder, now: datetime) -> rules.FolderCursor | None:
    """The folder's cursor, None before its first import began."""
    if folder.uidvalidity is None or folder.uidnext is None:
        return None
    return rules.FolderCursor(
        uidvalidity=folder.uidvalidity,
        uidnext=folder.uidnext,
        high_uid=folder.high_uid,
        low_uid=folder.low_uid,
        import_done=folder.import_done,
        on_server=folder.on_server,
        compare_due=comparing.is_due(folder, now),
    )


def raise_high(batch: Sequence[Reading]) -> dict[str, object]:
    """New mail. on_server counts what we saw, not what the server said: the next plan misses a uid that shows late."""
    high = max(item.uid for item in batch)
    return {"high_uid": high, "uidnext": high + 1, "on_server": F("on_server") + len(batch)}


def lower_low(batch: Sequence[Reading]) -> dict[str, object]:
    """The first import."""
    return {"low_uid": min(item.uid for item in batch), "import_seen": F("import_seen") + len(batch)}
