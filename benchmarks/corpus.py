"""Mail for benchmarks: looks like life, costs little to make, the same for the same number.

Four languages, plain and HTML, replies that quote, newsletters, encoded headers and bodies, the header fields that mail
collects on its way. Senders are `kunde0`…`kunde1999@kwiat.example`; the benchmarks know some of them as contacts.
"""

from __future__ import annotations

import base64
import quopri
import random
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.header import Header
from email.utils import format_datetime

SENDERS = 2_000
_REPLIES_TO = 3  # how many mails ago the answered one came


@dataclass(frozen=True, slots=True, kw_only=True)
class _Language:
    charset: str
    encoding: str  # '7bit', 'quoted-printable', 'base64'
    greeting: str
    wrote: str
    sentences: tuple[str, ...]
    names: tuple[str, ...]


_LANGUAGES = {
    "en": _Language(
        charset="us-ascii",
        encoding="7bit",
        greeting="Hello Alice,",
        wrote="On Monday you wrote:",
        sentences=(
            "Thank you for the quick answer and for the samples.",
            "Could you send us an updated quotation for 40 units by Thursday?",
            "The delivery arrived complete, only one of the boxes was slightly damaged.",
            "Our accounting asks for the invoice with the order number on it.",
            "Please find our comments on the draft contract below.",
            "We would like to move the meeting to next week, same time.",
            "The prices are fine for us, the payment terms still need a word.",
        ),
        names=("Ann Baker", "John O'Neil", "Baker, Tom", "Sales Team"),
    ),
    "pl": _Language(
        charset="utf-8",
        encoding="quoted-printable",
        greeting="Dzień dobry,",
        wrote="W poniedziałek napisała Pani:",
        sentences=(
            "Dziękuję za szybką odpowiedź i za próbki materiałów.",
            "Czy mogłaby Pani przesłać zaktualizowaną ofertę na 40 sztuk do czwartku?",
            "Dostawa dotarła w całości, tylko jedno z pudełek było lekko uszkodzone.",
            "Nasza księgowość prosi o fakturę z numerem zamówienia.",
            "Poniżej przesyłam nasze uwagi do projektu umowy.",
            "Chcielibyśmy przełożyć spotkanie na przyszły tydzień, o tej samej godzinie.",
        ),
        names=("Łukasz Żak", "Ewa Kwiat", "Dział Sprzedaży", "Małgorzata Wiśniewska"),
    ),
    "de": _Language(
        charset="iso-8859-1",
        encoding="quoted-printable",
        greeting="Guten Tag Frau Alice,",
        wrote="Am Montag schrieben Sie:",
        sentences=(
            "Vielen Dank für die schnelle Antwort und für die Muster.",
            "Könnten Sie uns bis Donnerstag ein neues Angebot über 40 Stück schicken?",
            "Die Lieferung ist vollständig angekommen, nur eine Schachtel war beschädigt.",
            "Unsere Buchhaltung bittet um eine Rechnung mit der Bestellnummer.",
            "Anbei unsere Anmerkungen zum Vertragsentwurf, Grüße aus München.",
        ),
        names=("Jürgen Müller", "Groß, Käthe", "Einkauf"),
    ),
    "ja": _Language(
        charset="utf-8",
        encoding="base64",
        greeting="アリス様",
        wrote="月曜日のメール:",
        sentences=(
            "お世話になっております。迅速なご返信ありがとうございます。",
            "木曜日までに40個の見積書をお送りいただけますでしょうか。",
            "商品は無事に届きましたが、箱が一つ少し破損しておりました。",
            "契約書の草案について、以下の通りコメントいたします。",
        ),
        names=("山田太郎", "営業部"),
    ),
}
_MIX = ("en", "pl", "de", "en", "pl", "en", "ja", "de", "pl", "en")


def sender_of(number: int) -> str:
    """The address that a mail of this number comes from."""
    return f"kunde{random.Random(-number).randrange(SENDERS)}@kwiat.example"


def text_mail(number: int, date: datetime) -> bytes:
    """A mail of 2 to 15 kB without attachments."""
    rng = random.Random(number)
    language = _LANGUAGES[_MIX[number % 10]]
    paragraphs = [" ".join(rng.choices(language.sentences, k=rng.randint(2, 6))) for _ in range(rng.randint(2, 9))]
    if number % 10 == 7:
        return _letter(number, date, language, _html_part(_newsletter(rng, paragraphs), language), is_list=True)
    text = _body(language, paragraphs, rng)
    if number % 10 in (0, 1, 2):
        return _letter(number, date, language, _part("text/plain", text, language))
    html = _html_part(_page(text), language)
    if number % 10 == 3:
        return _letter(number, date, language, html)
    return _letter(
        number, date, language, _multipart("alternative", number, [_part("text/plain", text, language), html])
    )


def file_mail(number: int, date: datetime, *, size_bytes: int) -> bytes:
    """A short text in two forms with one file of that many bytes."""
    rng = random.Random(number)
    language = _LANGUAGES[_MIX[number % 10]]
    text = _body(language, rng.choices(language.sentences, k=3), rng)
    both = _multipart("alternative", number, [_part("text/plain", text, language), _html_part(_page(text), language)])
    name = Header(f"oferta żółta {number}.pdf", "utf-8").encode()
    content = base64.encodebytes(rng.randbytes(size_bytes)).replace(b"\n", b"\r\n")
    head = f'Content-Type: application/pdf; name="{name}"\r\nContent-Transfer-Encoding: base64\r\n'
    head += f'Content-Disposition: attachment; filename="{name}"\r\n\r\n'
    return _letter(number, date, language, _multipart("mixed", number, [both, head.encode() + content]))


def _body(language: _Language, paragraphs: list[str], rng: random.Random) -> str:
    lines = [language.greeting, "", *("\n".join([paragraph, ""]) for paragraph in paragraphs)]
    if rng.random() < 0.6:
        lines += [language.wrote, *(f"> {sentence}" for sentence in rng.choices(language.sentences, k=12))]
    lines += ["-- ", rng.choice(language.names), "Kwiat Sp. z o.o., +48 12 345 67 89, https://kwiat.example/"]
    return "\n".join(lines) + "\n"


def _page(text: str) -> str:
    blocks = "".join(f'<p style="margin:0 0 10px 0;font-family:Arial">{block}</p>\n' for block in text.split("\n\n"))
    return f'<html><head><meta charset="utf-8"></head><body lang="x"><div dir="ltr">{blocks}</div></body></html>\n'


def _newsletter(rng: random.Random, paragraphs: list[str]) -> str:
    cells = "".join(
        f'<tr><td align="left" valign="top" style="padding:12px 24px;font:14px/20px Arial,sans-serif;color:#333333">'
        f'<a href="https://news.kwiat.example/c/{rng.getrandbits(64):x}" style="text-decoration:none">{paragraph}</a>'
        f'<img src="https://news.kwiat.example/i/{rng.getrandbits(32):x}.png" width="1" height="1" alt=""></td></tr>\n'
        for paragraph in paragraphs * 2
    )
    style = "<style>.a{color:red}@media screen{.b{width:100%}}</style>" * 8
    return f"<html><head>{style}</head><body><table width=600>{cells}</table></body></html>\n"


def _html_part(html: str, language: _Language) -> bytes:
    return _part("text/html", html, language)


def _part(content_type: str, text: str, language: _Language) -> bytes:
    raw = text.replace("\n", "\r\n").encode(language.charset, "xmlcharrefreplace")
    if language.encoding == "quoted-printable":
        raw = quopri.encodestring(raw.replace(b"\r\n", b"\n")).replace(b"\n", b"\r\n")
    elif language.encoding == "base64":
        raw = base64.encodebytes(raw).replace(b"\n", b"\r\n")
    head = f'Content-Type: {content_type}; charset="{language.charset}"\r\n'
    return f"{head}Content-Transfer-Encoding: {language.encoding}\r\n\r\n".encode() + raw


def _multipart(kind: str, number: int, parts: list[bytes]) -> bytes:
    boundary = f"----=_{kind}_{number:06d}_001".encode()
    head = b'Content-Type: multipart/%b; boundary="%b"\r\n\r\n' % (kind.encode(), boundary)
    return head + b"".join(b"--%b\r\n%b\r\n" % (boundary, part) for part in parts) + b"--%b--\r\n" % boundary


def _letter(number: int, date: datetime, language: _Language, part: bytes, *, is_list: bool = False) -> bytes:
    """A mail with the header fields of one; `part` begins with its own."""
    rng = random.Random(-number)
    sender = sender_of(number)
    name = rng.choice(language.names)
    shown = f'"{name}"' if name.isascii() else Header(name, "utf-8").encode()
    subject = f"{'Re: ' if number % 3 else ''}{language.sentences[number % len(language.sentences)][:60]} {number}"
    fields = [
        f"Return-Path: <{sender}>",
        *(
            f"Received: from mx{hop}.kwiat.example (mx{hop}.kwiat.example [203.0.113.{hop}])\n\tby mail.example.org "
            f"(Postfix) with ESMTPS id {rng.getrandbits(44):X}\n\tfor <alice@example.org>; "
            f"{format_datetime(date - timedelta(seconds=hop))}"
            for hop in range(3)
        ),
        "DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed; d=kwiat.example; s=mail;\n\t"
        "h=from:to:subject:date:message-id; bh="
        + base64.b64encode(rng.randbytes(32)).decode()
        + ";\n\tb="
        + base64.b64encode(rng.randbytes(128)).decode(),
        f"From: {shown} <{sender}>",
        "To: Alice <alice@example.org>" + (", Bob Berg <bob@example.org>" if number % 4 == 0 else ""),
        f"Subject: {subject if subject.isascii() else Header(subject, 'utf-8', header_name='Subject').encode()}",
        f"Date: {format_datetime(date)}",
        f"Message-ID: <mail-{number}@kwiat.example>",
        "MIME-Version: 1.0",
        "X-Mailer: Kwiat Mail 4.2",
    ]
    if number % 5 == 2:
        fields.append("Cc: Office <office@kwiat.example>, kunde7@kwiat.example")
    if number % 3 and number >= _REPLIES_TO:
        answered = f"<mail-{number - _REPLIES_TO}@kwiat.example>"
        fields += [f"In-Reply-To: {answered}", f"References: <thread-{number % 500}@kwiat.example>\n {answered}"]
    if is_list:
        fields += ["List-Id: <news.kwiat.example>", "List-Unsubscribe: <https://news.kwiat.example/u>"]
    return "\n".join(fields).replace("\n", "\r\n").encode() + b"\r\n" + part
