"""Steps as they may be, edits under way, changes of enrolments."""

from __future__ import annotations

import pytest

from mailwall.sequences import rules
from mailwall.sequences.rules import StepInput

MAIL = StepInput(kind="email", subject="Hello {{first_name|there}}", html="<p>Hi</p>")


def codes(*steps: StepInput) -> list[tuple[str, str]]:
    return [(problem.field, problem.code) for problem in rules.settle_steps(steps)[1]]


def test_good_steps_have_no_problems():
    assert codes(MAIL, StepInput(kind="wait", days=3), StepInput(kind="task", title="Call")) == []


@pytest.mark.parametrize(
    ("step", "problem"),
    [
        (StepInput(kind="email", subject="", html="<p>x</p>"), ("steps.0.subject", "empty")),
        (StepInput(kind="email", subject="x\r\nBcc: a@b", html="<p>x</p>"), ("steps.0.subject", "one_line")),
        (StepInput(kind="email", subject="x", html=""), ("steps.0.html", "empty")),
        (StepInput(kind="email", subject="{{settings}}", html="x"), ("steps.0.subject", "field_unknown")),
        (StepInput(kind="email", subject="{{first_name", html="x"), ("steps.0.subject", "braces_broken")),
        (StepInput(kind="wait", days=0), ("steps.0.days", "days_range")),
        (StepInput(kind="task", title=" "), ("steps.0.title", "empty")),
    ],
)
def test_what_cannot_run_is_refused(step, problem):
    assert problem in codes(step)


def test_only_a_later_mail_continues_a_thread_and_then_needs_no_subject():
    again = StepInput(kind="email", subject="", html="<p>x</p>", same_thread=True)
    settled, problems = rules.settle_steps([MAIL, again])
    assert settled[1].same_thread and not problems
    assert codes(again) == [("steps.0.subject", "empty")]


BEFORE = [(1, "email"), (2, "wait"), (3, "email"), (4, "task")]


@pytest.mark.parametrize(
    ("position", "after", "expected"),
    [
        (2, [(1, "email"), (2, "wait"), (5, "task"), (3, "email")], 2),  # a new step before the next one
        (2, [(5, "email"), (1, "email"), (2, "wait"), (3, "email")], 3),  # a new step before what ran
        (2, [(3, "email"), (2, "wait"), (1, "email"), (4, "task")], 3),  # the next one moved before what ran
        (2, [(3, "email")], 0),  # what ran is gone
        (2, [(1, "email")], 1),  # nothing is left
        (0, [(2, "wait"), (1, "email")], 1),
    ],
)
def test_an_edit_sends_nobody_back_behind_a_step_that_ran(position, after, expected):
    assert rules.position_after_edit(position, BEFORE, after) == expected


def test_a_step_that_ran_never_runs_again():
    after = [(4, "task"), (3, "email"), (1, "email"), (6, "email")]
    assert rules.position_after_edit(3, BEFORE, after, done={1, 3}) == 3


@pytest.mark.parametrize(
    ("state", "wanted", "allowed"),
    [
        ("active", "paused", True), ("paused", "active", True), ("held", "active", True), ("replied", "active", True),
        ("active", "stopped", True), ("active", "replied", False), ("finished", "active", False), ("stopped", "paused", False),
        ("paused", "paused", True),
    ],
)  # fmt: skip
def test_what_a_person_may_make_of_an_enrolment(state, wanted, allowed):
    assert rules.may_change(state, wanted) is allowed


def test_a_step_moves_by_one_place_and_stays_at_the_ends():
    assert rules.moved([1, 2, 3], 2, -1) == [2, 1, 3]
    assert rules.moved([1, 2, 3], 3, 1) == [1, 2, 3]
