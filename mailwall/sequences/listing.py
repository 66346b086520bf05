"""What the page of a sequence shows: steps with their numbers, people with what comes next, and what keeps it back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext, pgettext

from mailwall.email_accounts.models import State
from mailwall.mime.html import html_to_text
from mailwall.sequences import queries, rules, wording
from mailwall.sequences.models import OPEN_STATES, Enrolment, EnrolmentState, Step
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.queries import StepNumbers
from mailwall.team.models import User
from mailwall.web.rest import ApiProblem, decode_cursor, encode_cursor

PAGE_LENGTH = 50
_SAID_BY_THE_STATE = ("reply", "unsubscribed")
GROUPS: Mapping[str, tuple[str, ...]] = {
    "": (),
    "active": tuple(OPEN_STATES),
    "replied": (EnrolmentState.REPLIED,),
    "stopped": (EnrolmentState.STOPPED, EnrolmentState.BOUNCED, EnrolmentState.UNSUBSCRIBED),
    "finished": (EnrolmentState.FINISHED,),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class StepRow:
    """A step as the page shows it. number: 1 for the first."""

    step: Step
    number: int
    is_first: bool
    is_last: bool
    numbers: StepNumbers
    excerpt: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonRow:
    """Somebody in the sequence. step: of `steps`, as it comes next. reply_id: of the mail that ended it, if visible."""

    enrolment: Enrolment
    step: int
    steps: int
    reason: str
    reply_id: int | None
    may_pause: bool
    may_go_on: bool
    may_remove: bool


def step_rows(sequence: SequenceRow) -> list[StepRow]:
    steps, numbers = queries.steps_of(sequence), queries.numbers_of(sequence)
    return [
        StepRow(
            step=step,
            number=place + 1,
            is_first=place == 0,
            is_last=place == len(steps) - 1,
            numbers=numbers.get(step.key, StepNumbers()),
            excerpt=" ".join(html_to_text(step.html, 2_000).split())[:140] if step.html else "",
        )
        for place, step in enumerate(steps)
    ]


def people_page(viewer: User, sequence: SequenceRow, asked: Mapping[str, str]) -> dict[str, Any]:
    """The list of people: chips with counts, rows, addresses of the next page."""
    group = asked.get("group", "")
    group = group if group in GROUPS else ""
    rows = queries.enrolments_of(viewer, sequence, states=GROUPS[group])
    try:
        after = decode_cursor(asked.get("after"), (int,))
    except ApiProblem:
        after = None
    found = list((rows.filter(pk__lt=after[0]) if after else rows)[: PAGE_LENGTH + 1])
    page = found[:PAGE_LENGTH]
    here = reverse("sequences:sequence", args=[sequence.pk])
    following = {"group": group, "after": encode_cursor(page[-1].pk)} if len(found) > PAGE_LENGTH else {}
    return {
        "rows": _rows(viewer, page),
        "group": group,
        "chips": _chips(sequence, here, group),
        "total": queries.counts_of(sequence).all,
        "next_url": f"{here}?{urlencode(following)}" if following else "",
        "first_url": f"{here}?{urlencode({'group': group})}" if after else "",
        "clear_url": here,
    }


def row_of(viewer: User, enrolment: Enrolment) -> PersonRow:
    return _rows(viewer, [enrolment])[0]


def _rows(viewer: User, page: Sequence[Enrolment]) -> list[PersonRow]:
    visible = queries.visible_replies(viewer, page)
    steps = queries.steps_by_version((row.sequence_id, row.version) for row in page)
    return [
        PersonRow(
            enrolment=row,
            step=min(row.position + 1, len(steps[row.sequence_id, row.version])),
            steps=len(steps[row.sequence_id, row.version]),
            reason="" if row.reason in _SAID_BY_THE_STATE else wording.say_reason(row),
            reply_id=row.reply_id if row.reply_id in visible else None,
            may_pause=rules.may_change(row.state, rules.PAUSED) and row.state != rules.PAUSED,
            may_go_on=rules.may_change(row.state, rules.ACTIVE) and row.state != rules.ACTIVE,
            may_remove=row.state in OPEN_STATES,
        )
        for row in page
    ]


def _chips(sequence: SequenceRow, here: str, current: str) -> list[dict[str, Any]]:
    counts = queries.counts_of(sequence).by_state
    labels = {
        "": pgettext("enrolments", "All"),
        "active": pgettext("enrolments", "On the way"),
        "replied": pgettext("enrolments", "Replied"),
        "stopped": pgettext("enrolments", "Stopped"),
        "finished": pgettext("enrolments", "Finished"),
    }
    return [
        {
            "label": labels[name],
            "count": sum(counts.get(state, 0) for state in states) if states else sum(counts.values()),
            "url": f"{here}?{urlencode({'group': name})}" if name else here,
            "is_current": name == current,
        }
        for name, states in GROUPS.items()
    ]


def trouble_of(sequence: SequenceRow) -> str:
    """Why steps of a running sequence wait, '' when they do not."""
    account = sequence.account
    if account is None or account.removed_at is not None:
        return _("Its email account was removed. Choose another one.")
    if sequence.state != "running":
        return ""
    if account.state != State.ACTIVE:
        return _("Steps wait: %(address)s does not fetch mail now, so a reply would not be seen.") % {
            "address": account.address
        }
    if not account.sending_active or not account.smtp_host or account.sending_error:
        return _("Steps wait: sending from %(address)s is switched off.") % {"address": account.address}
    if account.failed_attempts:
        words = ngettext(
            "Steps wait: the mail server of %(address)s does not answer (%(n)d failed attempt).",
            "Steps wait: the mail server of %(address)s does not answer (%(n)d failed attempts).",
            account.failed_attempts,
        )
        return words % {"address": account.address, "n": account.failed_attempts}
    return ""
