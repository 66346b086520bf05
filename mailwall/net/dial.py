"""Connecting: to exactly the addresses that were checked, with deadlines, and TLS under the host's own name."""

from __future__ import annotations

import contextlib
import functools
import os
import socket
import ssl
import time
from collections.abc import Sequence

from mailwall.net import errors, guard
from mailwall.net.guard import CheckedAddress
from mailwall.net.types import NetworkPolicy, ServerSettings

_NAME_MISMATCH = {62, 63, 64}  # X509_V_ERR_HOSTNAME_MISMATCH, …_EMAIL_…, …_IP_ADDRESS_…
_EXPIRED, _NOT_YET_VALID = 10, 9
_PLAIN_PORT_REASONS = ("WRONG_VERSION_NUMBER", "PACKET_LENGTH_TOO_LONG", "HTTP_REQUEST", "UNKNOWN_PROTOCOL")
_TOO_OLD_REASONS = ("UNSUPPORTED_PROTOCOL", "TLSV1_ALERT_PROTOCOL_VERSION")
_NAMING_TIMEOUT_SECONDS = 3.0
_AUTHORITIES_SECONDS = 3600  # after which the system's authorities are read again


def dial(settings: ServerSettings, *, timeout_seconds: float | None = None) -> socket.socket:
    """Resolve, check and connect. Raises DialError. The socket has the read timeout set."""
    budget = settings.connect_timeout_seconds if timeout_seconds is None else timeout_seconds
    begin = time.monotonic()
    resolve_timeout_seconds = min(guard.RESOLVE_TIMEOUT_SECONDS, budget)
    addresses = guard.resolve_allowed(
        settings.host, settings.port, settings.policy, timeout_seconds=resolve_timeout_seconds
    )
    return connect(addresses, settings, timeout_seconds=max(0.1, budget - (time.monotonic() - begin)))


def connect(
    addresses: Sequence[CheckedAddress], settings: ServerSettings, *, timeout_seconds: float | None = None
) -> socket.socket:
    """Connect to the first checked address that answers; all of them share one deadline. Raises DialError."""
    budget = settings.connect_timeout_seconds if timeout_seconds is None else timeout_seconds
    deadline = time.monotonic() + budget
    failure: OSError = TimeoutError("no address")
    for left, address in zip(range(len(addresses), 0, -1), addresses, strict=True):
        # a silent address must leave time for the next ones
        share = (deadline - time.monotonic()) / left
        if share <= 0:
            break
        try:
            return _connect_one(address, share, settings.read_timeout_seconds)
        except OSError as error:
            failure = error
    raise connect_failed(failure, settings, budget) from failure


def connect_failed(failure: OSError, settings: ServerSettings, waited_seconds: float) -> errors.DialError:
    """Put a socket error into words."""
    where = {"host": settings.host, "port": settings.port}
    if isinstance(failure, TimeoutError):
        return errors.ConnectTimeout(errors.ConnectTimeout.MSGID, {**where, "seconds": round(waited_seconds)})
    if isinstance(failure, ConnectionRefusedError):
        return errors.ConnectionRefused(errors.ConnectionRefused.MSGID, where)
    return errors.Unreachable(errors.Unreachable.MSGID, where, details=failure.strerror or "")


def wrap_tls(sock: socket.socket, settings: ServerSettings, *, timeout_seconds: float | None = None) -> ssl.SSLSocket:
    """Start TLS (≥ 1.2) on a connection, verifying the chain and the host's own name (RFC 8314). Raises DialError.

    The socket is closed when it fails.
    """
    budget = settings.connect_timeout_seconds if timeout_seconds is None else timeout_seconds
    sock.settimeout(budget)
    try:
        secured = _shared_context(settings).wrap_socket(sock, server_hostname=_tls_name(settings.host))
    except OSError as error:
        sock.close()
        raise tls_failed(error, settings, budget) from error
    secured.settimeout(settings.read_timeout_seconds)
    return secured


def tls_context(settings: ServerSettings) -> ssl.SSLContext:
    """A verifying context of the caller's own: the system's authorities and the policy's own."""
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if settings.policy.ca_file:
        context.load_verify_locations(cafile=settings.policy.ca_file)
    return context


def _shared_context(settings: ServerSettings) -> ssl.SSLContext:
    """As tls_context(), made once for all connections: reading the authorities costs more than a poll."""
    ca_file = settings.policy.ca_file
    changed_ns = os.stat(ca_file).st_mtime_ns if ca_file else 0
    return _context_of(ca_file, changed_ns, int(time.monotonic() / _AUTHORITIES_SECONDS))


@functools.lru_cache(maxsize=4)
def _context_of(ca_file: str, _changed_ns: int, _hour: int) -> ssl.SSLContext:
    return tls_context(ServerSettings(host="", port=0, policy=NetworkPolicy(ca_file=ca_file)))


def tls_failed(failure: OSError, settings: ServerSettings, waited_seconds: float) -> errors.DialError:
    """Put a failed handshake into words."""
    where = {"host": settings.host, "port": settings.port}
    if isinstance(failure, ssl.SSLCertVerificationError):
        return _certificate_refused(failure, settings)
    if isinstance(failure, TimeoutError):
        return errors.ConnectTimeout(errors.ConnectTimeout.MSGID, {**where, "seconds": round(waited_seconds)})
    reason = getattr(failure, "reason", None) or ""
    if reason in _TOO_OLD_REASONS:
        return errors.TlsTooOld(errors.TlsTooOld.MSGID, where, details=reason)
    if settings.security == "tls" and (reason in _PLAIN_PORT_REASONS or "record layer" in reason.lower()):
        return errors.TlsPlainPort(errors.TlsPlainPort.MSGID, where, details=reason)
    return errors.TlsFailed(errors.TlsFailed.MSGID, where, details=reason or (failure.strerror or ""))


def speaks_tls(settings: ServerSettings, *, timeout_seconds: float = _NAMING_TIMEOUT_SECONDS) -> bool:
    """Whether the port answers to a TLS greeting: asked when a server is silent though it should greet first."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE  # nothing is sent over it
    try:
        with dial(settings, timeout_seconds=timeout_seconds) as sock:
            sock.settimeout(timeout_seconds)
            context.wrap_socket(sock).close()
            return True
    except ssl.SSLError as error:
        return (error.reason or "") not in _PLAIN_PORT_REASONS and not isinstance(error, ssl.SSLEOFError)
    except (OSError, errors.DialError):
        return False


def _connect_one(address: CheckedAddress, timeout_seconds: float, read_timeout_seconds: float) -> socket.socket:
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(timeout_seconds)
        sock.connect((address.ip, address.port))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.settimeout(read_timeout_seconds)
    except OSError:
        sock.close()
        raise
    return sock


def _tls_name(host: str) -> str:
    name, address = guard.spell_host(host)
    return str(address) if address is not None else name


def _certificate_refused(failure: ssl.SSLCertVerificationError, settings: ServerSettings) -> errors.DialError:
    where = {"host": settings.host}
    if failure.verify_code in _NAME_MISMATCH:
        names = _certificate_names(settings) if settings.security == "tls" else ""
        if names:
            return errors.TlsName(errors.TlsName.MSGID, {**where, "names": names}, details=failure.verify_message)
        return errors.TlsName(errors.TlsName.MSGID_NAMES_UNKNOWN, where, details=failure.verify_message)
    if failure.verify_code == _EXPIRED:
        return errors.TlsExpired(errors.TlsExpired.MSGID, where, details=failure.verify_message)
    if failure.verify_code == _NOT_YET_VALID:
        return errors.TlsExpired(errors.TlsExpired.MSGID_NOT_YET, where, details=failure.verify_message)
    return errors.TlsUnknownAuthority(errors.TlsUnknownAuthority.MSGID, where, details=failure.verify_message)


def _certificate_names(settings: ServerSettings) -> str:
    """Whose certificate it is, by a second handshake with a trusted chain and any name; '' when that fails."""
    context = tls_context(settings)
    context.check_hostname = False
    with contextlib.suppress(OSError, errors.DialError):
        with dial(settings, timeout_seconds=_NAMING_TIMEOUT_SECONDS) as sock:
            sock.settimeout(_NAMING_TIMEOUT_SECONDS)
            with context.wrap_socket(sock, server_hostname=_tls_name(settings.host)) as secured:
                certificate = secured.getpeercert() or {}
        return ", ".join(str(entry[1]) for entry in certificate.get("subjectAltName", ())[:3])
    return ""
