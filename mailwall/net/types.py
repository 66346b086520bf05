"""What dialling needs to know."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Security = Literal["tls", "starttls", "none"]


@dataclass(frozen=True, slots=True, kw_only=True)
class NetworkPolicy:
    """Where we may connect to and whom we trust.

    hosts_allow: host names, addresses or CIDRs in private, loopback or link-local ranges that may be dialled.
    ca_file: extra trusted certificates (PEM), '' for none.
    """

    hosts_allow: tuple[str, ...] = ()
    ca_file: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerSettings:
    """One mail server and how to sign in. The password is kept out of repr()."""

    host: str
    port: int
    security: Security = "tls"
    username: str = ""
    password: str = ""
    policy: NetworkPolicy = NetworkPolicy()
    connect_timeout_seconds: float = 10.0
    read_timeout_seconds: float = 30.0

    def __repr__(self) -> str:
        return f"ServerSettings({self.security}://{self.host}:{self.port})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """One line of "Test connection": name, connect, encryption, greeting, sign_in, folders.

    ok None: not reached. ms: how long it took. code: '' or a code of the contract (`imap_timeout`). message: a sentence
    with what to do next, = msgid % params for translation. details: the server's own words, secrets masked.
    """

    stage: str
    ok: bool | None
    ms: int = 0
    code: str = ""
    message: str = ""
    details: str = ""
    msgid: str = ""
    params: Mapping[str, Any] = field(default_factory=dict)
