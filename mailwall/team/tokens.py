"""API tokens and the set-up link: made once, shown once, only their hash is kept."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.team import queries, rules
from mailwall.team.errors import SetupLinkUnusable, TeamRefused
from mailwall.team.models import ApiToken, SetupLink, User


def create_token(
    user: User, *, name: str = "token", scopes: Sequence[str] | None = None, expires_at: datetime | None = None
) -> str:
    """Make an API token for `user`; the text is given this once. No scopes: read and write.

    :raises TeamRefused: an unknown scope.
    """
    scopes = sorted(set(scopes or ()))
    unknown = [scope for scope in scopes if scope not in rules.SCOPES]
    if unknown:
        known = ", ".join(rules.SCOPES)
        raise TeamRefused(_("Unknown scope “%(scope)s”; known are: %(known)s.") % {"scope": unknown[0], "known": known})
    token = "mw_" + secrets.token_urlsafe(32)
    ApiToken.objects.create(user=user, name=name, token_hash=_hash(token), scopes=scopes, expires_at=expires_at)
    return token


def use_token(token: str) -> ApiToken | None:
    """The valid token of an active user, else None. Notes the use at most once a minute."""
    now = timezone.now()
    found = (
        ApiToken.objects.select_related("user__team")
        .filter(token_hash=_hash(token), revoked_at__isnull=True, user__is_active=True)
        .first()
    )
    if found is None or (found.expires_at and found.expires_at <= now):
        return None
    if rules.use_is_worth_noting(found.last_used_at, now):
        ApiToken.objects.filter(pk=found.pk).update(last_used_at=now)
    return found


def revoke_token(user: User, token_id: int) -> bool:
    """End one of the user's own tokens; False when there is no such token."""
    tokens = queries.tokens_of(user).filter(pk=token_id)
    return tokens.update(revoked_at=timezone.now()) == 1


def make_setup_link(base_url: str) -> str | None:
    """The address where the first admin is created, None once there is a user. Earlier unused links end."""
    if queries.somebody_can_sign_in():
        return None
    token = secrets.token_urlsafe(32)
    with transaction.atomic():
        SetupLink.objects.filter(used_at__isnull=True).delete()
        SetupLink.objects.create(token_hash=_hash(token))
    return f"{base_url}/setup/{token}/"


def setup_link_is_usable(token: str) -> bool:
    unused = SetupLink.objects.filter(token_hash=_hash(token), used_at__isnull=True)
    return unused.exists() and not queries.somebody_can_sign_in()


def claim_setup_link(token: str) -> None:
    """Use the link up, inside the caller's transaction: of two people at once only one succeeds.

    :raises SetupLinkUnusable: unknown, used, or there is a user.
    """
    unused = SetupLink.objects.filter(token_hash=_hash(token), used_at__isnull=True)
    if queries.somebody_can_sign_in() or unused.update(used_at=timezone.now()) != 1:
        raise SetupLinkUnusable(_("This set-up link was used already or is not the newest one."))


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
