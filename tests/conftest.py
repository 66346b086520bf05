"""What every test may use: the cast, the API as a user sees it, and the real servers of tests/rig."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

from mailwall.web.catalogues import compile_catalogues

compile_catalogues()  # git holds no .mo files

# a machine that others keep busy is slow: that says nothing about the code
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


def pytest_collection_modifyitems(items):
    """What drives real servers and browsers on a busy machine may stumble: it is run once more, and pytest says so."""
    for item in items:
        if any(item.iter_markers("browser")) or any(item.iter_markers("live")):
            item.add_marker(pytest.mark.flaky(reruns=1))


@pytest.fixture
def cast(db):
    """Alice owner, Bob her manager, Charlie colleague, Erin an admin who manages nobody."""
    from tests.cast import make_cast

    return make_cast()


@pytest.fixture
def api():
    """`api(user)` is the REST API as that user sees it; `api(None)` signed out."""
    from tests.cast import Api

    return Api
