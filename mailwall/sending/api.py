"""REST door of the outbox: /outgoing."""

from __future__ import annotations

from ninja import Router

router = Router()
