"""The rig's servers."""

from __future__ import annotations

from tests.rig.fixtures import authority, dovecot, mailbox

__all__ = ["authority", "dovecot", "mailbox"]
