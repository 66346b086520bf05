"""What a write of this room may refuse, in words for the person who asked."""

from __future__ import annotations

from mailwall.errors import MailwallError


class TeamRefused(MailwallError):
    """The wish cannot be done; `field` names the input that is to blame, '' when it is none in particular.

    Codes: `invalid`, `email_taken`, `name_taken`, `last_admin`.
    """

    code = "invalid"

    def __init__(self, message: str, *, field: str = "", code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.field = field


class SetupLinkUnusable(MailwallError):
    """Unknown or used, or somebody can sign in already."""

    code = "setup_link_unusable"
