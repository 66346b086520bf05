"""Errors of stored mail."""

from __future__ import annotations

from mailwall.errors import MailwallError


class MessageNotFound(MailwallError):
    """No such message, or not the viewer's to see or change."""

    code = "not_found"
