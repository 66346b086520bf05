"""A real Dovecot in the foreground, with its own configuration, folder and loopback ports. Any user, one password."""

from __future__ import annotations

import base64
import imaplib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from pathlib import Path

from tests.rig.certificates import Certificate
from tests.rig.processes import answers, end, free_port, wait_until

MAIL_UID = 5000  # Dovecot refuses to serve mail as root
PASSWORD = "s3cret-Pa55"
_MANY = ("default_client_limit = 20000", "service imap-login {\n  service_count = 0\n  process_min_avail = 1\n}")


class Dovecot:
    """port: plain with STARTTLS where a certificate is given; tls_port: TLS, 0 without one.

    capabilities: replaces what the server offers, '' for its own. compress: offers COMPRESS=DEFLATE. Use as a context
    manager, or call stop().
    """

    def __init__(
        self,
        *,
        certificate: Certificate | None = None,
        capabilities: str = "",
        special_use: bool = True,
        max_connections: int = 500,
        plaintext: bool = True,
        compress: bool = False,
    ) -> None:
        self.base = Path(tempfile.mkdtemp(prefix="dovecot-"))
        self.base.chmod(0o755)
        self.password = PASSWORD
        self.port = free_port()
        self.tls_port = free_port() if certificate else 0
        self._certificate = certificate
        self._capabilities = capabilities
        self._special_use = special_use
        self._max_connections = max_connections
        self._plaintext = plaintext
        self._compress = compress
        mail = self.base / "mail"
        mail.mkdir()
        if os.getuid() == 0:
            os.chown(mail, MAIL_UID, MAIL_UID)
        self._process: subprocess.Popen[bytes] | None = None
        self.start()

    def __enter__(self) -> Dovecot:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        shutil.rmtree(self.base, ignore_errors=True)

    def start(self) -> None:
        """Start, and wait until it answers. Again does nothing."""
        if self._process is not None:
            return
        configuration = self.base / "dovecot.conf"
        configuration.write_text(self._configuration())
        binary = shutil.which("dovecot", path=os.environ.get("PATH", "") + ":/usr/sbin")
        if binary is None:
            raise FileNotFoundError("no dovecot: install the package dovecot-imapd")
        self._process = subprocess.Popen(
            [binary, "-F", "-c", str(configuration)],
            start_new_session=True,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_until(lambda: answers(self.port), seconds=20, what=f"Dovecot does not answer: {self.log()[-500:]}")

    def stop(self) -> None:
        """Stop; the mail stays. Again does nothing."""
        if self._process is not None:
            end(self._process)
            self._process = None

    def change_password(self, password: str) -> None:
        """From now on only this one signs in."""
        self.password = password
        self.stop()
        self.start()

    def log(self) -> str:
        """What the server logged so far."""
        path = self.base / "dovecot.log"
        return path.read_text(errors="replace") if path.exists() else ""

    def deliver(
        self, user: str, raw: bytes, *, folder: str = "INBOX", internaldate: datetime | None = None, flags: str = ""
    ) -> int:
        """Put one message into a folder as a delivery would, creating the folder when needed; gives its uid."""
        with self.client(user) as client:
            if folder != "INBOX":
                client.create(f'"{folder}"')
            when = imaplib.Time2Internaldate(internaldate or datetime.now(UTC))
            status, answer = client.append(f'"{folder}"', flags, when, _with_crlf(raw))
            if status != "OK":
                raise RuntimeError(f"APPEND: {answer!r}")
            return int(answer[0].split(b"]")[0].split()[-1])

    def fill(self, user: str, messages: Iterable[tuple[bytes, datetime]], *, folder: str = "INBOX") -> None:
        """Put many messages into a folder quickly, by writing its maildir: pairs of raw message and internaldate."""
        home = self.base / "mail" / user
        path = home if folder == "INBOX" else home / ("." + folder.replace("/", "."))
        for name in ("cur", "new", "tmp"):
            (path / name).mkdir(parents=True, exist_ok=True)
        batch = time.monotonic_ns()
        for number, (raw, internaldate) in enumerate(messages):
            raw, epoch = _with_crlf(raw), int(internaldate.timestamp())
            file = path / "cur" / f"{epoch}.M{number}P{batch}.rig,S={len(raw)}:2,"
            file.write_bytes(raw)
            os.utime(file, (epoch, epoch))
        if os.getuid() == 0:
            for each in [home, *home.rglob("*")]:
                os.chown(each, MAIL_UID, MAIL_UID)

    def flags(self, user: str, folder: str = "INBOX") -> dict[int, str]:
        """Flags of every message by uid: equal before and after, when reading changed nothing."""
        with self.client(user) as client:
            client.select(f'"{folder}"', readonly=True)
            _, answer = client.uid("FETCH", "1:*", "(FLAGS)")
        found = {}
        for line in answer:
            if isinstance(line, bytes):
                text = line.decode()
                found[int(text.split("UID ")[1].split()[0].strip(")"))] = text.split("FLAGS (")[1].split(")")[0]
        return found

    def expunge(self, user: str, uids: Iterable[int], folder: str = "INBOX") -> None:
        """Delete messages for good, as the user's own mail program would."""
        with self.client(user) as client:
            client.select(f'"{folder}"')
            client.uid("STORE", ",".join(map(str, uids)), "+FLAGS", "(\\Deleted)")
            client.expunge()

    def renumber(self, user: str, *, folder: str = "INBOX", order: Callable[[list[str]], list[str]] = list) -> int:
        """Give the folder another uidvalidity and its mails uids from 1 on, as a rebuilt server does; gives it.

        order: file names of the maildir, in order of their uids, → in the new order; those left out are deleted.
        """
        self.stop()
        home = self.base / "mail" / user
        path = home if folder == "INBOX" else home / ("." + folder.replace("/", "."))
        header, *lines = (path / "dovecot-uidlist").read_text().splitlines()
        before = [line.partition(" :")[2] for line in lines]
        after = order(before)
        uidvalidity = int(header.split()[1][1:]) + 1
        rows = [f"{uid} :{name}" for uid, name in enumerate(after, 1)]
        (path / "dovecot-uidlist").write_text("\n".join([f"3 V{uidvalidity} N{len(after) + 1}", *rows]) + "\n")
        for stale in [*path.glob("dovecot.index*"), *home.glob("dovecot.list.index*")]:
            stale.unlink()
        for name in set(before) - set(after):
            for file in path.glob(f"*/{name.split(':')[0]}*"):
                file.unlink()
        self.start()
        return uidvalidity

    def client(self, user: str) -> imaplib.IMAP4:
        """A signed-in stdlib connection: the other mail program."""
        client = imaplib.IMAP4("127.0.0.1", self.port, timeout=20)
        client.login(user, self.password)
        return client

    def _configuration(self) -> str:
        secret = base64.b64encode(self.password.encode()).decode()
        owner = MAIL_UID if os.getuid() == 0 else os.getuid()
        lines = [
            f"base_dir = {self.base}/run",
            f"log_path = {self.base}/dovecot.log",
            "protocols = imap",
            "listen = 127.0.0.1",
            f"disable_plaintext_auth = {'no' if self._plaintext else 'yes'}",
            "auth_failure_delay = 0",
            "first_valid_uid = 1",
            f"mail_max_userip_connections = {self._max_connections}",
            "mail_fsync = never",
            f"mail_location = maildir:{self.base}/mail/%u",
            f"imap_capability = {self._capabilities}" if self._capabilities else "",
            "namespace inbox {\n  inbox = yes\n  separator = /",
            *(self._mailbox(name) for name in ("Sent", "Drafts", "Trash") if self._special_use),
            "}",
            f"passdb {{\n  driver = static\n  args = password={{PLAIN.b64}}{secret}\n}}",
            f"userdb {{\n  driver = static\n  args = uid={owner} gid={owner} home={self.base}/mail/%u\n}}",
            f"service imap-login {{\n  inet_listener imap {{\n    port = {self.port}\n  }}",
            f"  inet_listener imaps {{\n    port = {self.tls_port}\n    ssl = yes\n  }}\n}}",
            f"service imap {{\n  process_limit = {self._max_connections}\n}}",
            *(_MANY if self._max_connections > 500 else ()),
            "protocol imap {\n  mail_plugins = $mail_plugins imap_zlib\n}" if self._compress else "",
        ]
        if not self._plaintext:
            # loopback counts as secure unless said otherwise
            lines.append("login_trusted_networks =")
        if self._certificate:
            lines += [
                "ssl = yes",
                f"ssl_cert = <{self._certificate.certificate_file}",
                f"ssl_key = <{self._certificate.key_file}",
            ]
        else:
            lines.append("ssl = no")
        return "\n".join(lines) + "\n"

    @staticmethod
    def _mailbox(name: str) -> str:
        return f"  mailbox {name} {{\n    special_use = \\{name}\n    auto = create\n  }}"


def _with_crlf(raw: bytes) -> bytes:
    return raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
