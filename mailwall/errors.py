"""The root of every error of ours: sorted by what to do next, not by what broke."""

from __future__ import annotations


class MailwallError(Exception):
    """Something a person or a caller can act on.

    code: stable name for programs (`imap_timeout`); message: one sentence for people, never with a secret;
    retryable: the same call may work later; counts_as_failed_attempt: an account's failed attempts grow by it.
    stage: how far talking to a server had come, where that is known.
    """

    code = "error"
    retryable = False
    counts_as_failed_attempt = False
    stage = ""

    def __init__(self, message: str = "", *, code: str | None = None, details: str = "") -> None:
        super().__init__(message)
        self.message = str(message)
        self.details = details
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        return self.message
