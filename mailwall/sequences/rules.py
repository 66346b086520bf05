"""Pure decisions about sequences: what steps may be, where an edit leaves people, which change is allowed."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from urllib.parse import urlsplit

from mailwall.sending import placeholders

EMAIL, WAIT, TASK = "email", "wait", "task"
MAX_STEPS, MAX_SUBJECT, MAX_TITLE, MAX_DAYS, MAX_HTML = 50, 500, 300, 365, 500_000

ACTIVE, PAUSED, HELD, STOPPED, FINISHED = "active", "paused", "held", "stopped", "finished"
REPLIED, BOUNCED, UNSUBSCRIBED = "replied", "bounced", "unsubscribed"
#: what a person may make of an enrolment in this state
CHANGES: Mapping[str, frozenset[str]] = {
    ACTIVE: frozenset({PAUSED, STOPPED}),
    PAUSED: frozenset({ACTIVE, STOPPED}),
    HELD: frozenset({ACTIVE, PAUSED, STOPPED}),
    STOPPED: frozenset({ACTIVE}),
    REPLIED: frozenset({ACTIVE}),
    BOUNCED: frozenset({ACTIVE}),
    UNSUBSCRIBED: frozenset({ACTIVE}),
    FINISHED: frozenset(),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepInput:
    """A step as somebody gives it. key None: a new one; else the same step as before."""

    kind: str
    key: int | None = None
    subject: str = ""
    html: str = ""
    same_thread: bool = False
    days: int = 0
    working_days: bool = False
    title: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """field: as the API names it (`steps.0.subject`); code: of wording.PROBLEMS; value: what it is about."""

    field: str
    code: str
    value: str = ""


def settle_steps(given: Sequence[StepInput]) -> tuple[list[StepInput], list[Problem]]:
    """The steps with only what their kind has, cleaned; and all that is wrong with them."""
    problems = [Problem(field="steps", code="too_many_steps", value=str(MAX_STEPS))] if len(given) > MAX_STEPS else []
    settled: list[StepInput] = []
    for place, step in enumerate(given[:MAX_STEPS]):
        is_first = not any(other.kind == EMAIL for other in settled)
        clean = _settle_step(step, is_first_mail=is_first)
        settled.append(clean)
        problems += [replace(problem, field=f"steps.{place}.{problem.field}") for problem in problems_of(clean)]
    return settled, problems


def _settle_step(step: StepInput, *, is_first_mail: bool) -> StepInput:
    bare = StepInput(kind=step.kind, key=step.key)
    if step.kind == EMAIL:
        thread = step.same_thread and not is_first_mail
        return replace(bare, subject=step.subject.strip(), html=step.html.strip(), same_thread=thread)
    if step.kind == WAIT:
        return replace(bare, days=step.days, working_days=step.working_days)
    return replace(bare, title=" ".join(step.title.split()))


def problems_of(step: StepInput) -> list[Problem]:
    """What is wrong with one settled step; fields without a place."""
    if step.kind == WAIT:
        return [] if 1 <= step.days <= MAX_DAYS else [Problem(field="days", code="days_range", value=str(MAX_DAYS))]
    if step.kind == TASK:
        return _text_problems("title", step.title, MAX_TITLE)
    problems = [] if step.same_thread and not step.subject else _text_problems("subject", step.subject, MAX_SUBJECT)
    problems += _text_problems("html", step.html, MAX_HTML)
    for field, text, as_html in (("subject", step.subject, False), ("html", step.html, True)):
        unknown = placeholders.unknown_names(text, as_html=as_html)
        if unknown:
            problems.append(Problem(field=field, code="field_unknown", value=", ".join(unknown)))
        elif placeholders.is_broken(text):
            problems.append(Problem(field=field, code="braces_broken"))
    return problems


def _text_problems(field: str, text: str, limit: int) -> list[Problem]:
    if not text:
        return [Problem(field=field, code="empty")]
    if field != "html" and any(ord(char) < 32 or ord(char) == 127 for char in text):
        return [Problem(field=field, code="one_line")]
    if "\0" in text:
        return [Problem(field=field, code="one_line")]
    return [Problem(field=field, code="too_long", value=str(limit))] if len(text) > limit else []


def does_something(steps: Sequence[StepInput]) -> bool:
    return any(step.kind != WAIT for step in steps)


def next_action(kinds: Sequence[str], start: int) -> int:
    """The position of the first step at or behind `start` that is no wait; the number of steps when there is none."""
    return next((place for place in range(start, len(kinds)) if kinds[place] != WAIT), len(kinds))


def waits_before(kinds: Sequence[str], position: int) -> range:
    """The positions of the waits directly before this one."""
    start = position
    while start > 0 and kinds[start - 1] == WAIT:
        start -= 1
    return range(start, position)


def position_after_edit(
    position: int, before: Sequence[tuple[int, str]], after: Sequence[tuple[int, str]], *, done: Collection[int] = ()
) -> int:
    """Where somebody goes on in the new steps who would have run `position` of the old ones next.

    before, after: (key, kind) in order. done: keys that ran; without them those before `position` count. Nobody goes
    back behind a step that ran, and a step that ran never runs again.
    """
    ran = set(done) or {key for key, kind in before[:position] if kind != WAIT}
    last = max((place for place, (key, _kind) in enumerate(after) if key in ran), default=-1)
    return next(
        (place for place in range(last + 1, len(after)) if after[place][1] != WAIT and after[place][0] not in ran),
        len(after),
    )


def may_change(state: str, wanted: str) -> bool:
    """Whether a person may turn an enrolment in `state` into `wanted`; the same again is no change and fine."""
    return state == wanted or wanted in CHANGES.get(state, frozenset())


#: parts of the User-Agent of programs that load the pictures of mails by themselves, or for everybody
_MACHINES = (
    "googleimageproxy", "yahoomailproxy", "yahoocachesystem", "barracuda", "proofpoint", "mimecast", "symantec",
    "messagelabs", "trendmicro", "trend micro", "sophos", "forcepoint", "fireeye", "ironport", "cloudmark", "bot",
    "crawler", "spider", "scan", "preview", "prefetch", "proxy", "existence discovery", "curl", "wget", "python",
    "java/", "go-http-client", "okhttp", "libwww", "headless", "axios", "node-fetch",
)  # fmt: skip
_APPLE_MAIL_PRIVACY = "mozilla/5.0"  # Apple's relays say this and nothing else
_TOO_SOON_SECONDS = 10.0


def is_machine(agent: str, *, seconds: float) -> bool:
    """Whether a program opened a mail: by its User-Agent, or so few seconds after the mail left that nobody reads."""
    name = agent.strip().lower()
    if seconds < _TOO_SOON_SECONDS or name in ("", _APPLE_MAIL_PRIVACY):
        return True
    return any(part in name for part in _MACHINES)


def is_reachable(base_url: str) -> bool:
    """Whether an address of ours means anything to others: no name or number of this very machine."""
    host = urlsplit(base_url).hostname or ""
    try:
        address = ip_address(host)
    except ValueError:
        return host not in ("", "localhost") and not host.endswith(".localhost")
    return not (address.is_loopback or address.is_unspecified)


def moved(keys: Sequence[int], key: int, by: int) -> list[int]:
    """The keys with one moved up (-1) or down (1); at the end it stays."""
    order = list(keys)
    place = order.index(key)
    other = place + by
    if 0 <= other < len(order):
        order[place], order[other] = order[other], order[place]
    return order
