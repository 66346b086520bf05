"""Signatures: one general one per user, and one of its own for an account where its owner wants that.

Cleaned when saved and again when used, so that a better cleaner heals old ones too.
"""

from __future__ import annotations

from django.db import IntegrityError, transaction
from django.db.models import F, Q

from mailwall.email_accounts.models import EmailAccount
from mailwall.mime.html import clean_written_html, is_blank_html
from mailwall.sending.errors import TextTooLong
from mailwall.sending.models import Signature
from mailwall.team.models import User

MAX_SIGNATURE_BYTES = 500_000


def signature_for(user: User, account: EmailAccount) -> str:
    """The signature as cleaned HTML: the account's own where it has one, else the user's; '' without any."""
    fitting = Signature.objects.filter(Q(account=account) | Q(account__isnull=True), user=user)
    found = fitting.order_by(F("account").asc(nulls_last=True)).first()
    return clean_written_html(found.html) if found else ""


def signature_of(user: User, account: EmailAccount | None = None) -> str | None:
    """What is stored, cleaned: the general signature, or the account's own. None: there is none of its own."""
    found = Signature.objects.filter(user=user, account=account).first()
    return clean_written_html(found.html) if found else None


def accounts_with_own_signature(user: User) -> set[int]:
    return set(Signature.objects.filter(user=user, account__isnull=False).values_list("account_id", flat=True))


def save_signature(user: User, html: str, account: EmailAccount | None = None) -> str:
    """Store the general signature, or the one of an account of the user's; gives it as it is now, cleaned.

    :raises TextTooLong: nothing is stored.
    """
    cleaned = clean_written_html(checked_size(html, MAX_SIGNATURE_BYTES))
    cleaned = "" if is_blank_html(cleaned) else cleaned
    mine = Signature.objects.filter(user=user, account=account)
    if not mine.update(html=cleaned):
        try:
            with transaction.atomic():
                Signature.objects.create(user=user, account=account, html=cleaned)
        except IntegrityError:  # saved twice at the same moment
            mine.update(html=cleaned)
    return cleaned


def use_general_signature(user: User, account: EmailAccount) -> None:
    """The account has no signature of its own any more. Again does nothing."""
    Signature.objects.filter(user=user, account=account).delete()


def checked_size(html: str, limit_bytes: int) -> str:
    """The same HTML.

    :raises TextTooLong: in UTF-8 it is larger.
    """
    size = len(html.encode("utf-8", "surrogatepass"))
    if size > limit_bytes:
        params = {"size": -(-size // 1000), "limit": limit_bytes // 1000}
        raise TextTooLong(TextTooLong.MSGID, params)
    return html
