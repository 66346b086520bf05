"""Why an operation was not done. The sentence says what to do; what was there before is untouched."""

from __future__ import annotations

from mailwall.errors import MailwallError


class OperationRefused(MailwallError):
    """Nothing was changed."""

    code = "operation_refused"


class BackupUnreadable(OperationRefused):
    """The file is no backup, is damaged or cut off, or was made with another passphrase or key."""

    code = "backup_unreadable"
