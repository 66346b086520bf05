"""How often one person may have us dial servers that refuse: enough for typing errors, too few to scan or to guess."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone

from mailwall.email_accounts.errors import TooManyTrials
from mailwall.team import queries as team_queries
from mailwall.team import services as team_services
from mailwall.team.models import User

MAX_FAILED = 60
WITHIN = timedelta(minutes=10)
_ACTION = "connection_test.failed"


def require_patience(actor: User) -> None:
    """Refuse who had too many servers dialled in vain lately.

    :raises TooManyTrials: nothing was dialled.
    """
    if team_queries.deeds_since(actor, _ACTION, timezone.now() - WITHIN) >= MAX_FAILED:
        raise TooManyTrials


def note_failure(actor: User, host: str) -> None:
    """Remember a trial in vain; administrators find in the audit log who tried which host."""
    team_services.audit(actor, _ACTION, f"host:{host}"[:120])
