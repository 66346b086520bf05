"""Pure decisions of a synchronisation: what to fetch, what to keep, when to try again."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta, tzinfo
from typing import NamedTuple, TypeVar
from zoneinfo import ZoneInfo

from mailwall.email_accounts.import_rules import ImportRuleKind
from mailwall.imap.types import FolderInfo, FolderStatus
from mailwall.mime.types import ParsedMessage

T = TypeVar("T")

#: read without being asked to; all others only by the owner's choice
DEFAULT_ROLES = frozenset({"inbox", "sent"})
ROLE_ORDER = ("inbox", "sent")

FIRST_BATCH_MESSAGES = 100  # small, so that walls fill within seconds
BATCH_MESSAGES = 500
BATCH_BYTES = 8_000_000

WHOLE_LIMIT_BYTES = 256 * 1024
_EMPTY_REST_BYTES = 200

RETRY_AFTER = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 720, 1440))
WHOLE_RETRY_LIMIT_BYTES = 32 * 1024 * 1024
RETRIES_A_PASS = 50
MAX_UIDVALIDITY_CHANGES_A_DAY = 3

BEFORE_WINDOW, DIRECTION, REMOVED_HERE = "before_window", "direction", "removed_here"
#: skipped by a choice of the owner, who may choose otherwise later
MAY_BE_READ_AGAIN = (BEFORE_WINDOW, DIRECTION, *ImportRuleKind)


@dataclass(frozen=True, slots=True, kw_only=True)
class FolderCursor:
    """How far a folder has been read. Every uid from low_uid to high_uid is accounted for.

    uidnext, on_server: how far and how much we saw when the folder was last done. compare_due: the daily safety net.
    """

    uidvalidity: int
    uidnext: int
    high_uid: int
    low_uid: int
    import_done: bool
    on_server: int
    compare_due: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SyncPlan:
    """What one folder needs: in this order."""

    void_placements: bool = False
    begin_import: bool = False
    fetch_new: bool = False
    compare: bool = False
    compare_sets: bool = False
    continue_import: bool = False

    @property
    def is_empty(self) -> bool:
        return not (self.begin_import or self.fetch_new or self.compare or self.continue_import)


def plan_sync(cursor: FolderCursor | None, status: FolderStatus) -> SyncPlan:
    """Decide what one folder needs. Pure.

    A uidvalidity unequal to the cursor's voids all placements, never messages (RFC 3501 §2.3.1.1). A count that does
    not follow from the new uids means: something was expunged, or came late with a uid below the cursor or just above
    it; then look there and compare.
    """
    if cursor is None or cursor.uidvalidity != status.uidvalidity:
        return SyncPlan(void_placements=cursor is not None, begin_import=True, continue_import=True)
    came = status.uidnext - cursor.uidnext
    differs = status.messages - cursor.on_server != came
    return SyncPlan(
        fetch_new=came != 0 or (differs and cursor.high_uid + 1 < status.uidnext),
        compare=cursor.import_done and (differs or cursor.compare_due),
        compare_sets=cursor.compare_due,
        continue_import=not cursor.import_done,
    )


def search_day(since: datetime) -> date:
    """The date to ask SEARCH SINCE for: it is a date in the server's zone, so one day more; the exact edge is ours."""
    return (since - timedelta(days=1)).date()


def is_selected_by_default(folder: FolderInfo) -> bool:
    return folder.selectable and folder.role in DEFAULT_ROLES


def lies_in(info: FolderInfo, names: Collection[str]) -> bool:
    """Whether a folder lies directly in one of these, and is none for drafts, trash or such."""
    parent = info.name.rpartition(info.delimiter)[0] if info.delimiter else ""
    return parent in names and info.role in ("", "archive")


def folder_order(role: str) -> int:
    """INBOX first, then Sent, then the rest."""
    return ROLE_ORDER.index(role) if role in ROLE_ORDER else len(ROLE_ORDER)


def direction_of(parsed: ParsedMessage, *, own_addresses: Collection[str], folder_role: str) -> str:
    """'sent' when From is one of the account's own addresses or it lies in the Sent folder, else 'received'."""
    if folder_role == "sent" or any(sender.address in own_addresses for sender in parsed.from_):
        return "sent"
    return "received"


def skip_rule(*, internaldate: datetime, direction: str, since: datetime, store: str) -> str:
    """The rule by which a message is not kept, '' when it is."""
    if internaldate < since:
        return BEFORE_WINDOW
    return "" if store in ("both", direction) else DIRECTION


def keeps_nothing(folder_role: str, store: str) -> bool:
    """Whether no message of a folder can be kept, whatever it is: Sent, when only received mail is wanted."""
    return folder_role == "sent" and store == "received"


def is_text_missing(parsed: ParsedMessage, *, header_bytes: int, size_bytes: int) -> bool:
    """Whether a message read by sections should be read whole: no text came, although there is room for one.

    Of 12,000 real mails 38 gave another text by the server's sections: malformed MIME.
    """
    if parsed.text.strip() or parsed.html.strip() or size_bytes > WHOLE_LIMIT_BYTES:
        return False
    rest = size_bytes - header_bytes - sum(attachment.encoded_size_bytes for attachment in parsed.attachments)
    return rest > _EMPTY_REST_BYTES + 200 * len(parsed.attachments)


def retry_after(attempts: int) -> timedelta:
    """How long a message that could not be stored waits after so many attempts."""
    return RETRY_AFTER[min(max(attempts, 1), len(RETRY_AFTER)) - 1]


@dataclass(frozen=True, slots=True, kw_only=True)
class ValidityChange:
    """How often a folder changed its uidvalidity in a day, and whether it is to be paused for it."""

    changes: int
    paused: bool


def count_uidvalidity_change(changes: int, changed_at: datetime | None, now: datetime) -> ValidityChange:
    """A server that numbers a folder anew with each session would make us read all of it for ever: pause it."""
    recent = changes if changed_at is not None and now - changed_at < timedelta(days=1) else 0
    return ValidityChange(changes=recent + 1, paused=recent + 1 >= MAX_UIDVALIDITY_CHANGES_A_DAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Differences:
    """What a comparison found, of uids up to the cursor.

    gone, forgotten: placed, or in the ledger, and not on the server. gaps: on the server, in the window and unknown
    here. out_of_window: how many others are unknown here. on_server: how many there are.
    """

    gone: tuple[int, ...]
    forgotten: tuple[int, ...]
    gaps: tuple[int, ...]
    out_of_window: int
    on_server: int


def compare_uids(
    *,
    on_server: Iterable[int],
    in_window: Iterable[int],
    placed: Collection[int],
    noted: Collection[int],
    high_uid: int,
) -> Differences:
    """Compare a folder's uids with what we know of it. noted: uids of the ledger. Pure."""
    server = set(on_server)
    below = {uid for uid in server if uid <= high_uid}
    unknown = {uid for uid in below if uid not in placed and uid not in noted}
    gaps = unknown.intersection(in_window)
    return Differences(
        gone=tuple(sorted(uid for uid in placed if uid not in server)),
        forgotten=tuple(sorted(uid for uid in noted if uid not in server)),
        gaps=tuple(sorted(gaps)),
        out_of_window=len(unknown) - len(gaps),
        on_server=len(below),
    )


class MailKey(NamedTuple):
    """What a mail keeps when its folder is numbered anew."""

    message_id: str
    size_bytes: int
    internaldate: datetime


def match_renumbered(
    known: Iterable[tuple[int, int, MailKey]], here: Mapping[MailKey, Sequence[int]]
) -> Iterator[tuple[int, int]]:
    """Pairs of (placement, new uid). known: (placement, message, key) of before; here: uids by key now. Pure.

    Without a Message-ID, or where different mails have one key, nothing is paired: better read again than confused.
    """
    by_key: dict[MailKey, list[tuple[int, int]]] = defaultdict(list)
    for placement, message, key in known:
        by_key[key].append((placement, message))
    for key, rows in by_key.items():
        uids = here.get(key, ())
        if key.message_id and len({message for _placement, message in rows}) == 1 and len(uids) <= len(rows):
            yield from zip((placement for placement, _message in rows), uids, strict=False)


def batches(uids: Sequence[T], size: int) -> Iterator[Sequence[T]]:
    """The uids in their order, in pieces."""
    for start in range(0, len(uids), size):
        yield uids[start : start + size]


def is_within_hours(now: datetime, zone: str, begins: time | None, ends: time | None) -> bool:
    """Whether the clock of that zone shows a time from begins to before ends, over midnight too. None: always."""
    if begins is None or ends is None or begins == ends:
        return True
    shown = now.astimezone(ZoneInfo(zone)).time()
    if begins < ends:
        return begins <= shown < ends
    return shown >= begins or shown < ends


def until_moment(text: str, zone: tzinfo) -> datetime:
    """The moment before which a range ends: a date counts as a whole day in that zone, a date-time as itself.

    :raises ValueError: neither date nor date-time.
    """
    try:
        day = date.fromisoformat(text) + timedelta(days=1)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return moment if moment.tzinfo else moment.replace(tzinfo=zone)
    except OverflowError as error:
        raise ValueError("no such day") from error
    return datetime(day.year, day.month, day.day, tzinfo=zone)


def hours_of(texts: Sequence[str]) -> tuple[time, time]:
    """Two times of day such as "01:00" and "05:00".

    :raises ValueError: not two, not times, or the same.
    """
    begins, ends = map(time.fromisoformat, texts)
    if begins == ends or begins.tzinfo or ends.tzinfo:
        raise ValueError("no hours between them")
    return begins, ends


def uids_of_set(text: str) -> list[int]:
    """The uids of a sequence set such as '1:3,7', ascending as it is."""
    uids: list[int] = []
    for part in filter(None, text.split(",")):
        low, _, high = part.partition(":")
        uids.extend(range(int(low), int(high or low) + 1))
    return uids
