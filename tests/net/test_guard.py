"""Which host spellings may be dialled: none of the ways to write an internal address gets through."""

from __future__ import annotations

import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.errors import MailwallError
from mailwall.net import errors, guard
from mailwall.net.types import NetworkPolicy

NOBODY = NetworkPolicy()
_FORBIDDEN = """
127.0.0.1 localhost LOCALHOST localhost. sub.localhost 127.0.0.2 127.1 127.0.1 2130706433 0x7f000001 0x7f.1 0177.0.0.1
017700000001 0.0.0.0 0 ::1 0:0:0:0:0:0:0:1 :: ::ffff:127.0.0.1 ::ffff:7f00:1 ::127.0.0.1 10.0.0.1 172.16.0.1
172.31.255.254 192.168.1.1 169.254.169.254 100.64.0.1 fe80::1 fd00::1 fec0::1 64:ff9b::7f00:1 64:ff9b:1::1 2002:7f00:1::
224.0.0.1 224.0.1.1 255.255.255.255 ff02::1 ff0e::1 ::ffff:10.0.0.1 ::ffff:169.254.169.254 2001:0:7f00:1::1 fe80::5efe:7f00:1
2a00::5efe:a00:1 192.0.2.1 198.18.0.1 240.0.0.1 127.0.0.1. 127。0。0。1
"""
INVALID = [
    "",
    "[::1]",
    "127.0.0.1 ",
    " 127.0.0.1",
    "①②⑦.0.0.1",
    "127.0.0.1%00",
    "127.0.0.1#x",
    "user@127.0.0.1",
    "127.0.0.1:143",
    "http://127.0.0.1/",
    "127.0.0.1\r\nx",
    "::1%lo",
    "ⅼocalhost",
    "l\u200bocalhost",
    "local\x00host",
    "a..b",
    "-a.example",
    "1.2.3.4.5",
    "0x",
    "1.2.3.999",
    "a" * 64 + ".example",
    ("a" * 60 + ".") * 5,
    "１２７.0.0.1",
]


@pytest.mark.parametrize("host", _FORBIDDEN.split())
def test_internal_address_is_not_allowed(host: str) -> None:
    with pytest.raises(errors.HostNotAllowed) as raised:
        guard.resolve_allowed(host, 993, NOBODY)
    assert raised.value.code == "host_not_allowed"
    assert raised.value.message == raised.value.msgid % raised.value.params


@pytest.mark.parametrize("host", INVALID)
def test_what_is_no_host_is_invalid(host: str) -> None:
    with pytest.raises(errors.HostInvalid) as raised:
        guard.resolve_allowed(host, 993, NOBODY)
    assert raised.value.code == "host_invalid"


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_impossible_port_is_invalid(port: int) -> None:
    with pytest.raises(errors.HostInvalid):
        guard.resolve_allowed("192.0.2.1", port, NOBODY)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1", "localhost", "LOCALHOST."])
def test_allowed_address_may_be_dialled_in_any_spelling(host: str) -> None:
    found = guard.resolve_allowed(host, 143, NetworkPolicy(hosts_allow=("127.0.0.0/8", "::1")))
    assert {address.ip for address in found} <= {"127.0.0.1", "::1"}
    assert all(address.port == 143 for address in found)


def test_allow_list_allows_what_it_names_and_no_more() -> None:
    with pytest.raises(errors.HostNotAllowed):
        guard.resolve_allowed("127.0.0.2", 143, NetworkPolicy(hosts_allow=("127.0.0.1",)))


def test_name_on_the_allow_list_may_be_dialled() -> None:
    assert guard.resolve_allowed("localhost", 143, NetworkPolicy(hosts_allow=("LOCALHOST.",)))


def test_public_address_needs_no_permission() -> None:
    [address] = guard.resolve_allowed("8.8.8.8", 993, NOBODY)
    assert (address.ip, address.family) == ("8.8.8.8", socket.AF_INET)


def test_name_with_one_forbidden_address_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    answer = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (ip, 0)) for ip in ("8.8.8.8", "10.0.0.1")]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: answer)
    with pytest.raises(errors.HostNotAllowed):
        guard.resolve_allowed("rebinding.example", 993, NOBODY)


def test_unknown_name_is_said_to_be_unknown() -> None:
    with pytest.raises(errors.NameUnknown) as raised:
        guard.resolve_allowed("no-such-host.invalid", 993, NOBODY)
    assert raised.value.code_for("imap") == "imap_unknown_host"
    assert "no-such-host.invalid" in raised.value.message


def test_silent_name_service_ends_at_its_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_args, **_kwargs: time.sleep(2) or [])
    begin = time.monotonic()
    with pytest.raises(errors.NameLookupFailed):
        guard.resolve_allowed("slow.example", 993, NOBODY, timeout_seconds=0.1)
    assert time.monotonic() - begin < 1


def test_international_name_is_asked_for_by_its_a_label() -> None:
    assert guard.spell_host("Żółw.example") == ("xn--w-uga1v8h.example", None)


@given(st.text(max_size=60))
def test_any_text_gives_a_spelling_or_a_clear_error(host: str) -> None:
    try:
        name, _ = guard.spell_host(host)
    except MailwallError as error:
        assert error.message.isprintable()
    else:
        assert name.isascii()


@given(st.ip_addresses(v=4, network="10.0.0.0/8"))
def test_every_ipv6_form_of_an_internal_address_is_forbidden(address) -> None:
    number = int(address)
    forms = [
        f"::ffff:{address}",
        f"::{address}",
        f"64:ff9b::{address}",
        f"2002:{number >> 16:x}:{number & 0xFFFF:x}::1",
    ]
    for form in forms:
        with pytest.raises(errors.HostNotAllowed):
            guard.resolve_allowed(form, 993, NOBODY)
