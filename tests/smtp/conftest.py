"""Servers for this room's tests: one that lets commands be said together, and one that does not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.rig.fixtures import authority
from tests.rig.smtp_sink import SmtpSink

__all__ = ["authority"]


@pytest.fixture(params=[True, False], ids=["pipelining", "one_by_one"])
def smtp_sink(request: pytest.FixtureRequest) -> Iterator[SmtpSink]:
    with SmtpSink(pipelining=request.param) as sink:
        yield sink
