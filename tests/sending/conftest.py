"""An account that sends through a real SMTP sink and has its folders on a real Dovecot."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from mailwall.email_accounts.models import EmailAccount
from mailwall.mime.types import Address
from mailwall.sending import copies, delivery, services
from mailwall.sending.models import Outgoing
from mailwall.sending.types import Letter
from mailwall.web import secrets
from tests.cast import Cast, make_account, make_cast
from tests.rig.fixtures import Mailbox, authority, dovecot, mailbox, smtp_sink
from tests.rig.smtp_sink import PASSWORD, SmtpSink

__all__ = ["authority", "dovecot", "mailbox", "smtp_sink"]

EWA = Address(name="Ewa Kwiat", address="ewa@kwiat.example")


@pytest.fixture(autouse=True)
def loopback_allowed(settings):
    settings.MAIL_HOSTS_ALLOW = ("127.0.0.1",)


def sending_fields(sink: SmtpSink | None) -> dict[str, Any]:
    """Columns of an account that sends through the sink; without one through a port where nobody listens."""
    return {
        "smtp_host": "127.0.0.1", "smtp_port": sink.port if sink else 1, "smtp_security": "none",
        "smtp_same_password": False, "sending_active": True, "is_default": True,
    }  # fmt: skip


def seal_passwords(account: EmailAccount, imap_password: str = PASSWORD) -> EmailAccount:
    account.sealed_smtp_password = secrets.seal(PASSWORD, bound_to=f"{account.secret_id}:smtp")
    account.sealed_imap_password = secrets.seal(imap_password, bound_to=f"{account.secret_id}:imap")
    account.save()
    return account


@pytest.fixture
def people(transactional_db) -> Cast:
    """The cast, in a database that commits: what is sent is not taken back."""
    return make_cast()


@pytest.fixture
def account(people: Cast, smtp_sink: SmtpSink) -> EmailAccount:
    """Alice's account, that sends through the sink. Its IMAP server is not there."""
    return seal_passwords(make_account(people.alice, "alice@ours.example", imap_port=1, **sending_fields(smtp_sink)))


@pytest.fixture
def whole_account(people: Cast, smtp_sink: SmtpSink, mailbox: Mailbox) -> EmailAccount:
    """Alice's account with a sink to send through and a mailbox on Dovecot, that has a Sent folder."""
    with mailbox.dovecot.client(mailbox.address) as client:
        client.create("Sent")
    fields = {"imap_port": mailbox.dovecot.port, **sending_fields(smtp_sink)}
    return seal_passwords(make_account(people.alice, mailbox.address, **fields), mailbox.dovecot.password)


@pytest.fixture
def queue(people: Cast) -> Callable[..., Outgoing]:
    """`queue(subject=…, to=…, hold_seconds=…)`: a letter of Alice in the outbox."""

    def _queue(**fields: Any) -> Outgoing:
        names = ("hold_seconds", "send_at", "idempotency_key", "automatic", "headers")
        options = {name: fields.pop(name) for name in names if name in fields}
        letter = Letter(**{"to": (EWA,), "subject": "Offer", "text": "Good morning.\n", **fields})
        return services.queue_outgoing(people.alice, letter, **options)

    return _queue


def deliver(outgoing: Outgoing) -> Outgoing:
    """One turn of a worker; the row as it is then."""
    delivery.deliver_account(outgoing.account_id)
    outgoing.refresh_from_db()
    return outgoing


def file_copies(outgoing: Outgoing) -> Outgoing:
    """One turn in the Sent folder; the row as it is then."""
    copies.work_account(outgoing.account_id)
    outgoing.refresh_from_db()
    return outgoing


def make_due(outgoing: Outgoing, **fields: Any) -> None:
    """Let time pass: what waits for a pause is due now."""
    past = datetime.now(UTC) - timedelta(seconds=1)
    Outgoing.objects.filter(pk=outgoing.pk).update(**{"due_at": past, **fields})
