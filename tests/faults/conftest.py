"""Fault tests: the engine against a real Dovecot behind the fault proxy, or against a scripted server."""

from __future__ import annotations

from tests.sync.conftest import account, authority, connect, dovecot, impatient, loopback_allowed, mailbox

__all__ = ["account", "authority", "connect", "dovecot", "impatient", "loopback_allowed", "mailbox"]
