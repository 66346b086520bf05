"""What can go wrong with an SMTP server, sorted by what to do with the mail: wait, tell, or never send again."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mailwall.net.errors import DialError, ServerError, gettext_noop
from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings
from mailwall.smtp.types import Refusal


class SmtpError(ServerError):
    """A mail was not handed over, unless it is SmtpOutcomeUnknown. Sending never uses up an account's attempts."""

    code = "smtp_protocol_error"
    retryable = True
    counts_as_failed_attempt = False


class SmtpUnreachable(SmtpError):
    """No connection, or it was lost before the mail was handed over: try again later."""

    code = "smtp_unreachable"
    MSGID_LOST = gettext_noop("%(host)s closed the connection.")


class SmtpTimeout(SmtpError):
    """The server went silent before the mail was handed over: try again later."""

    code = "smtp_timeout"
    MSGID = gettext_noop("%(host)s did not answer in time (waited %(seconds)d s).")


class SmtpTlsFailed(SmtpError):
    """No trustworthy encryption; nothing secret was sent."""

    code = "smtp_tls_failed"
    MSGID_SILENT_TLS_PORT = gettext_noop(
        "Port %(port)d of %(host)s begins with encryption. Choose SSL/TLS for this port."
    )
    MSGID_NO_STARTTLS = gettext_noop(
        "%(host)s does not offer STARTTLS on port %(port)d. Choose SSL/TLS, usually on port 465."
    )
    MSGID_STARTTLS_REFUSED = gettext_noop("%(host)s refused to start encryption.")
    MSGID_INJECTED = gettext_noop("%(host)s sent answers before the encryption began; they cannot be trusted.")
    MSGID_WANTED = gettext_noop("The server allows sign-in only over an encrypted connection.")


class SmtpProtocolError(SmtpError):
    """The server said something that is not SMTP."""

    MSGID_NOT_SMTP = gettext_noop("The server on port %(port)d of %(host)s does not speak SMTP.")
    MSGID = gettext_noop("%(host)s sent an answer that makes no sense.")


class SmtpLoginRefused(SmtpError):
    """User name or password refused. Never tried again by itself."""

    code = "smtp_login_refused"
    retryable = False
    MSGID = gettext_noop("The server refused this user name or password.")
    MSGID_APP_PASSWORD = gettext_noop(
        "The server wants an app password here, not your normal one. "
        "Create one in the security settings of your mail account."
    )
    MSGID_NOT_OFFERED = gettext_noop("%(host)s offers no way to sign in with a password.")
    MSGID_DISABLED = gettext_noop("The server does not allow signing in with a password for sending: %(words)s")


class SmtpBusy(SmtpError):
    """The server has too much to do, or wants us to slow down: try again later."""

    code = "smtp_busy"
    MSGID = gettext_noop("The server is busy; we try again later.")


class SmtpTemporary(SmtpError):
    """The server did not take the mail now (4xx): try again later."""

    code = "smtp_temporary"
    MSGID = gettext_noop("The server did not take the mail for now: %(words)s")


class SmtpRefused(SmtpError):
    """The server will never take this mail (5xx): tell the sender, with the server's own sentence."""

    code = "smtp_refused"
    retryable = False
    MSGID = gettext_noop("The server refused the mail: %(words)s")
    MSGID_TOO_LARGE = gettext_noop("The mail has %(size_mb)d MB, the server takes at most %(limit_mb)d MB.")
    MSGID_ADDRESS = gettext_noop("“%(address)s” cannot be used as an address.")
    MSGID_UTF8_ADDRESS = gettext_noop("The server cannot deliver to the international address “%(address)s”.")


class SmtpReceiversRefused(SmtpError):
    """No receiver was accepted. refusals by address; retryable when any of them may be accepted later."""

    code = "smtp_receivers_refused"
    MSGID = gettext_noop("The server refused every receiver: %(words)s")

    def __init__(self, refusals: Mapping[str, Refusal]) -> None:
        self.refusals = dict(refusals)
        self.retryable = any(not refusal.permanent for refusal in refusals.values())
        words = "; ".join(f"{address}: {refusal.words}" for address, refusal in list(refusals.items())[:5])
        super().__init__(self.MSGID, {"words": words})


class SmtpOutcomeUnknown(SmtpError):
    """The connection broke after the mail was handed over and before the answer. NEVER send it again by itself."""

    code = "smtp_outcome_unknown"
    retryable = False
    MSGID = gettext_noop("The connection broke just as the mail was handed over. It may have been sent.")


_APP_PASSWORD_WORDS = re.compile(r"app(?:lication)?[- ]specific|app password|application password|5\.7\.9\b", re.I)
_DISABLED_WORDS = re.compile(r"5\.7\.139|5\.7\.30|basic auth|SmtpClientAuthentication is disabled", re.I)


def sign_in_refused(status: int, words: str, settings: ServerSettings) -> SmtpError:
    """Put the answer to AUTH into words (RFC 4954 §6)."""
    details = masked(f"{status} {words}", settings)
    if status == 538 or "5.7.11" in words or (status == 530 and "starttls" in words.lower()):
        return SmtpTlsFailed(SmtpTlsFailed.MSGID_WANTED, details=details)
    if _APP_PASSWORD_WORDS.search(words):
        return SmtpLoginRefused(SmtpLoginRefused.MSGID_APP_PASSWORD, details=details)
    if _DISABLED_WORDS.search(words):
        return SmtpLoginRefused(SmtpLoginRefused.MSGID_DISABLED, {"words": masked(words, settings)}, details=details)
    if 400 <= status < 500:
        return SmtpBusy(SmtpBusy.MSGID, details=details)
    return SmtpLoginRefused(SmtpLoginRefused.MSGID, details=details)


def refused(status: int, words: str, settings: ServerSettings) -> SmtpError:
    """Put a negative answer to MAIL, DATA or the message into words: 4xx later, 5xx never."""
    said = masked(words, settings)
    details = f"{status} {said}"
    if status in (530, 534, 535):
        return sign_in_refused(status, words, settings)
    if status == 421:
        return SmtpBusy(SmtpBusy.MSGID, details=details)
    if 400 <= status < 500:
        return SmtpTemporary(SmtpTemporary.MSGID, {"words": said}, details=details)
    if 500 <= status < 600:
        return SmtpRefused(SmtpRefused.MSGID, {"words": said}, details=details)
    return SmtpProtocolError(SmtpProtocolError.MSGID, {"host": settings.host}, details=details)


def not_connected(error: DialError) -> SmtpError:
    """Put a failed dial into the contract's codes, sentence kept."""
    kind = {"timeout": SmtpTimeout, "tls_failed": SmtpTlsFailed}.get(error.cause, SmtpUnreachable)
    told = kind(error.msgid, error.params, code=error.code_for("smtp"), details=error.details)
    told.retryable = error.retryable
    return told
