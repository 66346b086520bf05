"""LIST and STATUS answers: roles in many languages, names of every spelling, one odd line stops no others."""

from __future__ import annotations

import base64

import pytest

from mailwall.imap import folders
from mailwall.imap.reader import Response
from mailwall.imap.types import FolderInfo, FolderStatus

SENT = """Sent;Sent Items;Sent Messages;Sent Mail;Wysłane;Elementy wysłane;Gesendet;Gesendete Elemente;Envoyés;
Éléments envoyés;Enviados;Elementos enviados;Posta inviata;Inviati;Itens enviados;Verzonden items;Odeslaná pošta;
Отправленные;Надіслані;Skickat;Gönderilmiş Öğeler;送信済み;已发送;Elküldött;Sendt post;Sendte elementer;Lähetetyt;
Odoslaná pošta;Trimise;Απεσταλμένα""".replace("\n", "").split(";")


def listed(*lines: bytes) -> list[FolderInfo]:
    found = [folders.folder_info(Response((b"* LIST " + line,), ())) for line in lines]
    return folders.with_roles_by_name([folder for folder in found if folder is not None])


def utf7(name: str) -> bytes:
    shifted = "".join(char if char.isascii() else "&" + _b64(char) + "-" for char in name)
    return shifted.encode()


def _b64(char: str) -> str:
    return base64.b64encode(char.encode("utf-16-be")).decode().rstrip("=").replace("/", ",")


@pytest.mark.parametrize("name", SENT)
@pytest.mark.parametrize("prefix", ["", "INBOX.", "[Gmail]."])
def test_sent_is_known_by_its_name(name: str, prefix: str) -> None:
    [inbox, folder] = listed(b'() "." INBOX', b'() "." "' + prefix.encode() + utf7(name) + b'"')
    assert (folder.role, folder.role_by, folder.name) == ("sent", "name", prefix + name)
    assert (inbox.role, inbox.role_by) == ("inbox", "special_use")


@pytest.mark.parametrize(
    ("name", "role"),
    [("Kosz", "trash"), ("Szkice", "drafts"), ("Spam", "junk"), ("Archiwum", "archive"), ("Papierkorb", "trash")],
)
def test_other_roles_are_known_by_name(name: str, role: str) -> None:
    assert listed(b'() "/" ' + name.encode())[0].role == role


def test_flag_beats_name() -> None:
    found = listed(b'(\\Sent) "/" Out', b'() "/" Sent')
    assert [(folder.name, folder.role, folder.role_by) for folder in found] == [
        ("Out", "sent", "special_use"),
        ("Sent", "", ""),
    ]


def test_project_folder_called_sent_has_no_role() -> None:
    assert listed(b'() "/" Projects/Sent')[0].role == ""


def test_folder_that_cannot_be_selected_has_no_role_by_name() -> None:
    [folder] = listed(b'(\\Noselect) "/" Sent')
    assert (folder.role, folder.selectable) == ("", False)


def test_inbox_in_any_case_is_one_folder() -> None:
    found = listed(b'() "/" Inbox', b'() "/" "INBOX"', b'() "/" inbox')
    assert [(folder.raw_name, folder.name) for folder in found] == [(b"INBOX", "INBOX")]


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        (b"Entw&APw-rfe", "Entwürfe"),
        (b"A &- B", "A & B"),
        (b"&2D3eAA-", "😀"),
        (b"&Jjo!", "&Jjo!"),
        (b"&AAAA*-", "&AAAA*-"),
        (b"a&b-c", "a&b-c"),
        ("Żółw".encode(), "Żółw"),
        (b"\xff\xfe", "\ufffd\ufffd"),
    ],
)
def test_name_is_decoded_or_shown_as_it_is(raw: bytes, name: str) -> None:
    assert folders.decode_name(raw) == name


def test_raw_name_is_kept_for_commands() -> None:
    assert listed(b'() "/" "Entw&APw-rfe"')[0].raw_name == b"Entw&APw-rfe"


@pytest.mark.parametrize("raw", [b'"a\\"b"', b"0123", b'"%*"', b"NIL", b'"x (y)"'])
def test_odd_names_are_names(raw: bytes) -> None:
    expected = raw.strip(b'"').replace(b"\\", b"")
    assert listed(b'() "/" ' + raw)[0].raw_name == expected


def test_name_as_a_literal_is_read() -> None:
    found = folders.folder_info(Response((b'* LIST () "/" ', b""), (b"a\\b",)))
    assert found is not None
    assert found.raw_name == b"a\\b"


def test_flat_namespace_has_no_delimiter() -> None:
    assert listed(b"() NIL Sent")[0].role == "sent"


def test_unreadable_line_stops_no_others() -> None:
    assert [folder.name for folder in listed(b'() "/" "broken', b'() "/" fine')] == ["fine"]


def test_status_is_read_with_and_without_modseq() -> None:
    line = b'* STATUS "A b" (MESSAGES 3 UIDNEXT 9 UIDVALIDITY 4294967295%b)'
    plain = folders.status(Response((line % b"",), ()))
    assert plain == (b"A b", FolderStatus(uidvalidity=4294967295, uidnext=9, messages=3))
    condstore = folders.status(Response((line % b" HIGHESTMODSEQ 9223372036854775807",), ()))
    assert condstore is not None
    assert condstore[1].highestmodseq == 2**63 - 1
