"""What is known of mail providers by the domain of an address."""

from __future__ import annotations

import pytest

from mailwall.email_accounts import drafts, providers
from mailwall.email_accounts.providers import Hint


@pytest.mark.parametrize(
    ("address", "name", "host", "hint"),
    [
        ("anna@gmail.com", "Gmail", "imap.gmail.com", Hint.APP_PASSWORD),
        ("anna@GMAIL.com.", "Gmail", "imap.gmail.com", Hint.APP_PASSWORD),
        ("anna@outlook.com", "Outlook.com", "outlook.office365.com", Hint.OAUTH_ONLY),
        ("anna@wp.pl", "Wirtualna Polska", "imap.wp.pl", Hint.SWITCH_ON),
        ("anna@proton.me", "Proton Mail (Bridge)", "127.0.0.1", Hint.BRIDGE),
        ("anna@icloud.com", "iCloud", "imap.mail.me.com", Hint.APP_PASSWORD),
    ],
)
def test_a_known_domain_brings_its_servers_and_what_to_know_before_the_first_failure(address, name, host, hint):
    found = providers.find_provider(address)
    assert found is not None
    assert (found.name, found.imap.host, found.hint) == (name, host, hint)


def test_an_unknown_domain_is_none_and_gets_the_usual_names():
    assert providers.find_provider("anna@nowak.example") is None
    assert providers.find_provider("no address") is None
    imap, smtp = providers.guess_servers("anna@Nowak.example")
    assert (imap.host, imap.port, smtp.host, smtp.port) == ("imap.nowak.example", 993, "smtp.nowak.example", 465)


def test_about_forty_providers_are_known():
    assert len({id(provider) for provider in providers._BY_DOMAIN.values()}) >= 40


def test_an_app_password_pasted_in_groups_loses_its_spaces_but_no_other_password_does():
    assert drafts.tidy_password("abcd efgh ijkl mnop", "imap.gmail.com") == "abcdefghijklmnop"
    assert drafts.tidy_password("abcd efgh ijkl mnop", "imap.nowak.example") == "abcd efgh ijkl mnop"
    assert drafts.tidy_password("a secret with spaces", "imap.gmail.com") == "a secret with spaces"
