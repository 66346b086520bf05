"""Downloads wait in line for one of the account's connections."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from mailwall.email_accounts import places
from mailwall.sync.errors import MailServerTimeout, MailServerUnreachable

WAIT_SECONDS = 45.0


@contextlib.contextmanager
def download_slot(account_id: int, *, wait_seconds: float = WAIT_SECONDS) -> Iterator[None]:
    """Hold one of the account's places (email_accounts.places).

    :raises MailServerTimeout: none became free in time. :raises MailServerUnreachable: nothing connects.
    """
    try:
        with places.place(account_id, wait_seconds=wait_seconds, for_person=True):
            yield
    except places.OwnerOff as error:
        raise MailServerUnreachable(MailServerUnreachable.MSGID_OWNER) from error
    except places.NoPlace as error:
        raise MailServerTimeout(MailServerTimeout.MSGID_QUEUE) from error
