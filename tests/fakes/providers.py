"""Mail providers with what each does its own way, as reported by those who met it. Real ones need real accounts."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime

from tests.fakes import mail_parts
from tests.fakes.imap_server import Connection, Folder, ImapServer, Mail, Refused
from tests.fakes.mail_parts import string


class Gmail(ImapServer):
    """Labels are folders, All Mail has everything once more, fifteen connections, changes but no QRESYNC.

    deliver() into a label puts the mail into All Mail as well; what is deleted from a label stays there.
    """

    greeting = b"* OK Gimap ready for requests from 127.0.0.1 t1mb97000802yxn"
    capabilities_before = (
        b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 XYZZY SASL-IR AUTH=XOAUTH2 AUTH=PLAIN "
        b"AUTH=PLAIN-CLIENTTOKEN AUTH=OAUTHBEARER"
    )
    capabilities = (
        b"IMAP4rev1 UNSELECT IDLE NAMESPACE QUOTA ID XLIST CHILDREN X-GM-EXT-1 UIDPLUS COMPRESS=DEFLATE ENABLE MOVE "
        b"CONDSTORE ESEARCH UTF8=ACCEPT LIST-EXTENDED LIST-STATUS LITERAL- SPECIAL-USE APPENDLIMIT=35651584"
    )
    all_mail, sent = b"[Gmail]/Wszystkie", b"[Gmail]/Wys&AUI-ane"
    folders_at_first = (
        (b"INBOX", b"\\HasNoChildren"),
        (b"Klienci", b"\\HasNoChildren"),
        (b"[Gmail]", b"\\HasChildren \\Noselect"),
        (all_mail, b"\\All \\HasNoChildren"),
        (sent, b"\\HasNoChildren \\Sent"),
        (b"[Gmail]/Wa&AXw-ne", b"\\HasNoChildren \\Important"),
        (b"[Gmail]/Kosz", b"\\HasNoChildren \\Trash"),
        (b"[Gmail]/Spam", b"\\HasNoChildren \\Junk"),
    )
    max_connections = 15
    refuses_normal_passwords = False

    def login(self, connection: Connection, user: bytes, password: bytes) -> None:
        if self.refuses_normal_passwords:
            url = b"https://support.google.com/accounts/answer/185833"
            raise Refused(b"NO [ALERT] Application-specific password required: %b (Failure)" % url)
        if self.max_connections < self.open:
            raise Refused(b"NO [ALERT] Too many simultaneous connections. (Failure)")
        super().login(connection, user, password)

    def put(self, folder: bytes, raw: bytes, internaldate: datetime) -> int:
        known = {mail.raw for mail in self.folders[self.all_mail].mails.values()}
        if raw not in known:
            self.folders[self.all_mail].add(raw, internaldate)
        return super().put(folder, raw, internaldate)

    def status_items(self, folder: Folder) -> list[tuple[bytes, int]]:
        return [*super().status_items(folder), (b"HIGHESTMODSEQ", folder.modseq)]

    def opened(self, folder: Folder) -> Iterator[bytes]:
        yield from super().opened(folder)
        yield b"* OK [UIDNEXT %d] Predicted next UID." % folder.uidnext
        yield b"* OK [HIGHESTMODSEQ %d]" % folder.modseq

    def list(self, wanted: bytes) -> Iterator[bytes]:
        """LIST-STATUS too (RFC 5819)."""
        names = re.findall(rb'"([^"]+)"', wanted.partition(b"RETURN (STATUS")[0])
        for line, folder in zip(super().list(wanted), self.folders.values(), strict=True):
            if b"STATUS" not in wanted:
                yield line
            elif folder.name in names and b"\\Noselect" not in folder.attributes:
                told = b" ".join(b"%b %d" % item for item in self.status_items(folder))
                yield line
                yield b"* STATUS %b (%b)" % (string(folder.name), told)

    def found(self, tag: bytes, uids: list[int], extended: bool) -> bytes:
        if not extended:
            return super().found(tag, uids, extended)
        return b'* ESEARCH (TAG "%b") UID' % tag + (b" ALL " + b",".join(b"%d" % uid for uid in uids) if uids else b"")


class Exchange(ImapServer):
    """No CONDSTORE, no roles, sizes that are a guess, long commands refused, one mail it cannot render, throttling.

    Long UID sets: nextcloud/mail#6038. Throttling: imapsync#272. guess_bytes: added to every RFC822.SIZE.
    """

    greeting = b"* OK The Microsoft Exchange IMAP4 service is ready. [TABPADQAUABSADMAOQAu]"
    capabilities = (
        b"IMAP4 IMAP4rev1 AUTH=PLAIN AUTH=XOAUTH2 SASL-IR UIDPLUS ID UNSELECT CHILDREN IDLE NAMESPACE LITERAL+"
    )
    folders_at_first = tuple(
        (name, b"\\Marked \\HasNoChildren")
        for name in (b"INBOX", b"Calendar", b"Contacts", b"Deleted Items", b"Drafts", b"Junk Email", b"Sent Items")
    )
    max_command_bytes = 8000
    guess_bytes = 137
    throttled = 0

    def fetch(self, folder: Folder, uids: list[int], items: list[bytes], modifiers: bytes) -> Iterator[bytes]:
        if self.throttled:
            self.throttled -= 1
            raise Refused(b"BAD Request is throttled. Suggested Backoff Time: 299961 milliseconds")
        poison = [uid for uid in uids if uid in folder.mails and b"X-Poison:" in folder.mails[uid].raw]
        if poison and b"BODYSTRUCTURE" in items:
            raise Refused(b"NO The requested message could not be converted to an RFC-822 compatible format.")
        return super().fetch(folder, uids, items, modifiers)

    def size(self, mail: Mail) -> int:
        return super().size(mail) + self.guess_bytes

    def structure(self, mail: Mail) -> bytes:
        """Part sizes are guesses as well; nothing is told of an attached mail."""
        raw = mail_parts.structure(mail.part, nested=False)
        return re.sub(rb'(?<="(?:8bit|7bit)" )(\d+)', lambda found: b"%d" % (int(found[1]) + 3), raw)


class ICloud(ImapServer):
    """OK without a body to RFC822 and, at first, to a section; VANISHED that names mail which is still there.

    modern-email/defects#36, Foundry376/Mailspring-Sync#91.
    """

    capabilities = (
        b"XAPPLEPUSHSERVICE IMAP4 IMAP4rev1 ACL QUOTA LITERAL+ NAMESPACE UIDPLUS CHILDREN BINARY UNSELECT LANGUAGE "
        b"CONDSTORE ENABLE WITHIN XSENDER X-NETSCAPE XSERVERINFO ID IDLE QRESYNC"
    )
    greeting = b"* OK [CAPABILITY IMAP4 IMAP4rev1 SASL-IR AUTH=ATOKEN AUTH=PLAIN] iSCREAM ready to rumble"
    folders_at_first = tuple(
        (name, b"") for name in (b"INBOX", b"Notes", b"Sent Messages", b"Deleted Messages", b"Junk", b"Archive")
    )

    def __init__(self) -> None:
        super().__init__()
        self._asked_once: set[tuple[int, bytes]] = set()

    def status_items(self, folder: Folder) -> list[tuple[bytes, int]]:
        return [*super().status_items(folder), (b"HIGHESTMODSEQ", folder.modseq)]

    def opened(self, folder: Folder) -> Iterator[bytes]:
        yield from super().opened(folder)
        yield b"* OK [UIDNEXT %d] Predicted next UID" % folder.uidnext
        yield b"* OK [HIGHESTMODSEQ %d] Highest" % folder.modseq

    def fetch(self, folder: Folder, uids: list[int], items: list[bytes], modifiers: bytes) -> Iterator[bytes]:
        since = re.search(rb"CHANGEDSINCE (\d+)", modifiers)
        if since is None:
            yield from super().fetch(folder, uids, items, modifiers)
            return
        gone = [uid for uid, modseq in folder.gone.items() if modseq > int(since[1])]
        wrong = sorted(folder.mails)[: len(gone)]
        if wrong:
            yield b"* VANISHED (EARLIER) " + b",".join(b"%d" % uid for uid in wrong)
        changed = [uid for uid in uids if folder.mails[uid].modseq > int(since[1])]
        yield from super().fetch(folder, changed, items, b"")

    def body(self, mail: Mail, item: bytes) -> list[bytes]:
        if item in (b"RFC822", b"RFC822.TEXT"):
            return []
        asked = (mail.uid, item)
        if re.match(rb"BODY\.PEEK\[\d", item) and asked not in self._asked_once:
            self._asked_once.add(asked)
            return []
        return super().body(mail, item)


class Yahoo(ImapServer):
    """SEARCH is broken for good, sign-in now and then, and who reads much is told to read less.

    mscdex/node-imap#737, imapsync#119. limit: mails that may be read before [LIMIT], once.
    """

    greeting = (
        b"* OK [CAPABILITY IMAP4rev1 SASL-IR AUTH=PLAIN AUTH=XOAUTH2 AUTH=OAUTHBEARER ID MOVE NAMESPACE "
        b"XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN X-MSG-EXT OBJECTID] IMAP4rev1 Hello"
    )
    capabilities = b"IMAP4rev1 ID MOVE NAMESPACE XYMHIGHESTMODSEQ UIDPLUS LITERAL+ CHILDREN X-MSG-EXT OBJECTID"
    folders_at_first = (
        (b"Archive", b"\\Archive \\HasNoChildren"),
        (b"Bulk", b"\\Junk \\HasNoChildren"),
        (b"Draft", b"\\Drafts \\HasNoChildren"),
        (b"Inbox", b"\\HasNoChildren"),
        (b"Sent", b"\\Sent \\HasNoChildren"),
        (b"Trash", b"\\Trash \\HasNoChildren"),
    )
    limit = 0
    unavailable = 0

    def login(self, connection: Connection, user: bytes, password: bytes) -> None:
        if self.unavailable:
            self.unavailable -= 1
            raise Refused(b"NO [UNAVAILABLE] LOGIN Server error - Please try again later")
        super().login(connection, user, password)

    def search(self, folder: Folder, criteria: bytes) -> list[int]:
        raise Refused(b"NO [SERVERBUG] UID SEARCH Server error - Please try again later")

    def fetch(self, folder: Folder, uids: list[int], items: list[bytes], modifiers: bytes) -> Iterator[bytes]:
        if self.limit and len(uids) >= self.limit and b"BODYSTRUCTURE" in items:
            self.limit = 0
            raise Refused(b"NO [LIMIT] UID FETCH Rate limit hit.")
        poison = [uid for uid in uids if uid in folder.mails and b"X-Poison:" in folder.mails[uid].raw]
        if poison and len(items) > 4:
            raise Refused(b"NO [UNAVAILABLE] UID FETCH Server error while fetching messages")
        return super().fetch(folder, uids, items, modifiers)


EVERY: tuple[type[ImapServer], ...] = (ImapServer, Gmail, Exchange, ICloud, Yahoo)
