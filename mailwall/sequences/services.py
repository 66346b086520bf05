"""Writes of sequences and their steps: one function per use case. Enrolments: `enrolling`, what runs: `running`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import time

from django.db import transaction
from django.db.models import Max
from django.utils import timezone

from mailwall.contacts.rules import KEEP, Keep
from mailwall.email_accounts.models import EmailAccount, Store
from mailwall.mime.html import clean_written_html
from mailwall.sending import services as sending_services
from mailwall.sequences import endings, moving, opens, queries, rules
from mailwall.sequences.errors import SequenceInvalid
from mailwall.sequences.models import CONTACT_ZONE, Enrolment, SequenceState, Sharing, Step
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.rules import Problem, StepInput
from mailwall.team.models import User

MAX_NAME, MAX_CAP, MAX_QUIET_DAYS = 200, 100_000, 365
NEW_ONLY, ALL = "new", "all"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowInput:
    """days: ISO week days. zone: '' the workspace's, or CONTACT_ZONE."""

    days: tuple[int, ...]
    opens: time
    closes: time
    zone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SequenceInput:
    """A sequence as somebody gives it. KEEP: leave as it is. window None: none; account_id None: the default one."""

    name: str | Keep = KEEP
    account_id: int | Keep | None = KEEP
    state: str | Keep = KEEP
    steps: Sequence[StepInput] | Keep = KEEP
    window: WindowInput | Keep | None = KEEP
    daily_cap: int | Keep | None = KEEP
    domain_cap: int | Keep | None = KEEP
    end_on_company_reply: bool | Keep = KEEP
    measures_opens: bool | Keep = KEEP
    quiet_days: int | Keep = KEEP
    sharing: str | Keep = KEEP


def create_sequence(owner: User, given: SequenceInput) -> SequenceRow:
    """Make a sequence of the owner's.

    :raises SequencesOff. :raises SequenceInvalid: with all that is wrong. :raises SendingInactive: it is to run, and
    its account does not send. Nothing is saved then.
    """
    queries.require_on()
    with transaction.atomic():
        if given.account_id is KEEP:
            given = replace(given, account_id=None)
        sequence = SequenceRow(owner=owner, name="")
        return _save(sequence, given, apply_to=NEW_ONLY)


def update_sequence(owner: User, sequence_id: int, given: SequenceInput, *, apply_to: str = NEW_ONLY) -> SequenceRow:
    """Change what is given and leave the rest.

    apply_to: whom changed steps are for: NEW_ONLY, who is enrolled from now on; ALL, also who has not passed them.

    :raises SequencesOff, SequenceNotFound, NotTheOwner, SequenceInvalid, SendingInactive: nothing is changed.
    """
    queries.require_on()
    with transaction.atomic():
        sequence = _locked(owner, sequence_id)
        return _save(sequence, given, apply_to=apply_to)


def duplicate_sequence(viewer: User, sequence_id: int, *, name: str) -> SequenceRow:
    """A draft of the viewer's own with the same steps and rules; from their default account unless it is their own."""
    queries.require_on()
    with transaction.atomic():
        source = queries.sequence_of(viewer, sequence_id)
        steps = queries.steps_of(source)
        is_own = source.owner_id == viewer.pk
        copy = SequenceRow.objects.get(pk=source.pk)
        copy.pk, copy.owner, copy.version, copy.archived_at = None, viewer, 1, None
        copy._state.adding = True
        copy.name, copy.state, copy.sharing = name[:MAX_NAME], SequenceState.DRAFT, Sharing.OWN
        copy.measures_opens = False  # who wants that says so
        copy.account = source.account if is_own else _default_account(viewer)
        copy.save()
        for step in steps:
            step.pk, step.sequence, step.version = None, copy, 1
        Step.objects.bulk_create(steps)
        return copy


def archive_sequence(owner: User, sequence_id: int) -> SequenceRow:
    """Put it away: it pauses, and whoever is on the way is stopped. Again does nothing."""
    with transaction.atomic():
        sequence = _locked(owner, sequence_id)
        if sequence.archived_at is None:
            sequence.archived_at, sequence.state = timezone.now(), SequenceState.PAUSED
            sequence.save(update_fields=["archived_at", "state"])
            ids = list(Enrolment.objects.open().filter(sequence=sequence).values_list("pk", flat=True))
            endings.end(ids, state=rules.STOPPED, reason="archived", by=owner)
        return sequence


def restore_sequence(owner: User, sequence_id: int) -> SequenceRow:
    """Take it back from the archive, paused."""
    with transaction.atomic():
        sequence = _locked(owner, sequence_id)
        sequence.archived_at = None
        sequence.save(update_fields=["archived_at"])
        return sequence


def _locked(owner: User, sequence_id: int) -> SequenceRow:
    queries.own_sequence(owner, sequence_id)
    return SequenceRow.objects.select_for_update(of=("self",)).select_related("owner", "account").get(pk=sequence_id)


def _save(sequence: SequenceRow, given: SequenceInput, *, apply_to: str) -> SequenceRow:
    window_before = (queries.window_of(sequence), sequence.zone)
    problems = _put_fields(sequence, given)
    steps: list[StepInput] | None = None
    if not isinstance(given.steps, Keep):
        cleaned = [replace(step, html=clean_written_html(step.html)) if step.html else step for step in given.steps]
        steps, step_problems = rules.settle_steps(cleaned)
        problems += step_problems
    wants_to_run = sequence.state == SequenceState.RUNNING and (given.state is not KEEP or given.account_id is not KEEP)
    if wants_to_run:
        stored = queries.steps_of(sequence) if sequence.pk else []
        known = steps if steps is not None else [inputs_of(step) for step in stored]
        problems += [] if rules.does_something(known) else [Problem(field="steps", code="no_steps")]
    if problems:
        raise SequenceInvalid(problems)
    if wants_to_run:
        sequence.account = sending_services.sending_account(sequence.owner, sequence.account)
        if sequence.account.store == Store.SENT:
            raise SequenceInvalid([Problem(field="email_account", code="stores_no_replies")])
    sequence.save()
    if steps is not None:
        _put_steps(sequence, steps, apply_to=apply_to)
    if sequence.pk and window_before != (queries.window_of(sequence), sequence.zone):
        moving.replan(sequence)
    return sequence


def _put_fields(sequence: SequenceRow, given: SequenceInput) -> list[Problem]:
    problems: list[Problem] = []
    if not isinstance(given.name, Keep):
        sequence.name = " ".join(given.name.replace("\0", " ").split())
    if not sequence.name or len(sequence.name) > MAX_NAME:
        problems.append(Problem(field="name", code="name_length", value=str(MAX_NAME)))
    if not isinstance(given.account_id, Keep):
        problems += _put_account(sequence, given.account_id)
    if not isinstance(given.state, Keep):
        if sequence.archived_at is not None and given.state == SequenceState.RUNNING:
            problems.append(Problem(field="state", code="is_archived"))
        sequence.state = given.state
    if not isinstance(given.window, Keep):
        problems += _put_window(sequence, given.window)
    for field, value in (("daily_cap", given.daily_cap), ("domain_cap", given.domain_cap)):
        if not isinstance(value, Keep):
            if value is not None and not 1 <= value <= MAX_CAP:
                problems.append(Problem(field=field, code="cap_range", value=str(MAX_CAP)))
            setattr(sequence, field, value)
    if not isinstance(given.end_on_company_reply, Keep):
        sequence.end_on_company_reply = given.end_on_company_reply
    if not isinstance(given.measures_opens, Keep):
        problems += _put_opens(sequence, given.measures_opens)
    if not isinstance(given.quiet_days, Keep):
        if not 0 <= given.quiet_days <= MAX_QUIET_DAYS:
            problems.append(Problem(field="quiet_days", code="quiet_range", value=str(MAX_QUIET_DAYS)))
        sequence.quiet_days = given.quiet_days
    if not isinstance(given.sharing, Keep):
        if given.sharing == Sharing.TEAM and sequence.owner.team_id is None:
            problems.append(Problem(field="sharing", code="no_team"))
        sequence.sharing = given.sharing
    return problems


def _put_opens(sequence: SequenceRow, is_wanted: bool) -> list[Problem]:
    """Switching off is always possible."""
    if is_wanted and not opens.may_be_measured():
        return [Problem(field="measure_opens", code="opens_forbidden")]
    if is_wanted and not opens.have_an_address():
        return [Problem(field="measure_opens", code="opens_no_address")]
    sequence.measures_opens = is_wanted
    return []


def _put_account(sequence: SequenceRow, account_id: int | None) -> list[Problem]:
    """An account of somebody else counts as one that is not there."""
    if account_id is None:
        sequence.account = _default_account(sequence.owner)
        return []
    sequence.account = EmailAccount.objects.connected().filter(owner=sequence.owner, pk=account_id).first()
    return [] if sequence.account else [Problem(field="email_account", code="account_unknown")]


def _default_account(owner: User) -> EmailAccount | None:
    return queries.accounts_to_send_from(owner).first()


def _put_window(sequence: SequenceRow, window: WindowInput | None) -> list[Problem]:
    if window is None:
        sequence.window_days, sequence.window_from, sequence.window_to = [], None, None
        return []
    sequence.window_days = sorted({day for day in window.days if 1 <= day <= 7})
    sequence.window_from, sequence.window_to, sequence.zone = window.opens, window.closes, window.zone
    problems = []
    if not sequence.window_days or len(sequence.window_days) != len(set(window.days)):
        problems.append(Problem(field="window.days", code="window_days"))
    if window.opens >= window.closes:
        problems.append(Problem(field="window.to", code="window_hours"))
    if window.zone not in ("", CONTACT_ZONE) and queries.zone_named(window.zone) is None:
        problems.append(Problem(field="window.zone", code="zone_unknown"))
    return problems


# -- steps


def inputs_of(step: Step) -> StepInput:
    """A stored step as it would be given."""
    return StepInput(
        kind=step.kind,
        key=step.key,
        subject=step.subject,
        html=step.html,
        same_thread=step.same_thread,
        days=step.days,
        working_days=step.working_days,
        title=step.title,
    )


def _put_steps(sequence: SequenceRow, wanted: Sequence[StepInput], *, apply_to: str) -> None:
    """Replace the steps; by a new version where somebody goes through the current ones."""
    current = queries.steps_of(sequence)
    if [inputs_of(step) for step in current] == list(wanted):
        return
    kinds = {step.key: step.kind for step in current}
    if Enrolment.objects.filter(sequence=sequence, version=sequence.version).exists():
        sequence.version += 1
        sequence.save(update_fields=["version"])
    else:
        sequence.steps.filter(version=sequence.version).delete()
    fresh = max(sequence.steps.aggregate(top=Max("key"))["top"] or 0, *kinds, 0) + 1
    used: set[int] = set()
    rows = []
    for position, step in enumerate(wanted):
        key = step.key if step.key is not None and kinds.get(step.key) == step.kind and step.key not in used else None
        if key is None:
            key, fresh = fresh, fresh + 1
        used.add(key)
        rows.append(
            Step(
                sequence=sequence, version=sequence.version, position=position, key=key, kind=step.kind,
                subject=step.subject, html=step.html, same_thread=step.same_thread, days=step.days,
                working_days=step.working_days, title=step.title,
            )
        )  # fmt: skip
    Step.objects.bulk_create(rows)
    if apply_to == ALL:
        moving.move_to_newest(sequence)
