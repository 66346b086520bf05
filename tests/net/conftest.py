"""Certificates for this room's tests."""

from __future__ import annotations

from tests.rig.fixtures import authority

__all__ = ["authority"]
