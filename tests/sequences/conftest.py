"""A sequence of Alice's from an account that can send, and contacts to write to."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine

from mailwall.contacts import services as contact_services
from mailwall.contacts.models import Contact
from mailwall.contacts.rules import ContactInput
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore import hooks as mailstore_hooks
from mailwall.mailstore.models import Message
from mailwall.sending import hooks as sending_hooks
from mailwall.sending.models import Outgoing
from mailwall.sequences import enrolling, running, services
from mailwall.sequences.models import Enrolment
from mailwall.sequences.models import Sequence as SequenceRow
from mailwall.sequences.rules import StepInput
from mailwall.sequences.services import SequenceInput
from tests.cast import Cast, make_account, make_raw, store

MAIL = StepInput(kind="email", subject="Hello {{first_name|there}}", html="<p>Nice to meet you.</p>")
WAIT = StepInput(kind="wait", days=3)
AGAIN = StepInput(kind="email", subject="One question", html="<p>Again</p>", same_thread=True)
TASK = StepInput(kind="task", title="Call")
START = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


@dataclass
class Story:
    """What happens to a sequence, with a clock that tests move. Mail leaves as soon as it is in the outbox."""

    cast: Cast
    account: EmailAccount
    clock: Any
    woken: list[Outgoing] = field(default_factory=list)

    def sequence(self, *steps: StepInput, **fields: Any) -> SequenceRow:
        given = {
            "name": "Fair",
            "account_id": self.account.pk,
            "state": "running",
            "steps": steps or (MAIL, WAIT, AGAIN),
        }
        return services.create_sequence(self.cast.alice, SequenceInput(**{**given, **fields}))

    def contact(self, name: str, *addresses: str, **fields: Any) -> Contact:
        given = ContactInput(name=name, emails=addresses or (f"{name.lower()}@kunde.example",), **fields)
        return contact_services.create_contact(self.cast.alice, given)

    def enrol(self, sequence: SequenceRow, *contacts: Contact, **options: Any) -> Enrolment:
        """Enrol; gives the first enrolment."""
        results = enrolling.enrol(self.cast.alice, sequence.pk, [contact.pk for contact in contacts], **options)
        assert all(result.enrolment for result in results), results
        return next(result.enrolment for result in results)

    def run(self, *, leave: bool = True) -> list[Outgoing]:
        """Run what is due now; the mails. leave: they leave at once."""
        before = len(self.woken)
        running.take_steps(self.account.pk, self.woken.append)
        mails = self.woken[before:]
        for mail in mails if leave else ():
            self.settle(mail, "sent")
        return mails

    def settle(self, mail: Outgoing, outcome: str) -> None:
        sending_hooks.tell_outgoing_settled(mail.pk, outcome)

    def later(self, **distance: float) -> None:
        self.clock.shift(timedelta(**distance))

    def arrive(
        self, sender: str, *, to: EmailAccount | None = None, history: bool = False, days_ago: float = 0, **headers: Any
    ) -> Message:
        """A mail that is stored now; days_ago: when it came to the server."""
        account = to or self.account
        raw = make_raw(sender, account.address, days_ago=days_ago, **headers)
        message = store(account, raw, days_ago=days_ago)
        mailstore_hooks.tell_messages_arrived([message.pk], history=history)
        return message

    def state(self, enrolment: Enrolment) -> tuple[str, str]:
        enrolment.refresh_from_db()
        return enrolment.state, enrolment.reason


@pytest.fixture
def clock():
    with time_machine.travel(START, tick=False) as traveller:
        yield traveller


@pytest.fixture
def story(cast, clock) -> Story:
    account = make_account(
        cast.alice, "alice@ours.example", smtp_host="127.0.0.1", smtp_port=25, sending_active=True, is_default=True
    )
    return Story(cast, account, clock)


Stories = Callable[..., Story]
