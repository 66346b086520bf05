"""`up --demo` as a visitor has it: sign in as a printed user, mail on the walls, answers to what one sends."""

from __future__ import annotations

import json
import re
import smtplib
import time
import urllib.parse
import urllib.request
from http.cookiejar import CookieJar

import pytest

from tests.rig.processes import wait_until
from tests.rig.product import Product, RemoteApi

pytestmark = [pytest.mark.live, pytest.mark.slow]


@pytest.fixture(scope="module")
def product():
    product = Product(fresh=True, MAILWALL_DEMO="1", MAILWALL_MAIL_HOSTS_ALLOW="")
    yield product
    product.remove()


@pytest.fixture
def anna(product) -> RemoteApi:
    api = RemoteApi(product, product.cli("token", "create", "anna@brzoza.example"))
    wait_until(lambda: len(walls(api)) > 3, seconds=60, what=f"no mail on the walls: {product.log[-2000:]}")
    return api


def password(product: Product) -> str:
    return re.findall(r"password of each is +(\S+)", product.log)[-1]


def walls(api: RemoteApi) -> list[dict]:
    return api.ok("GET", "/messages", assigned="true")["items"]


def sign_in(product: Product, email: str) -> str:
    """Gives the page that a browser shows then."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
    form = opener.open(f"{product.url}/accounts/login/").read().decode()
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form)
    assert token
    fields = {"login": email, "password": password(product), "csrfmiddlewaretoken": token.group(1)}
    return opener.open(f"{product.url}/accounts/login/", urllib.parse.urlencode(fields).encode()).read().decode()


def test_a_printed_user_signs_in_and_finds_customers_mail_on_the_walls(product, anna):
    page = sign_in(product, "anna@brzoza.example")
    assert "Anna Nowak" in page
    [emma] = anna.ok("GET", "/contacts", q="Emma Hughes")["items"]
    wall = anna.ok("GET", f"/contacts/{emma['id']}/wall")["items"]
    assert "Desks for the Leeds studio" in " ".join(item["email"]["subject"] for item in wall if item["email"])
    assert any(item["thread_count"] > 1 for item in wall)


def test_a_customer_answers_what_one_sends_and_colleagues_get_theirs(product, anna):
    demo = json.loads((product.data / "demo/loaded.json").read_text())
    with smtplib.SMTP("127.0.0.1", demo["smtp_port"], timeout=10) as client:
        client.login("anna@brzoza.example", demo["mail_password"])
        mail = (
            "From: Anna <anna@brzoza.example>\r\nTo: lars@hansen.example\r\nSubject: Autumn prices\r\n"
            "Message-ID: <autumn-1@brzoza.example>\r\n\r\nHello Lars!\r\n"
        )
        receivers = ["lars@hansen.example", "ben@brzoza.example", "nobody@elsewhere.example"]
        client.sendmail("anna@brzoza.example", receivers, mail.encode())
    ben = RemoteApi(product, product.cli("token", "create", "ben@brzoza.example"))
    wait_until(
        lambda: ben.ok("GET", "/messages", message_id="autumn-1@brzoza.example")["items"] != [],
        seconds=30, what="the colleague's copy did not come",
    )  # fmt: skip

    def subjects() -> list[str]:
        return [item["subject"] for item in anna.ok("GET", "/messages", direction="received")["items"]]

    wait_until(lambda: "Re: Autumn prices" in subjects(), seconds=60, what="no answer came")
    assert "Undelivered Mail Returned to Sender" in subjects()


def test_a_second_start_keeps_data_and_password_and_it_stops_within_ten_seconds(product, anna):
    stored, told = len(walls(anna)), password(product)
    begin = time.monotonic()
    product.stop()
    assert time.monotonic() - begin < 10
    product.start()
    wait_until(lambda: product.log.count("Mailwall is at") == 2, seconds=10, what="not started again")
    assert password(product) == told
    assert len(walls(anna)) >= stored
    accounts = anna.ok("GET", "/email-accounts")["items"]
    [own] = [each for each in accounts if each["address"].startswith("anna@")]
    run = anna.ok("POST", f"/email-accounts/{own['id']}/download", {}, wait="30")
    assert run["state"] == "done", run
