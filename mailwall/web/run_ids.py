"""One id through all log lines of a run, so that they can be found together."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

from structlog.contextvars import bound_contextvars

Given = ParamSpec("Given")
Result = TypeVar("Result")
Run = Callable[Concatenate[int, Given], Result]


def logged_as(kind: str) -> Callable[[Run[Given, Result]], Run[Given, Result]]:
    """For a function whose first argument is an account's id: all that it logs, in its thread, carries that id and
    `run`, such as sync-1f3a09c2, new for each call."""

    def decorate(function: Run[Given, Result]) -> Run[Given, Result]:
        @wraps(function)
        def run(account_id: int, /, *args: Given.args, **options: Given.kwargs) -> Result:
            with bound_contextvars(run=f"{kind}-{secrets.token_hex(4)}", account_id=account_id):
                return function(account_id, *args, **options)

        return run

    return decorate
