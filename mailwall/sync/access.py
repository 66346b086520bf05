"""Who gains and who loses access by a change of an account's visibility or Dashboard switch, told beforehand."""

from __future__ import annotations

from dataclasses import dataclass

from mailwall.email_accounts import queries as account_queries
from mailwall.email_accounts.models import EmailAccount
from mailwall.mailstore.models import Message
from mailwall.team.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessChange:
    """gained, lost: people whose access changes. dashboard: True comes on it, False goes from it, None stays.

    messages: how many it is about (not those narrowed to the owner); None where the viewer may not see them. mark: of
    what was chosen, so that a form knows whether it was told.
    """

    gained: list[User]
    lost: list[User]
    dashboard: bool | None
    messages: int | None
    mark: str

    def __bool__(self) -> bool:
        return bool(self.gained or self.lost or self.dashboard is not None)


def change_of_access(viewer: User, account: EmailAccount, visibility: str, on_dashboard: bool) -> AccessChange:
    """What saving that would mean now."""
    readers = account_queries.readers_by_visibility(account.owner)
    before, after = readers[account.visibility], readers.get(visibility, readers[account.visibility])
    messages = None
    if account_queries.message_accounts(viewer, [account.pk]):
        rows = Message.objects.visible_to(viewer).filter(account=account, only_owner=False)
        messages = rows.count()
    return AccessChange(
        gained=[user for user in after if user not in before],
        lost=[user for user in before if user not in after],
        dashboard=None if on_dashboard == account.on_dashboard else on_dashboard,
        messages=messages,
        mark=f"{visibility}:{int(on_dashboard)}",
    )
