"""From an account's row to what the edges need: server settings with the opened password; and the connection test."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import cast

from django.conf import settings

from mailwall.email_accounts import trials
from mailwall.email_accounts.errors import ConnectionFailed
from mailwall.email_accounts.models import EmailAccount
from mailwall.imap.check import check_connection as check_imap
from mailwall.net import guard
from mailwall.net.errors import DialError, HostInvalid, HostNotAllowed
from mailwall.net.types import NetworkPolicy, Security, ServerSettings, Stage
from mailwall.smtp.check import check_connection as check_smtp
from mailwall.team.models import User
from mailwall.web import secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Servers:
    """Which of an account's servers are meant."""

    imap: bool
    smtp: bool


def network_policy() -> NetworkPolicy:
    """Where this installation may connect to and whom it trusts."""
    return NetworkPolicy(hosts_allow=tuple(settings.MAIL_HOSTS_ALLOW), ca_file=settings.MAIL_CA_FILE)


def imap_settings(account: EmailAccount) -> ServerSettings:
    """How to reach the account's IMAP server.

    :raises mailwall.web.secrets.SecretUnreadable: the stored password does not open with this installation's key.
    """
    return ServerSettings(
        host=account.imap_host,
        port=account.imap_port,
        security=cast(Security, account.imap_security),
        username=account.imap_username,
        password=secrets.unseal(account.sealed_imap_password, bound_to=f"{account.secret_id}:imap"),
        policy=network_policy(),
    )


def smtp_settings(account: EmailAccount) -> ServerSettings | None:
    """How to reach the account's SMTP server, None when it only receives.

    :raises mailwall.web.secrets.SecretUnreadable: as imap_settings.
    """
    if not account.smtp_host:
        return None
    sealed, purpose = account.sealed_smtp_password, "smtp"
    if account.smtp_same_password:
        sealed, purpose = account.sealed_imap_password, "imap"
    return ServerSettings(
        host=account.smtp_host,
        port=account.smtp_port or 465,
        security=cast(Security, account.smtp_security or "tls"),
        username=account.smtp_username or account.imap_username,
        password=secrets.unseal(sealed, bound_to=f"{account.secret_id}:{purpose}"),
        policy=network_policy(),
    )


def check(actor: User, account: EmailAccount, servers: Servers) -> Iterator[Stage]:
    """Test connection, stage by stage; SMTP, whose stages begin with `smtp_`, follows when IMAP is green.

    Changes nothing on the servers. A closed iterator closes the connection.

    :raises mailwall.web.secrets.SecretUnreadable: the stored password does not open.
    :raises TooManyTrials: the actor had too many in vain.
    """
    trials.require_patience(actor)
    dialled, works = "", False
    try:
        for stage in _stages(account, servers):
            if stage.stage.endswith("connect") and stage.ok is not None:
                dialled = account.imap_host if stage.stage == "connect" else account.smtp_host
            works = stage.ok is True
            yield stage
    finally:  # also when nobody waits for the end
        if dialled and not works:
            trials.note_failure(actor, dialled)


def _stages(account: EmailAccount, servers: Servers) -> Iterator[Stage]:
    works = True
    if servers.imap:
        for stage in check_imap(imap_settings(account)):
            works = works and stage.ok is True
            yield stage
    smtp = smtp_settings(account) if servers.smtp else None
    if smtp is not None:
        for stage in check_smtp(smtp) if works else ():
            yield replace(stage, stage=f"smtp_{stage.stage}")


def require(actor: User, account: EmailAccount, servers: Servers, *, verify: bool) -> None:
    """Ask the servers, or without `verify` at least the network policy, before something is saved.

    :raises ConnectionFailed: with the code and the sentence of the first stage that failed. :raises TooManyTrials:
    """
    if not verify:
        _require_allowed_hosts(account, servers)
        return
    try:
        for stage in check(actor, account, servers):
            if stage.ok is False:
                raise ConnectionFailed(
                    stage.msgid or stage.message, stage.params, code=stage.code, details=stage.details
                )
    except secrets.SecretUnreadable as error:
        raise ConnectionFailed(error.message, {}, code=error.code) from error


def _require_allowed_hosts(account: EmailAccount, servers: Servers) -> None:
    hosts = [(account.imap_host, account.imap_port)] if servers.imap else []
    hosts += [(account.smtp_host, account.smtp_port or 465)] if servers.smtp else []
    for host, port in hosts:
        try:
            guard.resolve_allowed(host, port, network_policy())
        except (HostInvalid, HostNotAllowed) as error:
            raise ConnectionFailed(error.msgid, error.params, code=error.code) from error
        except DialError:
            continue  # no such name today: nothing is dialled now, and later the guard asks again
