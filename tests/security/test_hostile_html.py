"""Hostile HTML is harmless once it is cleaned: by its DOM, by what a second parser makes of it, and in a real Chromium
that is given it without the sandbox and the policy that stand behind the cleaning."""

from __future__ import annotations

import pytest
from playwright.sync_api import sync_playwright
from selectolax.lexbor import LexborHTMLParser

from mailwall.mime.html import clean_html, clean_written_html
from tests.mime.test_html import findings
from tests.security.hostile_html import PAYLOADS


def test_there_are_enough_and_they_are_hostile():
    assert len(PAYLOADS) >= 500
    assert sum(bool(findings(payload)) for payload in PAYLOADS) > 0.8 * len(PAYLOADS)


@pytest.mark.parametrize("around", ["{}", "<table><tr><td>{}</td></tr></table>", "<blockquote type=cite>{}</blockquote>", "<svg>{}</svg>"])  # fmt: skip
def test_what_is_cleaned_neither_runs_nor_loads_nor_changes_when_it_is_read_again(around):
    bad, unstable = [], []
    for payload in PAYLOADS:
        cleaned = clean_html(around.format(payload), fold_quotes=True)
        if findings(cleaned):
            bad.append((payload, cleaned))
        body = LexborHTMLParser(f"<!doctype html><body>{cleaned}").body
        again = "".join(node.html for node in body.iter(include_text=True))
        if findings(again):
            unstable.append((payload, again))
    assert bad == []
    assert unstable == []


def test_what_our_users_write_is_cleaned_of_all_that_runs():
    bad = []
    for payload in PAYLOADS:
        found = findings(clean_written_html(payload))
        found = [each for each in found if not each.startswith(("src=http", "a without rel"))]  # their images may load
        if found:
            bad.append((payload, found))
    assert bad == []


IN_BROWSER = """(pieces) => {
    const body = document.body, count = (what) => Document.prototype.querySelectorAll.call(document, what).length;
    window.fired = []; window.alert = (text) => window.fired.push(text);
    for (const piece of pieces) {
        const first = document.createElement("div");
        first.innerHTML = piece;
        const second = document.createElement("div");   // what a serialisation in between would change
        second.innerHTML = first.innerHTML;
        body.append(first, second);
    }
    return [count("script,style,iframe,object,embed,form,svg,math,link,meta,base,template"),
            count("[id],[name],[class]:not(details.quoted)")];
}"""


@pytest.mark.browser
def test_chromium_runs_and_loads_nothing_of_it():
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        asked: list[str] = []
        context = browser.new_context()
        context.route("**/*", lambda route: (asked.append(route.request.url), route.abort()))
        page = context.new_page()
        seen_to_work = [each for each in PAYLOADS if each.startswith(("<img src=x onerror=", "<img src=https"))]
        for hostile, pieces in ((True, seen_to_work), (False, [clean_html(each, True) for each in PAYLOADS])):
            asked.clear()
            page.set_content("<!doctype html><title></title><body></body>")
            found = page.evaluate(IN_BROWSER, list(pieces))
            page.mouse.move(200, 200)
            page.wait_for_timeout(500)
            fired = page.evaluate("window.fired")
            if hostile:  # the test can see what it looks for
                assert fired and asked
            else:
                assert (found, fired, asked) == ([0, 0], [], [])
        browser.close()
