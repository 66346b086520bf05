"""The real servers for this room's tests."""

from __future__ import annotations

from tests.rig.fixtures import authority, smtp_sink

__all__ = ["authority", "smtp_sink"]
