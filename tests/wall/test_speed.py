"""No query per card: a page asks the database as often for thirty cards as for three."""

from __future__ import annotations

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from tests.cast import make_account, make_contact
from tests.wall.seed import deliver, deliver_raw, raw_mail


def fill(cast, company, mails: int) -> None:
    accounts = [
        make_account(user, visibility=visibility)
        for user, visibility in ((cast.alice, "everyone"), (cast.bob, "owner_and_managers"))
    ]
    client = Client()
    client.force_login(cast.alice)
    for number in range(mails):
        person = make_contact(f"P {number}", f"p{number}@k{company.pk}.example", company=company)
        deliver(
            accounts[0],
            f"p{number}@k{company.pk}.example",
            "a@ours.example",
            f"Mail {number} words",
            days_ago=number + 1,
            files=("a.pdf",),
            html="<p>x</p>",
        )
        raw = raw_mail(
            f"p{number}@k{company.pk}.example",
            "a@ours.example, b@ours.example",
            f"Both {number}",
            "words",
            message_id=f"b{number}@{company.pk}.example",
        )
        for account in accounts:
            deliver_raw(account, raw, days_ago=number + 1.5)
        client.post(f"/contacts/{person.pk}/notes/", {"text": "words"})


def count(client: Client, url: str) -> int:
    client.get(url)
    with CaptureQueriesContext(connection) as queries:
        assert client.get(url).status_code == 200
    return len(queries)


#: by address: so many questions at most
MOST = {
    "/contacts/{}/": 24,
    "/contacts/{}/?q=words": 30,
    "/mail/": 22,
    "/mail/?q=words": 27,
    "/search?q=words": 23,
    "/": 30,
}


def test_a_page_asks_the_same_number_of_questions_however_long_it_is(cast):
    client = Client()
    client.force_login(cast.alice)
    few, many = (count_all(cast, client, mails) for mails in (2, 9))
    assert {url: (few[url], many[url]) for url in MOST if not many[url] <= min(few[url] + 1, MOST[url])} == {}


def count_all(cast, client: Client, mails: int) -> dict[str, int]:
    """With so many more mails of a new company, by address."""
    company = make_contact("Kwiat", kind="company")
    fill(cast, company, mails)
    return {url: count(client, url.format(company.pk)) for url in MOST}
