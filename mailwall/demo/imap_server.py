"""An IMAP server on loopback: pymap in memory, each mail on disk as well, so that uids outlive a restart."""

from __future__ import annotations

from argparse import Namespace
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from pathlib import Path

from pymap.backend.dict import Config, DictBackend, Login
from pymap.backend.dict import mailbox as memory
from pymap.backend.dict.filter import FilterSet
from pymap.imap import IMAPService
from pymap.parsing.message import AppendMessage
from pymap.user import Passwords, UserMetadata

from mailwall.demo import mail_store

UIDVALIDITY = 1


class Mailbox(memory.MailboxData):
    """A folder whose mails are files too."""

    def __init__(self, content_cache: memory._ContentCache, thread_cache: memory._ThreadCache) -> None:
        super().__init__(content_cache, thread_cache)
        self._uid_validity = UIDVALIDITY
        self._max_uid = 0
        self._place: tuple[Path, str, str] | None = None

    async def fill(self, root: Path, address: str, folder: str) -> None:
        """Take in what the disk has; from now on keep there what comes."""
        for stored in mail_store.read(root, address, folder):
            self._max_uid = stored.uid - 1
            await super().append(AppendMessage(stored.raw, stored.internaldate, frozenset()))
        self._place = root, address, folder

    async def append(self, append_msg: AppendMessage, *, recent: bool = False) -> memory.Message:
        message = await super().append(append_msg, recent=recent)
        if self._place:
            when = append_msg.when or datetime.now(UTC)
            mail_store.add(*self._place, append_msg.literal, when, uid=message.uid)
        return message


class Mailboxes(memory.MailboxSet):
    """The folders of one address."""

    def __init__(self) -> None:
        super().__init__()
        self._inbox = Mailbox(self._content_cache, self._thread_cache)
        others = (name for name in mail_store.FOLDERS if name != mail_store.INBOX)
        self._set = {name: Mailbox(self._content_cache, self._thread_cache) for name in others}

    async def fill(self, root: Path, address: str) -> None:
        for name in mail_store.FOLDERS:
            folder = await self.get_mailbox(name)
            assert isinstance(folder, Mailbox)
            await folder.fill(root, address, name)

    async def deliver(self, raw: bytes, now: datetime) -> None:
        """New mail for the INBOX; who idles there hears of it."""
        inbox = await self.get_mailbox(mail_store.INBOX)
        await inbox.append(AppendMessage(raw, now, frozenset()), recent=True)


async def start(
    stack: AsyncExitStack, root: Path, addresses: list[str], *, password: str, port: int
) -> dict[str, Mailboxes]:
    """Serve until the stack closes; gives the mailboxes by address, to deliver into."""
    args = Namespace(
        host="127.0.0.1", port=port, debug=False, cert=None, key=None, tls=False, passlib_cfg=None,
        proxy_protocol=None, inherited_sockets=None, demo_data=False, demo_user="", demo_password="",
    )  # fmt: skip
    config = Config.from_args(args)
    config.apply_context()
    login = Login(config)
    hashed = await Passwords(config).hash_password(password)
    boxes = {}
    for address in addresses:
        login.users_dict[address] = UserMetadata(config, address, password=hashed)
        boxes[address] = Mailboxes()
        await boxes[address].fill(root, address)
        config.set_cache[address] = (boxes[address], FilterSet())
    await IMAPService(DictBackend(login, config), config).start(stack)
    return boxes
