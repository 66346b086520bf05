"""Addresses: one normal form, lists as mailers write them, and no name that passes for an address."""

from __future__ import annotations

import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailwall.mime.addresses import (
    MAX_ADDRESSES,
    MAX_NAME_LENGTH,
    AddressInvalid,
    fold_address,
    normalize_email,
    parse_addresses,
)


def addresses(*values: bytes | str) -> list[str]:
    return [address.address for address in parse_addresses(values)]


@pytest.mark.parametrize(
    ("typed", "normal"),
    [
        (" Ewa@Kwiat.Example ", "ewa@kwiat.example"),
        ("ewa+rosen@kwiat.example", "ewa+rosen@kwiat.example"),
        ("info@BÜCHER.example", "info@xn--bcher-kva.example"),
        ("info@XN--BCHER-KVA.example", "info@xn--bcher-kva.example"),
        ("li@例子.example", "li@xn--fsqu00a.example"),
        ("ŻÓŁW@kwiat.example", "żółw@kwiat.example"),
        ("o'neill@kwiat.example", "o'neill@kwiat.example"),
    ],
)
def test_both_ways_give_one_normal_form(typed: str, normal: str) -> None:
    assert normalize_email(typed) == normal
    assert fold_address(typed) == normal


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "ewa",
        "ewa@",
        "@kwiat.example",
        "ewa@kwiat",
        "a b@kwiat.example",
        "ewa@kwiat..example",
        "ewa@kwiat.example,jan@x.example",
        "Ewa <ewa@kwiat.example>",
        "ewa@kwi at.example",
        "ewa@-kwiat.example",
        "ewa\n@kwiat.example",
        "x" * 300 + "@kwiat.example",
    ],
)
def test_what_is_no_address_is_refused_with_a_code(typed: str) -> None:
    with pytest.raises(AddressInvalid) as caught:
        normalize_email(typed)
    assert caught.value.code == "address_invalid"
    assert str(caught.value)


def test_look_alike_letters_stay_different() -> None:
    assert fold_address("\u0435wa@kwiat.example") != "ewa@kwiat.example"
    assert fold_address("ewa@kwi\u0430t.example") != "ewa@kwiat.example"


@pytest.mark.parametrize(
    "text", ["", "ewa", "@", "ewa@", "@x.example", "<>", "a b@x.example", "a@b@", "x@.", "ewa@x..example"]
)
def test_nothing_usable_folds_to_nothing(text: str) -> None:
    assert fold_address(text) == ""


@given(st.text(max_size=60) | st.from_regex(r'["a-zŁİ.]{1,9}@[a-zßŁ。.-]{1,12}', fullmatch=True))
def test_folding_never_raises_and_is_idempotent(text: str) -> None:
    folded = fold_address(text)
    assert fold_address(folded) == folded
    folded.encode("utf-8")


@given(st.emails() | st.from_regex(r"[a-zA-ZąŁÉé0-9.+_-]{1,10}@[a-zA-ZąŁÉ0-9]{1,8}\.[a-zA-Z]{2,6}", fullmatch=True))
def test_fold_agrees_with_normalize_wherever_that_accepts(text: str) -> None:
    try:
        normal = normalize_email(text)
    except AddressInvalid:
        return
    assert fold_address(text) == normal
    assert normalize_email(normal) == normal


@pytest.mark.parametrize(
    "value",
    [
        '"ewa@kwiat.example" <evil@attacker.example>',
        "ewa@kwiat.example <evil@attacker.example>",
        "<ewa@kwiat.example> <evil@attacker.example>",
        "=?utf-8?q?ewa=40kwiat=2Eexample?= <evil@attacker.example>",
        "=?utf-8?q?=3Cewa=40kwiat=2Eexample=3E?= <evil@attacker.example>",
        "=?utf-8?q?ewa=40kwiat.example=2C?= <evil@attacker.example>",
        "=?utf-8?b?PGV3YUBrd2lhdC5leGFtcGxlPg==?= evil@attacker.example",
        '"Ewa <ewa@kwiat.example>" <evil@attacker.example>',
        '"Ewa \\" <ewa@kwiat.example>" <evil@attacker.example>',
        "evil@attacker.example (ewa@kwiat.example)",
        "evil@attacker.example (<ewa@kwiat.example>)",
        "evil@attacker.example (ewa@kwiat.example",
        "evil@attacker.example (x (y) <ewa@kwiat.example>",
        "(ewa@kwiat.example) evil@attacker.example",
        "ewa@kwiat.example: evil@attacker.example;",
        "<ewa@kwiat.example:evil@attacker.example>",
        "<@kwiat.example:evil@attacker.example>",
        "\u202eewa@kwiat.example\u202c <evil@attacker.example>",
    ],
)
def test_a_name_never_becomes_the_address(value: str) -> None:
    found = addresses(value)
    assert "ewa@kwiat.example" not in found
    assert found in (["evil@attacker.example"], [])


def test_an_encoded_word_alone_is_no_address() -> None:
    assert addresses("=?utf-8?q?=3Cewa=40kwiat.example=3E?=") == []


@pytest.mark.parametrize(
    ("value", "found"),
    [
        ("a@x.example, b@x.example", ["a@x.example", "b@x.example"]),
        ("a@x.example;b@x.example ;", ["a@x.example", "b@x.example"]),
        ("a@x.example b@x.example", ["a@x.example", "b@x.example"]),
        (",, a@x.example,,", ["a@x.example"]),
        ("Team: a@x.example, Bo <b@x.example>; c@x.example", ["a@x.example", "b@x.example", "c@x.example"]),
        ("undisclosed-recipients:;", []),
        ("<@a.example,@b.example:user@c.example>", ["user@c.example"]),
        ("ewa @ kwiat.example", ["ewa@kwiat.example"]),
        ("Ewa<ewa@kwiat.example>", ["ewa@kwiat.example"]),
        ("<mailto:ewa@kwiat.example>", ["ewa@kwiat.example"]),
        ('"john doe"@x.example', ['"john doe"@x.example']),
        ('"ewa.k"@x.example', ["ewa.k@x.example"]),
        ("<ewa@[192.0.2.1]>", ["ewa@[192.0.2.1]"]),
        ("Ewa <ewa@kwiat.example", ["ewa@kwiat.example"]),
        ("Ewa <ewa@kwiat.example>>", ["ewa@kwiat.example"]),
        ("Ewa <<ewa@kwiat.example>>", ["ewa@kwiat.example"]),
        ("'ewa@kwiat.example'", ["ewa@kwiat.example"]),
        ("Ewa (flowers (red)) Kwiat <ewa(x)@kwiat.example>", ["ewa@kwiat.example"]),
        ("a@x.example, A@X.Example", ["a@x.example"]),
        ("root", []),
        ("", []),
    ],
)
def test_lists_are_read_as_mailers_write_them(value: str, found: list[str]) -> None:
    assert addresses(value) == found
    assert addresses(value.encode()) == found


@pytest.mark.parametrize(
    ("value", "name"),
    [
        (b"Ewa Kwiat <e@x.example>", "Ewa Kwiat"),
        (b'"Kwiat, Ewa" <e@x.example>', "Kwiat, Ewa"),
        (b"=?utf-8?q?Ewa_=C5=81?= <e@x.example>", "Ewa Ł"),
        (b'"=?utf-8?q?Ewa_=C5=81?=" <e@x.example>', "Ewa Ł"),
        (b"=?utf-8?b?xYE=?= =?utf-8?b?xYE=?= x <e@x.example>", "ŁŁ x"),
        ("Ewa Łuk <e@x.example>".encode(), "Ewa Łuk"),
        ("Jürgen <e@x.example>".encode("latin-1"), "Jürgen"),
        (b"e@x.example (Ewa \\(K\\))", "Ewa (K)"),
        (b"'Ewa' <e@x.example>", "Ewa"),
        (b"=?utf-8?q?a=0D=0ABcc=3A_b?= <e@x.example>", "a Bcc: b"),
    ],
)
def test_names_are_decoded(value: bytes, name: str) -> None:
    (address,) = parse_addresses([value])
    assert (address.name, address.address) == (name, "e@x.example")


def test_limits_hold() -> None:
    many = ", ".join(f"Li <a{i}@x.example>" for i in range(5_000))
    assert len(parse_addresses([many])) == MAX_ADDRESSES
    (long,) = parse_addresses(["n" * 5_000 + " <a@x.example>"])
    assert len(long.name) == MAX_NAME_LENGTH


@pytest.mark.parametrize(
    "value",
    [
        "(" * 5_000 + "x" + ")" * 5_000 + " a@x.example",
        "(" * 200_000,
        "<" * 200_000,
        '"' * 200_001,
        '"\\' * 100_000,
        '<"' * 100_000,
        "(<" * 100_000,
        "=?" * 100_000,
        "=?a?q?" * 80_000,
        "a@" * 100_000,
        ":" * 200_000,
        "\\" * 200_001,
        "x " * 100_000,
        "@ " * 100_000,
        "a (" * 70_000 + "<",
        "<(" * 100_000 + ">",
        "@:" * 100_000,
        '<"a"@' * 50_000,
    ],
)
def test_hostile_lists_take_linear_time(value: str) -> None:
    begun = time.process_time()
    found = parse_addresses([value])
    assert time.process_time() - begun < 2
    assert len(found) <= MAX_ADDRESSES


def test_five_thousand_nested_comments_hide_no_address() -> None:
    assert addresses("(" * 5_000 + "x" + ")" * 5_000 + " a@x.example") == ["a@x.example"]


@given(st.lists(st.binary(max_size=80) | st.text(alphabet='aé@<>(),;:"\\ .=?q_\x00\ud800', max_size=40), max_size=3))
def test_any_bytes_give_clean_addresses(values: list[bytes | str]) -> None:
    for address in parse_addresses(values):
        assert address.address and "\x00" not in address.address + address.name
        (address.address + address.name).encode("utf-8")
        assert fold_address(address.address) == address.address
        assert unicodedata.normalize("NFC", address.address) == address.address
