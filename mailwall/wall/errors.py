"""What can go wrong with notes."""

from __future__ import annotations

from mailwall.errors import MailwallError


class NoteInvalid(MailwallError):
    """The text of a note is empty or too long."""

    code = "note_invalid"


class NoteNotYours(MailwallError):
    """Only its author changes or deletes a note."""

    code = "not_author"
