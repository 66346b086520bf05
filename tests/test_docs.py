"""The documentation says what is true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md")]


def test_every_setting_is_documented_and_every_documented_setting_exists():
    settings = (ROOT / "mailwall/config/settings.py").read_text()
    known = set(re.findall(r'env_\w+\(\s*"(MAILWALL_\w+)"', settings))
    documented = set(re.findall(r"^\| `(MAILWALL_\w+)`", (ROOT / "docs/settings.md").read_text(), re.M))
    assert documented == known


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_to_files_lead_somewhere(page: Path):
    for target in re.findall(r"\]\(([^)#\s]+)\)", page.read_text()):
        if "://" not in target:
            assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_every_room_says_its_mission():
    for init in (ROOT / "mailwall").glob("*/__init__.py"):
        text = init.read_text()
        assert "Never:" in text, init
        assert len(text.splitlines()) <= 6, init


def test_every_decision_record_has_a_status():
    for page in (ROOT / "docs/adr").glob("*.md"):
        assert "**Status:**" in page.read_text(), page.name
