"""What the demo says on the terminal."""

from __future__ import annotations

from mailwall.demo import story
from mailwall.demo.services import Loaded


def people_lines(demo: Loaded) -> list[str]:
    """Who can sign in, one line each, and with which password."""
    users = story.story()["user"]
    return [
        f"Sign in as one of them; the password of each is  {demo.password}",
        *(f"  {entry['address']:22} {entry['name']:15} {entry['about']}" for entry in users),
    ]
