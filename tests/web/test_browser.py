"""The shell in a real Chromium: keys, focus, dialogs, toasts, failures, themes; and no complaint in the console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from django.http import HttpResponse
from django.shortcuts import render
from django.test import Client
from django.urls import include, path
from playwright.sync_api import Page, expect, sync_playwright

from mailwall.team.sign_in import BACKEND
from tests.cast import make_cast

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
FRAGMENT = '<div id="part"><h2>New part</h2><button hx-get="/try/part" hx-target="#part" hx-swap="outerHTML">Again</button></div>'


def trying(request):
    return render(request, "web/settings.html")


def part(request):
    same = "<button id='same' hx-get='/try/part?same=1' hx-target='#part' hx-swap='outerHTML'>Same</button>"
    return HttpResponse(FRAGMENT.replace("<h2>", same + "<h2>") if request.GET.get("same") else FRAGMENT)


def failing(request):
    raise ZeroDivisionError


urlpatterns = [
    path("try/", trying),
    path("try/part", part),
    path("try/fail", failing),
    path("", include("mailwall.config.urls")),
]
handler500 = "mailwall.web.views.server_error"


@pytest.fixture(scope="module")
def browser() -> Iterator:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=CHROMIUM)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, live_server, settings) -> Iterator[Page]:
    """Erin is signed in and on a page that holds what htmx fetched."""
    settings.ROOT_URLCONF = __name__
    client = Client()
    client.force_login(make_cast().erin, backend=BACKEND)
    context = browser.new_context(base_url=live_server.url, locale="en", color_scheme="light")
    cookie = {"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}
    context.add_cookies([cookie])
    page = context.new_page()
    page.complaints = []  # type: ignore[attr-defined]
    page.on("console", lambda message: page.complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.goto("/settings/")
    yield page
    context.close()


def put(page: Page, html: str) -> None:
    page.evaluate(
        "html => { document.querySelector('main').insertAdjacentHTML('beforeend', html); htmx.process(document.body) }",
        html,
    )


def active(page: Page) -> str:
    return page.evaluate("document.activeElement.id || document.activeElement.textContent.trim()")


def test_keys_go_to_pages_show_the_sheet_and_rest_in_fields(page):
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.goto("/settings/profile/")
    page.locator("#id_name").click()
    page.keyboard.type("gs?")
    assert page.url.endswith("/settings/profile/")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.locator("#page-heading").click()
    page.keyboard.type("gs")
    page.wait_for_url("**/settings/")
    assert page.complaints == []


def test_switched_off_keys_do_nothing(page):
    page.goto("/settings/profile/")
    page.locator("#id_shortcuts").uncheck()
    page.get_by_role("button", name="Save").click()
    expect(page.locator(".mw-toast")).to_contain_text("Your profile is saved.")
    page.keyboard.press("?")
    expect(page.locator("#shortcuts")).to_be_hidden()
    page.get_by_role("button", name="Keyboard shortcuts").click()
    expect(page.locator("#shortcuts")).to_be_visible()
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.dialog") == "shortcuts"


def click_and_settle(page: Page, name: str) -> None:
    """Click, and wait until htmx knows the buttons that it put in."""
    settled = "new Promise(done => addEventListener('htmx:afterSettle', event => event.target.id === 'part' && done()))"
    page.evaluate(f"() => {{ window.settled = {settled} }}")
    page.get_by_role("button", name=name).click()
    page.evaluate("window.settled.then(() => true)")


def test_after_a_swap_the_focus_is_never_lost(page):
    put(page, FRAGMENT)
    page.get_by_role("button", name="Again", exact=True).focus()
    page.keyboard.press("Enter")
    expect(page.locator("#part h2")).to_be_focused()
    put(page, "<button id='same' hx-get='/try/part?same=1' hx-target='#part' hx-swap='outerHTML'>First</button>")
    page.get_by_role("button", name="First").evaluate("button => button.id = 'other'")
    click_and_settle(page, "First")
    page.locator("#same").focus()
    with page.expect_response("**/try/part?same=1"):
        page.keyboard.press("Enter")
    expect(page.locator("#same")).to_be_focused()
    assert page.complaints == []


def test_a_failure_is_said_in_words_and_can_be_tried_again(page):
    put(page, "<button hx-get='/try/fail' hx-target='this'>Fail</button>")
    page.get_by_role("button", name="Fail").click()
    alert = page.locator("#alert")
    expect(alert).to_contain_text("Something went wrong on our side.")
    with page.expect_response("**/try/fail"):
        alert.get_by_role("button", name="Try again").click()


def test_a_poll_fails_in_silence_and_sends_nobody_to_sign_in(page):
    put(page, "<div data-quiet hx-get='/try/fail' hx-trigger='poll-now'></div>")
    with page.expect_response("**/try/fail"):
        page.evaluate("htmx.trigger('[data-quiet][hx-trigger=poll-now]', 'poll-now')")
    expect(page.locator("#alert")).to_be_empty()
    page.context.clear_cookies()
    put(page, "<div id='poll' data-quiet hx-get='/settings/profile/' hx-trigger='poll-now'></div>")
    with page.expect_response("**/settings/profile/"):
        page.evaluate("htmx.trigger('#poll', 'poll-now')")
    page.wait_for_timeout(300)
    assert page.url.endswith("/settings/")


def test_a_lost_connection_is_said(page):
    put(page, "<button hx-get='/try/part' hx-target='this'>Get</button>")
    page.context.set_offline(True)
    expect(page.locator("#offline")).to_be_visible()
    page.get_by_role("button", name="Get").click()
    expect(page.locator("#alert")).to_contain_text("The server did not answer.")
    page.context.set_offline(False)
    expect(page.locator("#offline")).to_be_hidden()


def test_the_theme_is_chosen_and_kept(page):
    def background() -> str:
        return page.evaluate("getComputedStyle(document.body).backgroundColor")

    assert background() == "rgb(255, 255, 255)"
    page.emulate_media(color_scheme="dark")
    assert background() == "rgb(20, 23, 27)"
    page.locator(".mw-nav").get_by_label("Light or dark").click()
    page.locator(".mw-nav").get_by_role("button", name="Light", exact=True).click()
    page.goto("/settings/profile/")
    assert background() == "rgb(255, 255, 255)"
    assert page.complaints == []


@pytest.mark.parametrize("width", [320, 375, 1280])
def test_nothing_stands_out_sideways_and_targets_can_be_hit(page, width):
    page.set_viewport_size({"width": width, "height": 700})
    for address in (
        "/settings/",
        "/settings/profile/",
        "/settings/users/",
        "/settings/users/new/",
        "/settings/workspace/",
    ):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
        small = page.evaluate(
            """[...document.querySelectorAll("a, button, input, select, summary")].filter(part => part.checkVisibility())
            .filter(part => { const box = part.getBoundingClientRect(); return box.width < 24 || box.height < 24 })
            .map(part => part.outerHTML)"""
        )
        assert small == [], address
        assert page.locator("h1").count() == 1


def test_the_phone_has_everything_under_more(page):
    page.set_viewport_size({"width": 375, "height": 700})
    page.get_by_text("More", exact=True).click()
    sheet = page.locator(".mw-bar .mw-sheet").first
    expect(sheet.get_by_role("link", name="Profile")).to_be_visible()
    expect(sheet.get_by_role("button", name="Sign out")).to_be_visible()
    page.keyboard.press("Escape")
    expect(sheet).to_be_hidden()


def test_pages_work_without_javascript(browser, live_server, settings):
    cast = make_cast()
    cast.erin.set_password("correct horse battery staple")
    cast.erin.save()
    context = browser.new_context(base_url=live_server.url, java_script_enabled=False, locale="pl")
    page = context.new_page()
    page.goto("/settings/users/")
    page.fill("#id_login", cast.erin.email)
    page.fill("#id_password", "correct horse battery staple")
    page.get_by_role("button", name="Zaloguj się").click()
    expect(page.locator("h1")).to_have_text("Użytkownicy")
    page.get_by_role("button", name="English").first.click()
    expect(page.locator("h1")).to_have_text("Users")
    context.close()
