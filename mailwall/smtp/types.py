"""What we hand to an SMTP server and what it tells us, as types."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Mail:
    """One mail to be handed over. sender, receivers: envelope addresses. raw: without Bcc, any line ends."""

    sender: str
    receivers: tuple[str, ...]
    raw: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """Why one receiver was not accepted: the server's status and words."""

    status: int
    words: str

    @property
    def permanent(self) -> bool:
        """5xx: asking again is of no use."""
        return self.status >= 500


@dataclass(frozen=True, slots=True, kw_only=True)
class SubmitResult:
    """A mail that the server took over. refused: receivers that do not get it."""

    accepted: tuple[str, ...]
    refused: Mapping[str, Refusal]
