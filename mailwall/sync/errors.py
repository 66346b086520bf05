"""What can go wrong with a download from the mail server, each with the status that the contract gives it."""

from __future__ import annotations

from django.utils.translation import gettext_noop as _

from mailwall.errors import MailwallError


class DownloadError(MailwallError):
    """A file that cannot be had now. status: of HTTP."""

    code = "download_failed"
    status = 502
    MSGID = _("The file could not be fetched from the mail server.")

    def __init__(self, msgid: str = "", *, details: str = "") -> None:
        self.msgid = msgid or self.MSGID
        self.params: dict[str, object] = {}
        super().__init__(self.msgid, details=details)


class NoSuchFile(DownloadError):
    """No such message or attachment, or not the viewer's to see."""

    code = "not_found"
    status = 404
    MSGID = _("There is no such file.")


class GoneFromServer(DownloadError):
    """The mail is in no folder of the account any more."""

    code = "gone_from_server"
    status = 410
    MSGID = _("This mail is no longer on the mail server. Its text stays here; its attachments cannot be fetched.")


class MailServerUnreachable(DownloadError):
    """No connection, no sign-in, or the server refuses to give the mail."""

    code = "mail_server_unreachable"
    retryable = True
    MSGID = _("The mail server cannot be reached just now. Try again later.")
    MSGID_OWNER = _("The owner of this mailbox is deactivated, so nothing is fetched from its mail server.")
    MSGID_SIGN_IN = _("The account cannot sign in to its mail server. Its owner has to check the password.")


class MailServerTimeout(DownloadError):
    """The server went silent, or too many downloads of this account run."""

    code = "mail_server_timeout"
    status = 504
    retryable = True
    MSGID = _("The mail server did not answer in time. Try again later.")
    MSGID_QUEUE = _("Too many files of this account are being downloaded. Try again in a minute.")
