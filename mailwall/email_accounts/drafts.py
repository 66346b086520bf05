"""What somebody typed about an account, and what is wrong with it before any server is asked."""

from __future__ import annotations

import re
import zoneinfo
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, auto
from typing import Final, Literal, TypeAlias, TypeVar

from django.conf import settings
from django.utils import timezone
from django.utils.translation import gettext as _

from mailwall.email_accounts import providers, rules
from mailwall.email_accounts.errors import DraftInvalid
from mailwall.email_accounts.models import SecurityChoice, Store, Visibility
from mailwall.mime.addresses import AddressInvalid, normalize_email
from mailwall.team.models import User

MAX_ALIASES = 50
MAX_ADDRESS_LENGTH = 320
MAX_HOST_LENGTH = 253
MAX_PASSWORD_LENGTH = 1_000
_CONTROL = re.compile("[\x00-\x1f\x7f\ud800-\udfff]")
_APP_PASSWORD = re.compile(r"[a-z]{4}(?:[ \xa0][a-z]{4}){3}", re.IGNORECASE)


class Unset(Enum):
    """The one value that says: leave it as it is."""

    UNSET = auto()


UNSET: Final = Unset.UNSET
T = TypeVar("T")
Maybe: TypeAlias = T | Literal[Unset.UNSET]


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerDraft:
    """One server as typed. port None: the usual one. username '': the address, of SMTP: the one of IMAP.

    password None: the one that is kept. password '' of SMTP: the one of IMAP.
    """

    host: str
    port: int | None = None
    security: str = "tls"
    username: str = ""
    password: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountDraft:
    """An account to be added. owner_id None: whoever adds it. import_since: date, date-time or None (the window)."""

    address: str
    imap: ServerDraft
    owner_id: int | None = None
    aliases: tuple[str, ...] = ()
    smtp: ServerDraft | None = None
    store: str = Store.BOTH
    visibility: str = Visibility.OWNER_AND_MANAGERS
    on_dashboard: bool = True
    import_since: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountChanges:
    """What to change of an account; UNSET leaves a value as it is, smtp None ends sending."""

    address: Maybe[str] = UNSET
    owner_id: Maybe[int | None] = UNSET
    aliases: Maybe[tuple[str, ...]] = UNSET
    imap: Maybe[ServerDraft] = UNSET
    smtp: Maybe[ServerDraft | None] = UNSET
    store: Maybe[str] = UNSET
    visibility: Maybe[str] = UNSET
    on_dashboard: Maybe[bool] = UNSET
    import_since: Maybe[str | None] = UNSET
    sending_active: Maybe[bool] = UNSET
    is_default: Maybe[bool] = UNSET


class Checker:
    """Collects what is wrong, field by field, so that all of it is said at once."""

    def __init__(self) -> None:
        self.errors: list[tuple[str, str]] = []

    def finish(self) -> None:
        """Raise DraftInvalid when anything was wrong."""
        if self.errors:
            raise DraftInvalid(self.errors)

    def wrong(self, name: str, sentence: str) -> None:
        self.errors.append((name, sentence))

    def address(self, name: str, text: str) -> str:
        """The normal form of one address."""
        try:
            address = normalize_email(text)
        except AddressInvalid:
            self.wrong(name, _("Enter an email address such as anna@example.com."))
            return ""
        if len(address) > MAX_ADDRESS_LENGTH:
            self.wrong(name, _("This address is too long."))
            return ""
        return address

    def aliases(self, texts: tuple[str, ...], own: str) -> tuple[str, ...]:
        """The normal forms, each once, without the account's own address."""
        if len(texts) > MAX_ALIASES:
            self.wrong("aliases", _("At most %(limit)d further addresses are possible.") % {"limit": MAX_ALIASES})
            return ()
        found = dict.fromkeys(self.address("aliases", text) for text in texts)
        return tuple(address for address in found if address and address != own)

    def choice(self, name: str, value: str, allowed: type[Store] | type[Visibility] | type[SecurityChoice]) -> str:
        if value not in allowed.values:
            self.wrong(name, _("Choose one of: %(choices)s.") % {"choices": ", ".join(allowed.values)})
        return value

    def server(self, prefix: str, draft: ServerDraft) -> ServerDraft:
        """The server with its port filled in. That the host is one, and allowed, is the network guard's to say."""
        if not draft.host:
            self.wrong(f"{prefix}.host", _("Enter the name of the server."))
        elif len(draft.host) > MAX_HOST_LENGTH:
            self.wrong(f"{prefix}.host", _("This name is too long."))
        port = draft.port if draft.port is not None else usual_port(prefix, draft.security)
        if not 0 < port < 65_536:
            self.wrong(f"{prefix}.port", _("A port is a number from 1 to 65535."))
        self.choice(f"{prefix}.security", draft.security, SecurityChoice)
        if _CONTROL.search(draft.username) or len(draft.username) > MAX_ADDRESS_LENGTH:
            self.wrong(f"{prefix}.username", _("This user name has characters that cannot be sent, or is too long."))
        password = draft.password and tidy_password(draft.password, draft.host)
        if password and (_CONTROL.search(password) or len(password) > MAX_PASSWORD_LENGTH):
            self.wrong(f"{prefix}.password", _("This password has characters that cannot be sent, or is too long."))
        return replace(draft, port=port, password=password)

    def import_since(self, text: str | None, owner: User) -> datetime:
        """From when on messages are imported; days begin in the owner's zone."""
        now = timezone.now()
        try:
            return rules.import_since(text, zone=zone_of(owner), now=now, window_days=settings.IMPORT_WINDOW_DAYS)
        except (ValueError, OverflowError):
            self.wrong("import_since", _("Enter a day or a moment in the past, such as 2026-11-09."))
            return now


def zone_of(user: User) -> zoneinfo.ZoneInfo:
    """The user's time zone, UTC where there is none."""
    try:
        return zoneinfo.ZoneInfo(user.time_zone or "UTC")
    except (zoneinfo.ZoneInfoNotFoundError, ValueError):
        return zoneinfo.ZoneInfo("UTC")


def usual_port(protocol: str, security: str) -> int:
    """993/143 of IMAP, 465/587 of submission (RFC 8314)."""
    if protocol == "imap":
        return 993 if security == "tls" else 143
    return 465 if security == "tls" else 587


def tidy_password(password: str, host: str) -> str:
    """App passwords are shown in groups of four; pasted with those spaces they would be refused."""
    if _APP_PASSWORD.fullmatch(password.strip()) and providers.wants_app_password(host):
        return "".join(password.split())
    return password
