"""A real Dovecot, an account on it, and the ledger compared with the server."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from mailwall.email_accounts import connection
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.net.types import ServerSettings
from mailwall.sync import queries
from mailwall.sync.queries import FolderLedger
from mailwall.web import secrets
from tests.cast import make_account, make_cast
from tests.rig.fixtures import Mailbox, authority, dovecot, mailbox

__all__ = ["authority", "dovecot", "mailbox"]

NOW = datetime.now(UTC).replace(microsecond=0)


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def ids(account: EmailAccount) -> set[str]:
    """Message-IDs of what is stored."""
    return set(Message.objects.filter(account=account).values_list("message_id", flat=True))


def ledger(account: EmailAccount) -> dict[str, FolderLedger]:
    """The ledger by role, or name where there is none."""
    return {entry.folder.role or entry.folder.name: entry for entry in queries.ledger_of(account)}


@pytest.fixture(autouse=True)
def loopback_allowed(settings):
    settings.MAIL_HOSTS_ALLOW = ("127.0.0.1",)


@pytest.fixture
def connect(transactional_db) -> Callable[..., EmailAccount]:
    """`connect(mailbox, port=…, **fields)`: an account of Alice on that mailbox, due now."""
    alice = make_cast().alice

    def _connect(mailbox: Mailbox, *, port: int | None = None, **fields) -> EmailAccount:
        account = make_account(
            alice,
            mailbox.address,
            imap_port=port or mailbox.dovecot.port,
            next_sync_at=datetime.now(UTC),
            **fields,
        )
        sealed = secrets.seal(mailbox.dovecot.password, bound_to=f"{account.secret_id}:imap")
        EmailAccount.objects.filter(pk=account.pk).update(sealed_imap_password=sealed)
        account.refresh_from_db()
        return account

    return _connect


@pytest.fixture
def account(connect, mailbox: Mailbox) -> EmailAccount:
    return connect(mailbox)


@pytest.fixture
def impatient(monkeypatch):
    """Servers are waited for a second at most."""
    real = connection.imap_settings

    def quick(account) -> ServerSettings:
        settings = real(account)
        return ServerSettings(
            host=settings.host, port=settings.port, security=settings.security, username=settings.username,
            password=settings.password, policy=settings.policy, connect_timeout_seconds=1, read_timeout_seconds=1,
        )  # fmt: skip

    monkeypatch.setattr(connection, "imap_settings", quick)
