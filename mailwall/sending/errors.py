"""Why a letter cannot be queued or an outgoing mail not be changed, each with its code of the contract."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.translation import gettext_noop as _

from mailwall.errors import MailwallError


class SendingError(MailwallError):
    """message = msgid % params, in English; `email_accounts.errors.sentence(error)` says it in the reader's words."""

    code = "sending_error"
    MSGID = ""

    def __init__(self, msgid: str = "", params: Mapping[str, Any] | None = None) -> None:
        self.msgid = msgid or self.MSGID
        self.params = dict(params or {})
        super().__init__(self.msgid % self.params if self.params else self.msgid)


class LetterInvalid(SendingError):
    """What can never be sent. errors: (field, sentence) pairs, sentences in the language of now."""

    code = "invalid"
    MSGID = _("This mail cannot be sent as it is.")

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(self.MSGID)
        self.errors = tuple(errors)


class SendingInactive(SendingError):
    """The account, or every account of the sender, does not send."""

    code = "sending_inactive"
    MSGID = _("Sending from %(address)s is switched off.")
    MSGID_NO_SMTP = _("%(address)s only receives: it has no server for sending.")
    MSGID_NONE = _("You have no email account that can send. Connect one, or add a server for sending to yours.")
    MSGID_REFUSED = _("The mail server of %(address)s refuses to sign in for sending: %(reason)s")
    MSGID_BASIC = _("In the Basic package only your default account sends: %(default)s.")
    MSGID_DEACTIVATED = _("%(address)s is deactivated. Reactivate it first.")


class SenderGone(SendingError):
    """The account was removed while the mail waited."""

    code = "sending_inactive"
    MSGID = _("The account that this mail was to leave from is not connected any more.")


class SenderRests(SendingError):
    """The sender may not sign in at the moment. The mail waits."""

    code = "sending_inactive"
    MSGID = _("Its sender is deactivated. It leaves when they may sign in again.")
    MSGID_TOO_LONG = _("Its sender was deactivated for more than a day.")


class NotHandedOver(SendingError):
    """A fault of our own while the mail was handed over."""

    code = "internal_error"
    retryable = True
    MSGID = _("Something went wrong on our side. We try again.")


class OutgoingNotFound(SendingError):
    """It is not there, or not the sender's."""

    code = "not_found"
    MSGID = _("There is no such outgoing mail.")


class TooLate(SendingError):
    """The state no longer allows it; the outgoing mail stays as it is."""

    code = "too_late"
    MSGID_CANCEL = _("It is too late to cancel: the mail is on its way or has left.")
    MSGID_SETTLE = _("This mail does not wait for a decision any more.")
    MSGID_SEND_NOW = _("This mail was taken back or has failed. Open its draft to send it.")
    MSGID_RETRY = _("Only a mail that failed can be sent again.")


class IdempotencyMismatch(SendingError):
    """The key was used with another request."""

    code = "idempotency_mismatch"
    MSGID = _("This Idempotency-Key was used for another request in the last 24 hours.")


class InProgress(SendingError):
    """A request with the same key is under way."""

    code = "in_progress"
    MSGID = _("A request with this Idempotency-Key is under way. Ask again in a moment.")


class TextTooLong(SendingError):
    """A signature or a template beyond its size; images count with it."""

    code = "too_long"
    MSGID = _("This is %(size)d kB with its images; at most %(limit)d kB are possible. Use smaller images.")


class TemplateInvalid(SendingError):
    """A template that could not be used. errors: (field, sentence) pairs, sentences in the language of now."""

    code = "invalid"
    MSGID = _("This template cannot be saved as it is.")

    def __init__(self, errors: Sequence[tuple[str, str]]) -> None:
        super().__init__(self.MSGID)
        self.errors = tuple(errors)


class DraftNotFound(SendingError):
    """There is no such draft, or it is somebody else's."""

    code = "not_found"
    MSGID = _("There is no such draft.")


class DraftConflict(SendingError):
    """The draft was saved elsewhere since; `draft` is how it stands now."""

    code = "draft_conflict"
    MSGID = _("This draft was changed in another window or tab.")
    MSGID_GONE = _("This draft was sent or discarded in another window or tab.")

    def __init__(self, draft: Any, msgid: str = "") -> None:
        super().__init__(msgid)
        self.draft = draft


class FileRefused(SendingError):
    """A file that cannot be attached."""

    code = "file_refused"
    MSGID_BLOCKED = _("%(filename)s cannot be attached: mail servers refuse files of this kind. Send it in an archive.")
    MSGID_TOO_LARGE = _("%(filename)s does not fit: a mail takes %(limit)d MB of attachments.")
    MSGID_EMPTY = _("%(filename)s is empty.")
    MSGID_BODY = _("The images in the text are too large. Attach them as files.")


class AttachmentForgotten(SendingError):
    """The writer says that something is attached, and nothing is. Ask before sending."""

    code = "attachment_forgotten"
    MSGID = _("You wrote “attached”, but there is no attachment.")
