"""Errors of assigning."""

from __future__ import annotations

from mailwall.errors import MailwallError


class AssignmentTargetNotFound(MailwallError):
    """No such message or contact, or not the viewer's to see."""

    code = "not_found"


class UndoTooLate(MailwallError):
    """What was done cannot be taken back any more: the time is over, or somebody has gone on with it."""

    code = "undo_too_late"
