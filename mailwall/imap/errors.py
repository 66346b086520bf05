"""What can go wrong with an IMAP server, with the codes of the contract and a sentence for people."""

from __future__ import annotations

import re

from mailwall.net.errors import DialError, ServerError, gettext_noop
from mailwall.net.masking import masked
from mailwall.net.types import ServerSettings


class ImapError(ServerError):
    """An IMAP server that could not be reached, trusted, understood or signed in to."""

    code = "imap_protocol_error"
    retryable = True


class ImapUnreachable(ImapError):
    """No connection, or it was lost (codes imap_unreachable, imap_unknown_host, host_invalid, host_not_allowed)."""

    code = "imap_unreachable"
    MSGID_LOST = gettext_noop("%(host)s closed the connection.")


class ImapTimeout(ImapError):
    """The server went silent, or the job's own deadline passed."""

    code = "imap_timeout"
    MSGID = gettext_noop("%(host)s did not answer in time (waited %(seconds)d s).")
    MSGID_JOB = gettext_noop("Talking to %(host)s took too long; the rest follows with the next attempt.")


class ImapTlsFailed(ImapError):
    """No trustworthy encryption; nothing secret was sent."""

    code = "imap_tls_failed"
    MSGID_SILENT_TLS_PORT = gettext_noop(
        "Port %(port)d of %(host)s begins with encryption. Choose SSL/TLS for this port."
    )
    MSGID_NO_STARTTLS = gettext_noop(
        "%(host)s does not offer STARTTLS on port %(port)d. Choose SSL/TLS, usually on port 993."
    )
    MSGID_STARTTLS_REFUSED = gettext_noop("%(host)s refused to start encryption.")
    MSGID_INJECTED = gettext_noop("%(host)s sent answers before the encryption began; they cannot be trusted.")
    MSGID_PREAUTH = gettext_noop("%(host)s signs in before the encryption begins; that cannot be trusted.")
    MSGID_LOGIN_DISABLED = gettext_noop("The server allows sign-in only over an encrypted connection.")


class ImapProtocolError(ImapError):
    """The server said something that is not IMAP, or refused a command it must know."""

    code = "imap_protocol_error"
    MSGID_NOT_IMAP = gettext_noop("The server on port %(port)d of %(host)s does not speak IMAP.")
    MSGID = gettext_noop("%(host)s sent an answer that makes no sense.")
    MSGID_REFUSED = gettext_noop("%(host)s refused a request: %(words)s")


class ImapLoginRefused(ImapError):
    """User name or password refused. Never tried again by itself."""

    code = "imap_login_refused"
    retryable = False
    MSGID = gettext_noop("The server refused this user name or password.")
    MSGID_APP_PASSWORD = gettext_noop(
        "The server wants an app password here, not your normal one. "
        "Create one in the security settings of your mail account."
    )
    MSGID_GMAIL = gettext_noop(
        "Gmail wants an app password here, not your normal one. Create one at myaccount.google.com/apppasswords."
    )
    MSGID_WORDS = gettext_noop("The server refused to sign in: %(words)s")
    MSGID_CHARACTERS = gettext_noop("User name and password cannot hold line breaks.")


class ImapBusy(ImapError):
    """The server has too much to do, or too many connections are open."""

    code = "imap_busy"
    MSGID = gettext_noop("The server is busy; we try again later.")


class ImapFolderGone(ImapError):
    """A folder that cannot be opened: deleted, renamed or not selectable. Other folders go on."""

    code = "imap_folder_gone"
    retryable = False
    counts_as_failed_attempt = False
    MSGID = gettext_noop("The folder cannot be opened on the mail server any more.")


_RESPONSE_CODE = re.compile(r"\[([A-Z0-9-]+)(?:[^\]]*)\]\s*", re.IGNORECASE)
_BUSY_CODES = {"UNAVAILABLE", "LIMIT", "INUSE"}
_BUSY_WORDS = re.compile(
    r"too many (?:simultaneous|concurrent|connections|login|open|sessions|requests)|simultaneous connections|"
    r"maximum number of connections|connection limit|rate.?limit|try (?:again )?later|temporar|bandwidth|throttl|"
    r"internal (?:server )?error|(?:service|server|system|backend) (?:is )?unavailable",
    re.IGNORECASE,
)
_THROTTLED_WORDS = re.compile(r"throttl|rate.?limit|bandwidth", re.IGNORECASE)
_APP_PASSWORD_WORDS = re.compile(r"app(?:lication)?[- ]specific|app password|application password|web login", re.I)
_OWN_WORDS_CODES = {"EXPIRED", "CONTACTADMIN", "AUTHORIZATIONFAILED"}


def response_code(words: str) -> str:
    """The code in brackets that begins an answer, upper case, or '' (RFC 5530)."""
    found = _RESPONSE_CODE.match(words)
    return found.group(1).upper() if found else ""


def is_busy(words: str) -> bool:
    """Whether the server's words mean: later."""
    return response_code(words) in _BUSY_CODES or bool(_BUSY_WORDS.search(words))


def is_throttled(words: str) -> bool:
    """Whether we ask too much: asking for each message by itself would make it worse."""
    return response_code(words) == "LIMIT" or bool(_THROTTLED_WORDS.search(words))


def sign_in_refused(words: str, settings: ServerSettings) -> ImapError:
    """Put the server's NO to a sign-in into one of ours: refused, busy, or encryption wanted (RFC 5530)."""
    code = response_code(words)
    sentence = _RESPONSE_CODE.sub("", words, count=1).strip()
    details = masked(words, settings)
    if code == "PRIVACYREQUIRED":
        return ImapTlsFailed(ImapTlsFailed.MSGID_LOGIN_DISABLED, details=details)
    if _APP_PASSWORD_WORDS.search(words):
        gmail = "gmail" in settings.host.lower() or "google" in words.lower()
        msgid = ImapLoginRefused.MSGID_GMAIL if gmail else ImapLoginRefused.MSGID_APP_PASSWORD
        return ImapLoginRefused(msgid, details=details)
    if code == "SERVERBUG" or (code not in {*_OWN_WORDS_CODES, "AUTHENTICATIONFAILED"} and is_busy(words)):
        return ImapBusy(ImapBusy.MSGID, details=details)
    if code in {*_OWN_WORDS_CODES, "ALERT"} and sentence:
        return ImapLoginRefused(ImapLoginRefused.MSGID_WORDS, {"words": masked(sentence, settings)}, details=details)
    return ImapLoginRefused(ImapLoginRefused.MSGID, details=details)


def not_connected(error: DialError) -> ImapError:
    """Put a failed dial into the contract's codes, sentence kept."""
    kind = {"timeout": ImapTimeout, "tls_failed": ImapTlsFailed}.get(error.cause, ImapUnreachable)
    told = kind(error.msgid, error.params, code=error.code_for("imap"), details=error.details)
    told.retryable = error.retryable
    return told
