"""Who sends a request to the REST API: `Authorization: Bearer TOKEN`."""

from __future__ import annotations

from django.http import HttpRequest
from ninja.security import HttpBearer

from mailwall.team import rules, services
from mailwall.team.models import User
from mailwall.web.rest import ApiProblem


class TokenAuth(HttpBearer):
    """Sets request.user to the token's owner; every read then asks what this user may see."""

    def authenticate(self, request: HttpRequest, token: str) -> User | None:
        """The owner, None (401) for a token that is not valid.

        :raises ApiProblem: 403 `scope_missing` when the token is for reading only.
        """
        found = services.use_token(token)
        if found is None:
            return None
        if not rules.scope_allows(found.scopes, request.method or ""):
            raise ApiProblem(403, "scope_missing", "This token may only read. Make one with the scope “write”.")
        request.user = found.user
        return found.user
