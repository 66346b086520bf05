"""Mail to the people who can act on an account: its owner and the managers of the owner's team.

On screen they see the account's state anyway; the mail goes out when the administrator set up system mail. It is sent
after the transaction, and a mail that cannot be sent stops nothing.
"""

from __future__ import annotations

import logging
import smtplib
from collections.abc import Callable

from django.conf import settings
from django.core.mail import send_mail
from django.db import transaction
from django.utils import translation
from django.utils.translation import gettext as _

from mailwall.email_accounts.errors import translated
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.team import queries as team_queries

logger = logging.getLogger(__name__)

LIST_PATH = "/settings/email-accounts/"  # of the contract; the page is a higher room's
Words = Callable[[EmailAccount], tuple[str, str]]


def tell_needs_you(account: EmailAccount) -> None:
    """Say that the account needs a person: refused sign-in, or deactivated."""
    _tell(account, _deactivated if account.state == State.DEACTIVATED else _needs_sign_in)


def tell_reactivated(account: EmailAccount) -> None:
    """Say that a deactivated account works again by itself."""
    _tell(account, _works_again)


def tell_folder_paused(account: EmailAccount, folder_name: str) -> None:
    """Say that one folder is not read any more because its server numbers it anew again and again."""
    _tell(account, lambda account: _folder_paused(account, folder_name))


def _tell(account: EmailAccount, words: Words) -> None:
    transaction.on_commit(lambda: _send(account, words))


def _send(account: EmailAccount, words: Words) -> None:
    for reader in [account.owner, *team_queries.managers_of(account.owner)]:
        with translation.override(reader.language or settings.LANGUAGE_CODE):
            subject, text = words(account)
        try:
            send_mail(subject, text, None, [reader.email])
        except (smtplib.SMTPException, OSError) as error:
            logger.warning(
                "notice not sent",
                extra={"account_id": account.pk, "user_id": reader.pk, "reason": type(error).__name__},
            )


def _needs_sign_in(account: EmailAccount) -> tuple[str, str]:
    subject = _("%(address)s needs its password") % {"address": account.address}
    text = _(
        "%(address)s does not get new mail: %(error)s\n\n"
        "Enter the right password; until then nothing connects by itself. Everything stored stays.\n\n%(link)s\n"
    )
    return subject, text % _filled(account)


def _deactivated(account: EmailAccount) -> tuple[str, str]:
    subject = _("%(address)s is deactivated") % {"address": account.address}
    text = _(
        "%(address)s was deactivated after %(attempts)d failed attempts. The last one: %(error)s\n\n"
        "Everything stored stays. Open the list of email accounts to fix and reactivate it.\n\n%(link)s\n"
    )
    return subject, text % _filled(account)


def _works_again(account: EmailAccount) -> tuple[str, str]:
    subject = _("%(address)s works again") % {"address": account.address}
    text = _("%(address)s is connected again and fetches what came in the meantime.\n\n%(link)s\n")
    return subject, text % _filled(account)


def _folder_paused(account: EmailAccount, folder_name: str) -> tuple[str, str]:
    subject = _("A folder of %(address)s is paused") % {"address": account.address}
    text = _(
        "The mail server gave the messages of the folder “%(folder)s” new numbers three times within a day. "
        "Mailwall does not read this folder until it is chosen again; the other folders of %(address)s go on. "
        "Everything stored stays. Please tell whoever runs the mail server.\n\n%(link)s\n"
    )
    return subject, text % {**_filled(account), "folder": folder_name}


def _filled(account: EmailAccount) -> dict[str, object]:
    return {
        "address": account.address,
        "attempts": account.failed_attempts,
        "error": translated(account.last_error_msgid, account.last_error_params, account.last_error_message),
        "link": settings.BASE_URL + LIST_PATH,
    }
