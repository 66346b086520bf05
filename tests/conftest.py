"""What every test may use: the cast, the API as a user sees it, and the real servers of tests/rig."""

from __future__ import annotations

from pathlib import Path

import pytest
from django.contrib.contenttypes.management import create_contenttypes
from django.db import connection
from django.db.models.signals import post_migrate
from django.test import TransactionTestCase
from hypothesis import HealthCheck, settings

from mailwall.web.catalogues import compile_catalogues
from tests.rig import migrated

compile_catalogues()  # git holds no .mo files

# a machine that others keep busy is slow: that says nothing about the code
settings.register_profile("busy", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("busy")


@pytest.hookimpl(tryfirst=True)  # before -m chooses
def pytest_collection_modifyitems(items):
    """Marks what can be told without the author."""
    for item in items:
        # what drives real servers and browsers on a busy machine may stumble: it is run once more, and pytest says so
        if is_marked(item, "browser", "live"):
            item.add_marker(pytest.mark.flaky(reruns=1))
        if uses_database(item):
            item.add_marker("database")


def uses_database(item: pytest.Item) -> bool:
    asked = is_marked(item, "django_db") or {"db", "transactional_db", "live_server"} & set(item.fixturenames)
    return bool(asked) or issubclass(item.cls or object, TransactionTestCase)


def is_marked(item: pytest.Item, *names: str) -> bool:
    return any(item.get_closest_marker(name) for name in names)


@pytest.fixture(scope="session")
def django_db_keepdb() -> bool:
    """The test database is not made by applying all migrations: it is a copy."""
    return True


@pytest.fixture(scope="session")
def django_db_modify_db_settings(django_db_modify_db_settings_parallel_suffix: None) -> None:
    if connection.vendor == "sqlite":
        migrated.copy_to(Path(connection.settings_dict["TEST"]["NAME"]))


@pytest.fixture(scope="session", autouse=True)
def no_rows_after_a_flush():
    """After each test with transactions Django would fill anew two tables that we do not use."""
    post_migrate.disconnect(dispatch_uid="django.contrib.auth.management.create_permissions")
    post_migrate.disconnect(create_contenttypes)


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
