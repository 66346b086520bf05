"""Tags of the shell, fields, vendored files."""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

import brotli
import pytest
from django import forms
from django.template import Context, Template
from django.test import Client
from django.utils import translation

from mailwall.team.sign_in import BACKEND
from mailwall.web.templatetags import shell

ROOT = Path(__file__).resolve().parents[2] / "mailwall"
STATIC = ROOT / "web/static/web"
NOW = datetime(2026, 11, 24, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("before", "english", "polish"),
    [
        (timedelta(seconds=20), "now", "teraz"),
        (timedelta(seconds=-20), "in a moment", "za chwilę"),
        (timedelta(minutes=2), "2 min ago", "2 min temu"),
        (timedelta(minutes=-3, seconds=-1), "in 3 min", "za 3 min"),
        (timedelta(hours=5), "5 h ago", "5 godz. temu"),
        (timedelta(days=1), "1 day ago", "1 dzień temu"),
        (timedelta(days=5), "5 days ago", "5 dni temu"),
        (timedelta(days=30), "Oct. 25, 2026", "25 października 2026"),
    ],
)
def test_times_in_words(before, english, polish):
    with translation.override("en"):
        assert shell.time_in_words(NOW - before, NOW) == english
    with translation.override("pl"):
        assert shell.time_in_words(NOW - before, NOW) == polish


def test_ago_tells_the_exact_moment_too():
    shown = shell.ago(NOW)
    assert 'datetime="2026-11-24T12:00:00+00:00"' in shown
    assert shell.ago(None, "never") == "never"


def test_every_icon_in_a_template_is_in_the_sprite():
    sprite = set(re.findall(r'<symbol id="([^"]+)"', (STATIC / "vendor/icons.svg").read_text()))
    assert sprite == shell.ICONS
    for file in ROOT.glob("*/templates/**/*.html"):
        used = set(re.findall(r'{%\s*icon "([^"]+)"', file.read_text()))
        assert used <= sprite, f"{file.name}: {used - sprite} (mailwall/web/icons.txt, then scripts/vendor)"


def test_vendored_files_are_the_ones_that_were_checked_in():
    listed = dict(line.split()[::-1] for line in (STATIC / "vendor/CHECKSUMS").read_text().splitlines())
    found = {path.name for path in (STATIC / "vendor").iterdir()} - {"CHECKSUMS"}
    assert found == set(listed)
    for name, checksum in listed.items():
        assert hashlib.sha256((STATIC / "vendor" / name).read_bytes()).hexdigest() == checksum


def test_the_first_load_is_below_200_kilobytes(cast):
    client = Client()
    client.force_login(cast.erin, backend=BACKEND)
    page = client.get("/settings/")
    files = set(re.findall(r'(?:src|href)="/static/([^"#]+)', page.content.decode()))
    sizes = [len(brotli.compress((ROOT / name.split("/")[0] / "static" / name).read_bytes())) for name in files]
    assert len(files) > 6
    assert len(page.content) + sum(sizes) < 200_000


def test_our_scripts_are_short_and_make_no_code_from_text():
    for file in ROOT.glob("*/static/**/*.js"):
        if "vendor" not in file.parts:
            source = file.read_text()
            assert len(source.splitlines()) <= 50, file
            assert not re.search(r"\beval\(|new Function|innerHTML|insertAdjacentHTML|document\.write", source), file


def test_templates_hold_no_inline_code():
    for file in ROOT.glob("*/templates/**/*.html"):
        if file.name == "frame.html":  # shows foreign mail, sandboxed, under a policy of its own
            continue
        source = file.read_text()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style\b|\sstyle=|\son[a-z]+=|hx-on", source), file


class Example(forms.Form):
    name = forms.CharField(label="Name", help_text="As on the door")
    note = forms.CharField(label="Note", required=False, widget=forms.Textarea)
    kind = forms.ChoiceField(label="Kind", choices=[("a", "A"), ("b", "B")], widget=forms.RadioSelect)
    agreed = forms.BooleanField(label="Agreed", required=False)


def shown(field: forms.BoundField) -> str:
    return Template('{% include "web/_field.html" %}').render(Context({"field": field}))


def test_a_field_has_label_hint_and_error_tied_to_it():
    field = shown(Example({"name": ""})["name"])
    assert 'for="id_name"' in field
    assert 'class="form-control is-invalid"' in field
    assert 'aria-describedby="id_name_helptext id_name_error"' in field
    assert 'id="id_name_helptext"' in field
    assert 'id="id_name_error"' in field


def test_choices_are_a_group_and_optional_text_says_so():
    form = Example()
    assert "<fieldset" in shown(form["kind"])
    assert shown(form["kind"]).count('class="form-check-input"') == 2
    assert "(optional)" in shown(form["note"])
    assert "(optional)" not in shown(form["agreed"])


def test_an_address_breaks_before_its_at_sign_and_stays_text():
    assert shell.breakable("<b>@firm.example") == "&lt;b&gt;<wbr>@firm.example"
    assert shell.breakable("no address") == "<wbr>no address"
