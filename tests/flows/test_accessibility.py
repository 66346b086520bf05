"""Every page in a real Chromium: axe (WCAG 2.2 A and AA) finds nothing, nothing scrolls sideways, the console is silent.

The addresses are read from the URL list, so that a new page is looked at from its first day on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from axe_playwright_python.sync_playwright import Axe
from django.test import Client
from playwright.sync_api import Page, sync_playwright

from mailwall.team.sign_in import BACKEND
from tests.cast import make_cast
from tests.flows.private import World, make_world
from tests.flows.test_visibility_everywhere import ALL, addresses

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
RULES = {
    "iframes": False,
    "resultTypes": ["violations"],
    "runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
}


@pytest.mark.parametrize(
    ("viewer", "scheme", "width"),
    [("alice", "light", 1280), pytest.param("erin", "dark", 375, marks=pytest.mark.exhaustive)],
)
def test_every_page_can_be_used_by_everybody(live_server, viewer, scheme, width):
    world = make_world(make_cast())
    client = Client()
    client.force_login(getattr(world.cast, viewer), backend=BACKEND)
    paths = list(pages(world, client))
    assert len(paths) > 40, paths
    with chromium_page(live_server.url, client, scheme, width) as page:
        faults = [fault for path in paths for fault in faults_of(page, path)]
    assert not faults, "\n".join(faults)


def pages(world: World, client: Client) -> Iterator[str]:
    """One address of every pattern that answers the viewer with a whole page."""
    for pattern in ALL:
        if pattern.startswith(("api/v1", "accounts/logout")):
            continue
        for path in addresses(world, pattern):
            answer = client.get(path)
            # the frames that mail is shown in run no script, axe neither
            framed = "sandbox" in answer.headers.get("Content-Security-Policy", "")
            if answer.status_code == 200 and not framed and not answer.streaming and b"<html" in answer.content[:200]:
                yield path
                break


@contextmanager
def chromium_page(url: str, client: Client, scheme: str, width: int) -> Iterator[Page]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        context = chromium.new_context(
            base_url=url,
            locale="en",
            color_scheme=scheme,
            viewport={"width": width, "height": 900},
            reduced_motion="reduce",
        )
        context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": url}])
        yield context.new_page()
        chromium.close()


def faults_of(page: Page, path: str) -> Iterator[str]:
    said: list[str] = []
    listen = lambda message: said.append(message.text) if message.type == "error" else None  # noqa: E731
    page.on("console", listen)
    page.goto(path, wait_until="load")
    page.remove_listener("console", listen)
    yield from (f"{path}: console: {text}" for text in said)
    too_wide = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    if too_wide > 0:
        yield f"{path}: {too_wide} px too wide"
    for violation in Axe().run(page, options=RULES).response["violations"]:
        for node in violation["nodes"]:
            if violation["id"] == "aria-allowed-attr" and "jodit" in str(node["target"]):
                continue  # the vendored editor marks its menus as pressed
            yield f"{path}: {violation['id']}: {node['target']}: {node['failureSummary']}"
