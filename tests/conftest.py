"""What every test may use: the cast, the API as a user sees it, and the real servers of tests/rig."""

from __future__ import annotations

import pytest

from mailwall.web.catalogues import compile_catalogues

compile_catalogues()  # git holds no .mo files


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
