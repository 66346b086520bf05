"""The staircase holds for tables too, and readers ask what the viewer may see."""

from __future__ import annotations

import re
from pathlib import Path

from django.apps import apps

STAIRS = [
    {"config"},
    {"demo", "operations", "health"},
    {"sequences"},
    {"sync", "wall", "dashboard", "sending"},
    {"assignment"},
    {"mailstore"},
    {"email_accounts", "contacts"},
    {"team"},
    {"web"},
]
ROOT = Path(__file__).resolve().parents[1] / "mailwall"


def _height(room: str) -> int:
    return next(len(STAIRS) - index for index, stair in enumerate(STAIRS) if room in stair)


def test_foreign_keys_point_down():
    for model in apps.get_models():
        if not model.__module__.startswith("mailwall."):
            continue
        for field in model._meta.get_fields():
            if field.is_relation and not field.auto_created and field.related_model is not None:
                target = field.related_model._meta.app_label
                if field.related_model.__module__.startswith("mailwall.") and target != model._meta.app_label:
                    assert _height(target) < _height(model._meta.app_label), f"{model.__name__}.{field.name}"


def test_doors_do_not_read_messages_past_the_visibility_filter():
    for file in [*ROOT.glob("*/views.py"), *ROOT.glob("*/api.py"), *ROOT.glob("*/queries.py")]:
        for line in re.findall(r".*Message\.objects\..*", file.read_text()):
            assert "visible_to(" in line or "# every message:" in line, f"{file}: {line.strip()}"


def test_settings_alone_read_the_environment():
    allowed = {ROOT / "config/settings.py", ROOT / "config/cli.py", ROOT / "config/wsgi.py"}
    for file in ROOT.rglob("*.py"):
        if file not in allowed:
            assert not re.search(r"os\.(environ|getenv)", file.read_text()), file
