"""From letters of the story to raw mail, with small real files as attachments. Pure."""

from __future__ import annotations

import struct
import zlib
from datetime import datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime, formataddr

from mailwall.demo.story import Correspondent, Letter

_POLICY = policy.SMTP.clone(max_line_length=78)


def raw_mail(letter: Letter) -> bytes:
    """The letter as its receivers get it."""
    mail = _headed(letter.sender, letter.to, letter.subject, letter.message_id, letter.at)
    if letter.cc:
        mail["Cc"] = ", ".join(_shown(person) for person in letter.cc)
    if letter.before:
        mail["In-Reply-To"] = f"<{letter.before[-1]}>"
        mail["References"] = " ".join(f"<{each}>" for each in letter.before)
    for name, value in letter.headers:
        mail[name] = value
    mail.set_content(letter.text + "\n")
    if letter.html:
        mail.add_alternative(letter.html, subtype="html")
    for name in letter.files:
        raw, kind = _file(name, letter)
        maintype, _, subtype = kind.partition("/")
        mail.add_attachment(raw, maintype=maintype, subtype=subtype, filename=name)
    return mail.as_bytes()


def raw_answer(given: EmailMessage, sender: Correspondent, to: Correspondent, text: str, at: datetime) -> bytes:
    """An answer to a mail, as a person's mail program makes it: threaded, with the quoted text below."""
    subject, known = str(given["Subject"] or ""), str(given["Message-ID"] or "").strip()
    subject = subject if subject.lower().startswith("re:") else f"Re: {subject}"
    own_id = f"answer-{zlib.crc32(known.encode()):08x}-{int(at.timestamp())}@{sender.address.partition('@')[2]}"
    mail = _headed(sender, to, subject, own_id, at)
    mail["In-Reply-To"] = known
    mail["References"] = " ".join([*str(given["References"] or "").split()[-8:], known])
    body = given.get_body(("plain",))
    quoted = "".join(f"> {line}\n" for line in str(body.get_content() if body else "").splitlines()[:30])
    mail.set_content(f"{text}\n\nOn {at:%d %B %Y}, {to.name} wrote:\n{quoted}")
    return mail.as_bytes()


def raw_bounce(given: EmailMessage, to: str, refused: str, domain: str, at: datetime) -> bytes:
    """What a mail server sends back for a receiver whom it does not know (RFC 3464)."""
    why = f"550 5.1.1 <{refused}>: in the demo no mail leaves this machine, and nobody here has this address"
    parts = {
        "text/plain": f"Your mail could not be delivered.\n\n{why}\n",
        "message/delivery-status": f"Reporting-MTA: dns; {domain}\n\nFinal-Recipient: rfc822; {refused}\n"
        f"Action: failed\nStatus: 5.1.1\nDiagnostic-Code: smtp; {why}\n",
        "text/rfc822-headers": f"Message-ID: {given['Message-ID']}\nSubject: {given['Subject']}\n",
    }
    headers = (
        f"From: Mail Delivery System <mailer-daemon@{domain}>\nTo: {to}\nSubject: Undelivered Mail Returned to Sender\n"
        f"Date: {format_datetime(at)}\n"
        f"Message-ID: <bounce-{zlib.crc32(refused.encode()):08x}-{at.timestamp():.3f}@{domain}>\n"
        "Auto-Submitted: auto-replied\nMIME-Version: 1.0\n"
        'Content-Type: multipart/report; report-type=delivery-status; boundary="=-bounce-="\n\n'
    )
    body = "".join(f"--=-bounce-=\nContent-Type: {kind}; charset=utf-8\n\n{text}\n" for kind, text in parts.items())
    return f"{headers}{body}--=-bounce-=--\n".replace("\n", "\r\n").encode()


def _headed(sender: Correspondent, to: Correspondent, subject: str, message_id: str, at: datetime) -> EmailMessage:
    mail = EmailMessage(policy=_POLICY)
    mail["From"], mail["To"], mail["Subject"] = _shown(sender), _shown(to), subject
    mail["Date"], mail["Message-ID"] = format_datetime(at), f"<{message_id}>"
    return mail


def _shown(person: Correspondent) -> str:
    return formataddr((person.name, person.address))


def _file(name: str, letter: Letter) -> tuple[bytes, str]:
    ending = name.rpartition(".")[2]
    if ending == "png":
        return _png(240, 160), "image/png"
    if ending == "csv":
        return b"\xef\xbb\xbfproduct;colour;pieces\r\nLipa;green;12\r\n", "text/csv"
    if ending == "ics":
        return _invitation(letter), "text/calendar"
    return _pdf(name.rpartition(".")[0]), "application/pdf"


def _png(width: int, height: int) -> bytes:
    """Boards of an oak floor."""
    rows = b"".join(
        b"\0" + b"".join(_board(x, y) for x in range(width)) for y in range(height)
    )  # each row begins with its filter: none
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = (b"IHDR", header), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")
    return b"\x89PNG\r\n\x1a\n" + b"".join(_chunk(kind, raw) for kind, raw in chunks)


def _board(x: int, y: int) -> bytes:
    board = y // 20
    shade = 150 + (board * 37 + (x + board * 50) // 80 * 23) % 60
    if y % 20 == 0 or (x + board * 50) % 80 == 0:
        shade = 90
    return bytes((shade, shade * 3 // 4, shade // 2))


def _chunk(kind: bytes, raw: bytes) -> bytes:
    return struct.pack(">I", len(raw)) + kind + raw + struct.pack(">I", zlib.crc32(kind + raw))


def _pdf(title: str) -> bytes:
    """A page with the title on it."""
    plain = title.encode("ascii", "replace").decode().replace("(", "").replace(")", "")
    page = f"BT /F1 24 Tf 72 740 Td ({plain}) Tj ET"
    objects = [
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(page)}>>stream\n{page}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    ]
    raw, places = b"%PDF-1.4\n", []
    for number, text in enumerate(objects, 1):
        places.append(len(raw))
        raw += f"{number} 0 obj{text}endobj\n".encode()
    table = "".join(f"{place:010d} 00000 n \n" for place in places)
    end = f"xref\n0 6\n0000000000 65535 f \n{table}trailer<</Size 6/Root 1 0 R>>\nstartxref\n{len(raw)}\n%%EOF\n"
    return raw + end.encode()


def _invitation(letter: Letter) -> bytes:
    return (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Brzoza//EN\r\nBEGIN:VEVENT\r\n"
        f"UID:{letter.message_id}\r\nDTSTAMP:{letter.at:%Y%m%dT%H%M%SZ}\r\nDTSTART:{letter.at:%Y%m%dT100000Z}\r\n"
        f"SUMMARY:{letter.subject}\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    ).encode()
