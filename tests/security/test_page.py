"""docs/security.md promises tests: they are there."""

from __future__ import annotations

import re

from tests.rig.product import ROOT

PAGE = (ROOT / "docs/security.md").read_text()


def test_every_test_that_the_page_names_exists():
    named = set(re.findall(r"`(tests/[\w/]+\.py)`", PAGE))
    assert len(named) > 20
    assert [path for path in sorted(named) if not (ROOT / path).exists()] == []


def test_every_part_of_the_program_that_the_page_names_exists():
    named = set(re.findall(r"`(\w+/\w+\.py)`", PAGE)) - {"tests/security"}
    assert [path for path in sorted(named) if not (ROOT / "mailwall" / path).exists()] == []


def test_the_page_stays_short_and_the_readme_leads_to_it():
    assert len(PAGE.splitlines()) <= 120
    assert "docs/security.md" in (ROOT / "README.md").read_text()
