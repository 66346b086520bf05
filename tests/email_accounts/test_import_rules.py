"""Which mail is never imported: by header fields alone, and a blocked party only when no other is from outside."""

from __future__ import annotations

import pytest

from mailwall.email_accounts import import_rules
from mailwall.email_accounts.free_mail import is_free_mail
from mailwall.email_accounts.import_rules import ImportRuleKind, ImportRules
from mailwall.mime.types import Address, ParsedMessage

US = {"anna@ours.example", "piotr@ours.example", "boss@gmail.com"}


def mail(sender: str, *to: str, cc: tuple[str, ...] = (), **fields) -> ParsedMessage:
    people = [tuple(Address(address=address) for address in group) for group in ((sender,), to, cc)]
    return ParsedMessage(from_=people[0], to=people[1], cc=people[2], **fields)


def rule(parsed: ParsedMessage, *kinds: str, addresses: tuple[str, ...] = (), domains: tuple[str, ...] = ()) -> str:
    switched_on = {
        *kinds,
        *(["never_import_address"] if addresses else []),
        *(["never_import_domain"] if domains else []),
    }
    rules = ImportRules(
        kinds=frozenset(switched_on), addresses=frozenset(addresses), domains=frozenset(domains),
        colleagues=frozenset(US), colleague_domains=import_rules.domains_of_colleagues(US),
    )  # fmt: skip
    return import_rules.skipping_rule(parsed, rules)


def test_a_blocked_address_blocks_only_as_the_only_outside_party():
    blocked = ("info@bank.example",)
    assert rule(mail("info@bank.example", "anna@ours.example"), addresses=blocked) == "never_import_address"
    assert rule(mail("anna@ours.example", "info@bank.example"), addresses=blocked) == "never_import_address"
    with_colleague = mail("info@bank.example", "anna@ours.example", cc=("piotr@ours.example",))
    assert rule(with_colleague, addresses=blocked) == "never_import_address"
    with_customer = mail("info@bank.example", "anna@ours.example", cc=("jan@nowak.example",))
    assert rule(with_customer, addresses=blocked) == ""
    assert rule(mail("other@bank.example", "anna@ours.example"), addresses=blocked) == ""


def test_a_blocked_domain_blocks_exactly_that_domain():
    blocked = ("bank.example",)
    two_of_it = mail("info@bank.example", "anna@ours.example", "news@bank.example")
    assert rule(two_of_it, domains=blocked) == "never_import_domain"
    assert rule(mail("info@mail.bank.example", "anna@ours.example"), domains=blocked) == ""
    assert rule(mail("info@bank.example", "jan@nowak.example"), domains=blocked) == ""
    both = mail("info@bank.example", "anna@ours.example", cc=("spam@junk.example",))
    assert rule(both, addresses=("spam@junk.example",), domains=blocked) == "never_import_domain"


def test_a_blocked_colleague_blocks_mail_that_stays_among_us():
    blocked = ("piotr@ours.example",)
    assert rule(mail("piotr@ours.example", "anna@ours.example"), addresses=blocked) == "never_import_address"
    assert rule(mail("piotr@ours.example", "anna@ours.example", "jan@nowak.example"), addresses=blocked) == ""


def test_colleagues_are_our_addresses_and_everybody_at_our_domains_but_free_mail():
    internal = ImportRuleKind.COLLEAGUES
    assert rule(mail("new@ours.example", "anna@ours.example"), internal) == "only_colleagues"
    assert rule(mail("boss@gmail.com", "anna@ours.example"), internal) == "only_colleagues"
    assert rule(mail("stranger@gmail.com", "anna@ours.example"), internal) == ""
    assert rule(ParsedMessage(), internal) == ""


@pytest.mark.parametrize(
    ("fields", "kind", "skipped"),
    [
        ({"list_id": "news.example"}, "mailing_list", True),
        ({"automatic": "list"}, "mailing_list", True),
        ({"automatic": "bulk"}, "mailing_list", False),
        ({"automatic": "bulk"}, "bulk_mail", True),
        ({"automatic": "auto-replied"}, "bulk_mail", False),
        ({"list_id": "news.example"}, "only_colleagues", False),
    ],
)
def test_newsletters_and_bulk_are_told_by_their_header(fields, kind, skipped):
    parsed = mail("shop@shop.example", "anna@ours.example", **fields)
    assert rule(parsed, kind) == (kind if skipped else "")


def test_more_than_twenty_recipients_are_bulk():
    many = [f"p{number}@x.example" for number in range(21)]
    assert rule(mail("jan@nowak.example", *many), "bulk_mail") == "bulk_mail"
    assert rule(mail("jan@nowak.example", *many[:20]), "bulk_mail") == ""


def test_without_rules_everything_is_imported():
    assert rule(mail("info@bank.example", "anna@ours.example", list_id="x", automatic="bulk")) == ""


def test_free_mail_is_known_by_its_exact_domain():
    assert is_free_mail("gmail.com") and is_free_mail("wp.pl")
    assert not is_free_mail("mail.gmail.com") and not is_free_mail("nowak.example")
