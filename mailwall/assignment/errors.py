"""Errors of assigning."""

from __future__ import annotations

from mailwall.errors import MailwallError


class AssignmentTargetNotFound(MailwallError):
    """No such message or contact, or not the viewer's to see."""

    code = "not_found"
