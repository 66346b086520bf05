"""What can go wrong on the way to a server, each with its cause in one English sentence.

`msgid` and `params` let a page say the sentence in the reader's language: `gettext(error.msgid) % error.params`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from mailwall.errors import MailwallError


def gettext_noop(msgid: str) -> str:
    """Mark a sentence for the translators; it is translated where it is shown."""
    return msgid


class ServerError(MailwallError):
    """An error of a server or of the way to it. message = msgid % params."""

    counts_as_failed_attempt = True

    def __init__(
        self, msgid: str, params: Mapping[str, Any] | None = None, *, code: str | None = None, details: str = ""
    ) -> None:
        self.msgid = msgid
        self.params = dict(params or {})
        super().__init__(msgid % self.params if self.params else msgid, code=code, details=details)


class DialError(ServerError):
    """No connection, or none to be trusted. cause: what the protocols put behind their prefix (`imap_timeout`)."""

    cause = "unreachable"
    code = "unreachable"
    retryable = True

    def code_for(self, protocol: str) -> str:
        """The code of the contract: `host_invalid`, `host_not_allowed`, else protocol + '_' + cause."""
        return self.cause if self.cause.startswith("host_") else f"{protocol}_{self.cause}"


class HostInvalid(DialError):
    """The host is not written like a host name or an address."""

    cause = code = "host_invalid"
    retryable = False
    MSGID = gettext_noop("“%(host)s” is not the name of a server. Enter a name such as imap.example.com.")


class HostNotAllowed(DialError):
    """The host lies in a range that may not be dialled (loopback, private, link-local …)."""

    cause = code = "host_not_allowed"
    retryable = False
    MSGID = gettext_noop(
        "Connections to %(host)s are not allowed: it is an internal address. "
        "An administrator can allow it with MAILWALL_MAIL_HOSTS_ALLOW."
    )


class NameUnknown(DialError):
    """The name service does not know the host."""

    cause = code = "unknown_host"
    MSGID = gettext_noop("No server is called %(host)s. Check the spelling.")


class NameLookupFailed(NameUnknown):
    """The name service did not answer; the host may well exist."""

    MSGID = gettext_noop("The name %(host)s could not be looked up just now: the name service does not answer.")


class ConnectionRefused(DialError):
    """Nobody listens on that port."""

    MSGID = gettext_noop(
        "%(host)s refuses connections on port %(port)d. A firewall or a wrong port is the usual cause."
    )


class ConnectTimeout(DialError):
    """No answer in time."""

    cause = code = "timeout"
    MSGID = gettext_noop(
        "%(host)s does not answer on port %(port)d (waited %(seconds)d s). "
        "A firewall or a wrong port is the usual cause."
    )


class Unreachable(DialError):
    """No route, network down, connection lost."""

    MSGID = gettext_noop("%(host)s cannot be reached on port %(port)d. Check the network and the port.")


class TlsFailed(DialError):
    """No trustworthy encryption."""

    cause = code = "tls_failed"
    MSGID = gettext_noop("The encrypted connection to %(host)s failed.")


class TlsName(TlsFailed):
    """The certificate is for another name."""

    MSGID = gettext_noop("The certificate belongs to %(names)s, not to %(host)s.")
    MSGID_NAMES_UNKNOWN = gettext_noop("The certificate of the server does not belong to %(host)s.")


class TlsExpired(TlsFailed):
    """The certificate's time is over, or has not begun."""

    MSGID = gettext_noop("The certificate of %(host)s has expired.")
    MSGID_NOT_YET = gettext_noop("The certificate of %(host)s is not valid yet.")


class TlsUnknownAuthority(TlsFailed):
    """Nobody we trust vouches for the certificate."""

    MSGID = gettext_noop("The certificate of %(host)s is not signed by a known authority.")


class TlsPlainPort(TlsFailed):
    """TLS was spoken to a port that does not speak it."""

    MSGID = gettext_noop(
        "Port %(port)d of %(host)s does not begin with encryption, you chose SSL/TLS. Choose STARTTLS for this port."
    )


class TlsTooOld(TlsFailed):
    """The server has nothing newer than TLS 1.1."""

    MSGID = gettext_noop("%(host)s offers only outdated encryption; TLS 1.2 or newer is needed.")
