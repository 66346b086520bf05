"""Files streamed from the mail server: the right bytes, or an error that cannot be taken for a file."""

from __future__ import annotations

import base64
import io
import random
import threading
import tracemalloc
import zipfile

import pytest
from django.db import connection as db

from mailwall.email_accounts import places
from mailwall.email_accounts.models import EmailAccount, State
from mailwall.mailstore.models import Attachment, Message
from mailwall.sync import attachments, connections, services
from mailwall.sync.errors import GoneFromServer, MailServerTimeout, MailServerUnreachable, NoSuchFile
from mailwall.sync.models import Folder, Placement
from mailwall.sync.responses import file_response
from tests.cast import make_user
from tests.rig.fixtures import Mailbox
from tests.rig.proxy import Proxy

pytestmark = pytest.mark.live

BINARY = bytes(range(256)) * 40


def parts(*bodies: tuple[str, bytes], message_id: str = "<raw@x.example>") -> bytes:
    """multipart/mixed by hand: a text, then (headers, body as on the wire) of each part."""
    head = (
        "From: ewa@kwiat.example\r\nTo: alice@example.org\r\nSubject: Raw\r\n"
        f"Message-ID: {message_id}\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"
    ).encode()
    body = b"--b\r\nContent-Type: text/plain\r\n\r\nText\r\n"
    for headers, raw in bodies:
        body += b"--b\r\n" + headers.encode() + b"\r\n\r\n" + raw + b"\r\n"
    return head + body + b"--b--\r\n"


def b64(raw: bytes) -> bytes:
    return base64.encodebytes(raw).replace(b"\n", b"\r\n").rstrip()


def pdf(name: str, raw: bytes) -> tuple[str, bytes]:
    headers = "Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment"
    return f"{headers}; filename={name}", b64(raw)


def fetch(account: EmailAccount, filename: str = "", viewer=None) -> bytes:
    found = Attachment.objects.filter(message__account=account, **({"filename": filename} if filename else {})).get()
    return b"".join(attachments.open_attachment(viewer or account.owner, found.message_id, found.pk).chunks)


def test_any_encoding_gives_the_bytes_that_were_sent(account, mailbox: Mailbox):
    files = {
        "a.bin": ("Content-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64", b64(BINARY), BINARY),
        "blank.bin": (
            "Content-Type: application/x-a\r\nContent-Transfer-Encoding: BASE64",
            b64(BINARY).replace(b"\r\n", b"\r\n\r\n", 3),
            BINARY,
        ),
        "q.csv": (
            "Content-Type: text/csv\r\nContent-Transfer-Encoding: quoted-printable",
            b"za=C5=BC=C3=B3=\r\n=C5=82=C4=87;b\r\n1;2",
            "zażółć;b\r\n1;2".encode(),
        ),
        "l.csv": ("Content-Type: text/csv\r\nContent-Transfer-Encoding: 8bit", b"Stra\xdfe", b"Stra\xdfe"),
        "seven.txt": ("Content-Type: text/plain", b"seven\r\n.dot\r\nend", b"seven\r\n.dot\r\nend"),
        "empty.pdf": ("Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64", b"", b""),
        "mail.eml": ("Content-Type: message/rfc822", b"Subject: In\r\n\r\nInner", b"Subject: In\r\n\r\nInner"),
    }
    shown = "\r\nContent-Disposition: attachment; filename="
    mailbox.deliver(parts(*((headers + shown + name, raw) for name, (headers, raw, _) in files.items())))
    services.sync_account(account.pk)
    assert set(Attachment.objects.values_list("filename", flat=True)) == set(files)
    for name, (_, _, wanted) in files.items():
        assert fetch(account, name) == wanted, name


def test_nested_parts_give_the_right_bytes(account, mailbox: Mailbox):
    inner = parts(pdf("deep.pdf", b"%PDF deep" * 99)).split(b"MIME-Version: 1.0\r\n")[1]
    headers, body = inner.replace(b"boundary=b", b"boundary=c").replace(b"--b", b"--c").split(b"\r\n\r\n", 1)
    mailbox.deliver(parts((headers.decode(), body), pdf("top.pdf", b"top")))
    services.sync_account(account.pk)
    assert fetch(account, "deep.pdf") == b"%PDF deep" * 99
    assert fetch(account, "top.pdf") == b"top"


def test_a_mail_that_is_nothing_but_a_file(account, mailbox: Mailbox):
    raw = (
        b"From: ewa@kwiat.example\r\nSubject: Scan\r\nMessage-ID: <scan@x.example>\r\nMIME-Version: 1.0\r\n"
        b"Content-Type: application/pdf; name=scan.pdf\r\nContent-Transfer-Encoding: base64\r\n\r\n"
        + b64(BINARY)
        + b"\r\n"
    )
    mailbox.deliver(raw)
    services.sync_account(account.pk)
    assert fetch(account, "scan.pdf") == BINARY


def test_a_moved_mail_is_found_again_also_in_a_folder_made_meanwhile(account, mailbox: Mailbox):
    uid = mailbox.deliver(parts(pdf("a.pdf", BINARY)))
    services.sync_account(account.pk)
    with mailbox.dovecot.client(mailbox.address) as client:
        client.create('"Made later"')
        client.select("INBOX")
        client.uid("MOVE", str(uid), '"Made later"')
    assert fetch(account) == BINARY
    assert Placement.objects.filter(folder__name="Made later").exists()
    assert Message.objects.get().on_server


def test_a_deleted_mail_is_gone_before_and_after_the_next_synchronisation(account, mailbox: Mailbox):
    uid = mailbox.deliver(parts(pdf("a.pdf", BINARY)))
    services.sync_account(account.pk)
    mailbox.dovecot.expunge(mailbox.address, [uid])
    for _ in range(2):
        with pytest.raises(GoneFromServer) as told:
            fetch(account)
        assert (told.value.status, told.value.code) == (410, "gone_from_server")
        services.sync_account(account.pk)
    assert not Message.objects.get().on_server


def test_other_mail_under_the_same_uid_is_never_taken_for_it(account, mailbox: Mailbox):
    mailbox.deliver(parts(pdf("a.pdf", b"A" * 5000), message_id="<a@x.example>"))
    mailbox.deliver(parts(pdf("a.pdf", b"B" * 5000), message_id="<b@x.example>"))
    services.sync_account(account.pk)
    first, second = Placement.objects.order_by("uid")
    Placement.objects.all().delete()
    Placement.objects.create(folder=first.folder, uidvalidity=first.uidvalidity, uid=second.uid, message=first.message)
    Folder.objects.update(uidvalidity=1)
    Placement.objects.update(uidvalidity=1)
    found = Attachment.objects.get(message=first.message)
    assert b"".join(attachments.open_attachment(account.owner, found.message_id, found.pk).chunks) == b"A" * 5000


def test_what_the_viewer_may_not_see_is_not_there(connect, mailbox: Mailbox):
    account = connect(mailbox, visibility="owner")
    mailbox.deliver(parts(pdf("a.pdf", BINARY)))
    services.sync_account(account.pk)
    stranger = make_user("dave@ours.example", "admin")
    found = Attachment.objects.get()
    for opened in (
        lambda: attachments.open_attachment(stranger, found.message_id, found.pk),
        lambda: attachments.open_original(stranger, found.message_id),
        lambda: attachments.open_zip(stranger, found.message_id),
        lambda: attachments.open_attachment(account.owner, found.message_id, found.pk + 1),
        lambda: attachments.open_attachment(account.owner, found.message_id + 1, found.pk),
    ):
        with pytest.raises(NoSuchFile):
            opened()


def test_a_server_that_is_down_or_refuses_is_told_before_the_first_byte(connect, mailbox: Mailbox):
    mailbox.deliver(parts(pdf("a.pdf", BINARY)))
    account = connect(mailbox)
    services.sync_account(account.pk)
    EmailAccount.objects.update(imap_port=1)
    with pytest.raises(MailServerUnreachable) as told:
        fetch(account)
    assert (told.value.status, told.value.code) == (502, "mail_server_unreachable")
    EmailAccount.objects.update(state=State.NEEDS_SIGN_IN)
    with pytest.raises(MailServerUnreachable, match="cannot sign in"):
        fetch(account)


def test_a_silent_server_ends_in_time(connect, mailbox: Mailbox, impatient):
    mailbox.deliver(parts(pdf("a.pdf", BINARY)))
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        proxy.black_hole = True
        with pytest.raises(MailServerTimeout) as told:
            fetch(account)
        proxy.black_hole = False
    assert told.value.status == 504


def test_a_cut_in_the_middle_is_an_error_never_a_short_file(connect, mailbox: Mailbox):
    raw = random.Random(1).randbytes(3_000_000)
    mailbox.deliver(parts(pdf("big.pdf", raw)))
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        found = Attachment.objects.get()
        proxy.cut_after = proxy.to_client + 2_000_000
        download = attachments.open_attachment(account.owner, found.message_id, found.pk)
        with pytest.raises(MailServerUnreachable):
            list(download.chunks)
        assert fetch(account) == raw


def test_a_large_file_streams_in_constant_memory(account, mailbox: Mailbox):
    raw = random.Random(2).randbytes(30_000_000)
    mailbox.deliver(parts(pdf("big.pdf", raw)))
    services.sync_account(account.pk)
    found = Attachment.objects.get()
    tracemalloc.start()
    size = sum(len(chunk) for chunk in attachments.open_attachment(account.owner, found.message_id, found.pk).chunks)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert size == 30_000_000 and peak < 8_000_000


def test_no_more_than_two_connections_of_an_account_download_at_once(connect, mailbox: Mailbox):
    raw = random.Random(3).randbytes(2_000_000)
    mailbox.deliver(parts(pdf("big.pdf", raw)))
    with Proxy(mailbox.dovecot.port) as proxy:
        account = connect(mailbox, port=proxy.port)
        services.sync_account(account.pk)
        found = Attachment.objects.get()
        open_now, most, right = [], [], []
        real = attachments.open_session

        def counted(*arguments, **options):
            open_now.append(1)
            most.append(len(open_now))
            session = real(*arguments, **options)
            close = session.close
            session.close = lambda: (close(), open_now.pop())
            return session

        def work():
            download = attachments.open_attachment(account.owner, found.message_id, found.pk)
            right.append(b"".join(download.chunks) == raw)
            db.close()

        attachments.open_session = counted
        try:
            threads = [threading.Thread(target=work) for _ in range(6)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
        finally:
            attachments.open_session = real
    assert right == [True] * 6 and max(most) <= places.PER_ACCOUNT


def test_a_download_that_is_given_up_frees_its_place(account, mailbox: Mailbox):
    mailbox.deliver(parts(pdf("big.pdf", random.Random(4).randbytes(2_000_000))))
    services.sync_account(account.pk)
    found = Attachment.objects.get()
    for _ in range(4):
        download = attachments.open_attachment(account.owner, found.message_id, found.pk)
        next(download.chunks)
        download.chunks.close()
    with (
        connections.download_slot(account.pk, wait_seconds=0),
        connections.download_slot(account.pk, wait_seconds=0),
        pytest.raises(MailServerTimeout),
        connections.download_slot(account.pk, wait_seconds=0.1),
    ):
        pass


def test_the_original_is_the_mail_as_it_was_sent(account, mailbox: Mailbox):
    raw = parts(pdf("a.pdf", BINARY))
    mailbox.deliver(raw)
    services.sync_account(account.pk)
    Message.objects.update(subject="Invoice 2026/114")
    download = attachments.open_original(account.owner, Message.objects.get().pk)
    assert b"".join(download.chunks) == raw
    assert download.filename == "Invoice 2026-114.eml"


def test_all_files_come_in_one_archive_with_names_of_their_own(account, mailbox: Mailbox):
    mailbox.deliver(parts(pdf("a.pdf", b"one"), pdf("a.pdf", b"two" * 100_000), pdf('"../żółw.pdf"', b"three")))
    services.sync_account(account.pk)
    download = attachments.open_zip(account.owner, Message.objects.get().pk)
    with zipfile.ZipFile(io.BytesIO(b"".join(download.chunks))) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["a.pdf", "a (2).pdf", "żółw.pdf"]
        assert archive.read("a (2).pdf") == b"two" * 100_000


def test_downloading_changes_nothing_on_the_server(account, mailbox: Mailbox):
    mailbox.deliver(parts(pdf("a.pdf", BINARY)))
    before = mailbox.dovecot.flags(mailbox.address)
    services.sync_account(account.pk)
    fetch(account)
    assert mailbox.dovecot.flags(mailbox.address) == before


@pytest.mark.parametrize("kind", ["text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "text/javascript"])
def test_the_answer_is_saved_never_run(kind):
    response = file_response(attachments.Download(filename='żółw".pdf', content_type=kind, chunks=iter([b"x"])))
    assert response["Content-Type"] == "application/octet-stream"
    assert response["Content-Disposition"] == (
        "attachment; filename=\"???w_.pdf\"; filename*=UTF-8''%C5%BC%C3%B3%C5%82w%22.pdf"
    )
    assert response["X-Content-Type-Options"] == "nosniff" and not response.has_header("Content-Length")
