"""What senders call files, made safe to show and to save."""

from __future__ import annotations

import pytest

from mailwall.mime.filenames import portable_filename, safe_filename, unused_name


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("offer.pdf", "offer.pdf"),
        ("zażółć gęślą.bin", "zażółć gęślą.bin"),
        ("../../../../etc/cron.d/x", "x"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("..", "attachment.pdf"),
        ("", "attachment.pdf"),
        ("\u202efdp.exe", "fdp.exe"),
        ("a\r\nSet-Cookie: x=1.pdf", "aSet-Cookie: x=1.pdf"),
        ('a"; filename=evil.html; x=".pdf', 'a"; filename=evil.html; x=".pdf'),
        ('quote".jpg', 'quote".jpg'),
        ("Re: <why?>|*.pdf", "Re: <why?>|*.pdf"),
        (".hidden. ", "hidden"),
        ("in\u00advoice.pdf", "invoice.pdf"),
        ("CON.txt", "_CON.txt"),
        ("lpt1", "_lpt1"),
        ("control.txt", "control.txt"),
        ("x" * 3000 + ".pdf", "x" * 251 + ".pdf"),
        ("ż" * 300 + ".pdf", "ż" * 125 + ".pdf"),
    ],
)
def test_file_names_are_safe(name, safe):
    assert safe_filename(name, "application/pdf") == safe
    assert len(safe.encode()) <= 255


@pytest.mark.parametrize(
    ("name", "portable"),
    [('quote".jpg', "quote.jpg"), ("Re: <why?>|*.pdf", "Re why.pdf"), ("a:/b?.pdf", "b.pdf"), ("?", "attachment.pdf")],
)
def test_file_names_of_archives_are_for_every_file_system(name, portable):
    assert portable_filename(name, "application/pdf") == portable


def test_names_in_an_archive_differ_on_every_file_system():
    used: list[str] = []
    for name in ["a.pdf", "A.PDF", "a.pdf", "no ending", "no ending", "ż" * 125 + ".pdf", "Ż" * 125 + ".pdf"]:
        used.append(unused_name(name, used))
    assert used[:5] == ["a.pdf", "A (2).PDF", "a (3).pdf", "no ending", "no ending (2)"]
    assert used[6].endswith("Ż (2).pdf")
    assert all(len(name.encode()) <= 255 for name in used)
