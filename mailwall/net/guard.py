"""Which addresses may be dialled: every host is resolved and checked first, and exactly the checked address is dialled.

Refused unless allowed: loopback, private, link-local (cloud metadata), unique local, shared (100.64/10), multicast,
broadcast, unspecified, reserved, and IPv6 forms that carry such an IPv4 address (RFC 4291, 6052, 3056, 4380, 5214).
"""

from __future__ import annotations

import ipaddress
import queue
import re
import socket
import threading
import unicodedata
from dataclasses import dataclass

import idna

from mailwall.net import errors
from mailwall.net.types import NetworkPolicy

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address
IPNetwork = ipaddress.IPv4Network | ipaddress.IPv6Network

RESOLVE_TIMEOUT_SECONDS = 5.0

_LABEL = re.compile(r"(?!-)[a-z0-9_-]{1,63}(?<!-)\Z")
_NUMERIC_LABEL = re.compile(r"(?:[0-9]+|0x[0-9a-f]*)\Z")

_V4_COMPATIBLE = ipaddress.IPv6Network("::/96")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
_NAT64_LOCAL = ipaddress.IPv6Network("64:ff9b:1::/48")
_ISATAP = (0x00005EFE, 0x02005EFE)


@dataclass(frozen=True, slots=True, kw_only=True)
class CheckedAddress:
    """An address that may be dialled: ip as text, port, and the socket family that reaches it."""

    family: socket.AddressFamily
    ip: str
    port: int


def resolve_allowed(
    host: str, port: int, policy: NetworkPolicy, *, timeout_seconds: float = RESOLVE_TIMEOUT_SECONDS
) -> list[CheckedAddress]:
    """Give the addresses of a host, all of them allowed, in the resolver's order.

    One forbidden address refuses the whole name: which of them would be dialled is the attacker's choice.
    Raises HostInvalid, HostNotAllowed, NameUnknown or NameLookupFailed.
    """
    if not 0 < port < 65536:
        raise errors.HostInvalid(errors.HostInvalid.MSGID, {"host": f"{host}:{port}"})
    name, address = spell_host(host)
    names, networks = _allowed(policy)
    addresses = [address] if address is not None else _resolve(name, host, names, networks, timeout_seconds)
    if name not in names:
        for found in addresses:
            if is_forbidden(found) and not any(found in network for network in networks):
                raise errors.HostNotAllowed(errors.HostNotAllowed.MSGID, {"host": host})
    return [
        CheckedAddress(
            family=socket.AF_INET if found.version == 4 else socket.AF_INET6,
            ip=str(found),
            port=port,
        )
        for found in addresses
    ]


def spell_host(host: str) -> tuple[str, IPAddress | None]:
    """Give the host as the resolver will see it: lower case, IDNA, no trailing dot; and its address if it is one.

    Numbers are read as the system's resolver reads them: 127.1, 0x7f000001, 017700000001, 0. Raises HostInvalid for
    ports, brackets, schemes, users, zones, spaces, controls, and letters that only look like others (NFKC).
    """
    invalid = errors.HostInvalid(errors.HostInvalid.MSGID, {"host": _printable(host)})
    if not host or len(host) > 254 or unicodedata.normalize("NFKC", host) != host:
        raise invalid
    name = host.lower()
    if ":" in name:
        if "%" in name:
            raise invalid
        try:
            return name, ipaddress.IPv6Address(name)
        except ValueError:
            raise invalid from None
    name = name.removesuffix(".")
    if not name.isascii():
        try:
            name = idna.encode(name, std3_rules=True).decode("ascii")
        except (idna.IDNAError, UnicodeError):
            raise invalid from None
    labels = name.split(".")
    if len(name) > 253 or not all(_LABEL.match(label) for label in labels):
        raise invalid
    if not _NUMERIC_LABEL.match(labels[-1]):
        return name, None
    try:
        return name, ipaddress.IPv4Address(socket.inet_aton(name))
    except OSError:
        raise invalid from None


def is_forbidden(address: IPAddress) -> bool:
    """Whether an address lies in a range that needs the administrator's permission."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64_LOCAL or address.is_site_local:
            return True
        return any(map(_is_internal, _embedded(address))) or _is_internal(address)
    return _is_internal(address)


def _is_internal(address: IPAddress) -> bool:
    return not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified


def _embedded(address: ipaddress.IPv6Address) -> list[ipaddress.IPv4Address]:
    """The IPv4 addresses that a packet to this IPv6 address may end up at."""
    low = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    found = [low] if address in _V4_COMPATIBLE or address in _NAT64 else []
    if (int(address) >> 32) & 0xFFFFFFFF in _ISATAP:
        found.append(low)
    if address.ipv4_mapped is not None:
        found.append(address.ipv4_mapped)
    if address.sixtofour is not None:
        found.append(address.sixtofour)
    if address.teredo is not None:
        found.extend(address.teredo)
    return found


def _allowed(policy: NetworkPolicy) -> tuple[frozenset[str], list[IPNetwork]]:
    names, networks = set(), []
    for entry in policy.hosts_allow:
        try:
            networks.append(ipaddress.ip_network(entry.strip(), strict=False))
        except ValueError:
            names.add(entry.strip().lower().removesuffix("."))
    return frozenset(names), networks


def _resolve(
    name: str, host: str, names: frozenset[str], networks: list[IPNetwork], timeout_seconds: float
) -> list[IPAddress]:
    """Ask the system's resolver, on a thread of its own: it knows no deadline (RFC 6761: localhost needs no asking)."""
    if name.split(".")[-1] == "localhost" and name not in names and not networks:
        raise errors.HostNotAllowed(errors.HostNotAllowed.MSGID, {"host": host})
    answers: queue.SimpleQueue[list[str] | OSError | UnicodeError] = queue.SimpleQueue()

    def ask() -> None:
        try:
            found = socket.getaddrinfo(name, None, type=socket.SOCK_STREAM)
            answers.put([str(entry[4][0]) for entry in found])
        except (OSError, UnicodeError) as error:
            answers.put(error)

    threading.Thread(target=ask, name="resolve", daemon=True).start()
    try:
        answer = answers.get(timeout=timeout_seconds)
    except queue.Empty:
        raise errors.NameLookupFailed(errors.NameLookupFailed.MSGID, {"host": host}) from None
    if isinstance(answer, socket.gaierror) and answer.errno == socket.EAI_AGAIN and not name.endswith(".invalid"):
        raise errors.NameLookupFailed(errors.NameLookupFailed.MSGID, {"host": host}) from answer
    if isinstance(answer, (OSError, UnicodeError)) or not answer:
        raise errors.NameUnknown(errors.NameUnknown.MSGID, {"host": host})
    return list(dict.fromkeys(ipaddress.ip_address(text.partition("%")[0]) for text in answer))


def _printable(host: str) -> str:
    """The host for a sentence: short, nothing unprintable."""
    return "".join(char if char.isprintable() else "�" for char in host[:80])
