"""Compiling translations."""

from __future__ import annotations

import gettext
import os

from mailwall.web.catalogues import compile_catalogues

SOURCE = 'msgid ""\nmsgstr "Content-Type: text/plain; charset=UTF-8\\n"\n\nmsgid "Mail"\nmsgstr "{}"\n'


def test_a_newer_po_is_compiled_and_an_older_one_left_alone(tmp_path):
    po = tmp_path / "web/locale/pl/LC_MESSAGES/django.po"
    po.parent.mkdir(parents=True)
    po.write_text(SOURCE.format("Poczta"))
    assert compile_catalogues(tmp_path) == 1
    assert compile_catalogues(tmp_path) == 0
    po.write_text(SOURCE.format("Listy"))
    later = po.with_suffix(".mo").stat().st_mtime + 5
    os.utime(po, (later, later))
    assert compile_catalogues(tmp_path) == 1
    with po.with_suffix(".mo").open("rb") as file:
        assert gettext.GNUTranslations(file).gettext("Mail") == "Listy"
