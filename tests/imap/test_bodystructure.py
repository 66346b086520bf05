"""BODYSTRUCTURE answers of real servers become part trees; odd ones become None, never an error."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from mailwall.imap import bodystructure, reader
from mailwall.mime.types import BodyPart

PLAIN = b'("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "QUOTED-PRINTABLE" 1152 23 NIL NIL NIL NIL)'
HTML = b'("text" "html" ("charset" "utf-8") NIL NIL "base64" 900 12 NIL NIL NIL NIL)'
ENVELOPE = b'("date" "subject" NIL NIL NIL NIL NIL NIL NIL "<id@example.org>")'


def tree(raw: bytes) -> BodyPart:
    [token] = reader.tokens([raw], [])
    found = bodystructure.body_part(token)
    assert found is not None
    return found


def pdf(disposition: bytes, params: bytes = b"NIL") -> BodyPart:
    return tree(b'("application" "pdf" ' + params + b' "<c@d>" NIL "BASE64" 684212 NIL ' + disposition + b" NIL NIL)")


def test_single_part_is_section_one() -> None:
    part = tree(PLAIN)
    assert (part.section, part.content_type, part.charset) == ("1", "text/plain", "UTF-8")
    assert (part.encoding, part.size_bytes) == ("quoted-printable", 1152)


def test_multipart_children_are_numbered_from_one() -> None:
    root = tree(
        b"((" + PLAIN + HTML + b' "alternative" NIL NIL NIL NIL)' + PLAIN + b' "mixed" ("boundary" "x") NIL NIL NIL)'
    )
    assert [(part.section, part.content_type) for part in root.walk()] == [
        ("", "multipart/mixed"),
        ("1", "multipart/alternative"),
        ("1.1", "text/plain"),
        ("1.2", "text/html"),
        ("2", "text/plain"),
    ]


def test_multipart_inside_a_message_shares_its_section() -> None:
    inner = b"(" + PLAIN + HTML + b' "alternative" NIL NIL NIL NIL)'
    message = b'("message" "rfc822" NIL NIL NIL "7bit" 5000 ' + ENVELOPE + b" " + inner + b" 90 NIL NIL NIL NIL)"
    root = tree(b"(" + PLAIN + message + b' "mixed" NIL NIL NIL NIL)')
    assert [part.section for part in root.walk()] == ["", "1", "2", "2", "2.1", "2.2"]


def test_single_part_inside_a_message_is_its_section_one() -> None:
    message = (
        b'("message" "rfc822" NIL NIL NIL "7bit" 5000 '
        + ENVELOPE
        + b" "
        + PLAIN
        + b' 90 NIL ("attachment" ("filename" "a.eml")) NIL NIL)'
    )
    root = tree(b"(" + PLAIN + message + b' "mixed" NIL NIL NIL NIL)')
    assert [part.section for part in root.walk()] == ["", "1", "2", "2.1"]
    assert root.children[1].filename == "a.eml"


def test_disposition_gives_the_file_name() -> None:
    part = pdf(b'("ATTACHMENT" ("FILENAME" "report.pdf"))')
    assert (part.disposition, part.filename, part.content_id) == ("attachment", "report.pdf", "c@d")


def test_name_parameter_stands_in_for_a_missing_file_name() -> None:
    assert pdf(b"NIL", b'("name" "report.pdf")').filename == "report.pdf"


def test_rfc_2231_file_name_is_decoded() -> None:
    assert pdf(b'("attachment" ("filename*" "utf-8\'pl\'%C5%BC%C3%B3%C5%82ty.pdf"))').filename == "żółty.pdf"


def test_rfc_2231_pieces_are_joined_in_their_order() -> None:
    params = b'("filename*1*" "%82ty" "filename*0*" "utf-8\'\'%C5%BC%C3%B3%C5" "filename*2" " 100%.pdf")'
    assert pdf(b'("attachment" ' + params + b")").filename == "żółty 100%.pdf"


def test_encoded_word_as_file_name_is_decoded() -> None:
    assert pdf(b'("attachment" ("filename" "=?utf-8?B?xbzDs8WCdHkucGRm?="))').filename == "żółty.pdf"


def test_raw_bytes_as_file_name_are_read() -> None:
    assert pdf('("attachment" ("filename" "żółty.pdf"))'.encode()).filename == "żółty.pdf"


def test_disposition_as_a_bare_string_is_read() -> None:
    assert pdf(b'"attachment"').disposition == "attachment"


def test_disposition_as_one_string_with_its_parameters_gives_the_file_name() -> None:
    part = pdf(rb'"attachment; filename=\"Umowa nr 7.pdf\""')
    assert (part.disposition, part.filename) == ("attachment", "Umowa nr 7.pdf")


def test_structure_without_extension_data_is_read() -> None:
    part = tree(b'("text" "plain" NIL NIL NIL "7bit" 12 1)')
    assert (part.size_bytes, part.disposition) == (12, "")


def test_text_without_a_line_count_keeps_its_disposition() -> None:
    part = tree(b'("text" "csv" NIL NIL NIL "base64" 12 NIL ("attachment" ("filename" "a.csv")) NIL NIL)')
    assert (part.disposition, part.filename) == ("attachment", "a.csv")


def test_ten_thousand_parts_are_read() -> None:
    assert len(tree(b"(" + PLAIN * 10_000 + b' "mixed" NIL NIL NIL NIL)').children) == 10_000


def test_too_deep_structure_is_none_or_unreadable() -> None:
    token: reader.Token = [b"text", b"plain", None, None, None, b"7bit", b"1", b"1"]
    for _ in range(5000):
        token = [token, b"mixed"]
    assert bodystructure.body_part(token) is None


def test_missing_structure_is_none() -> None:
    assert bodystructure.body_part(None) is None
    assert bodystructure.body_part([]) is None
    assert bodystructure.body_part(b"NIL") is None


TOKENS = st.recursive(
    st.none() | st.sampled_from([b"text", b"message", b"rfc822", b"plain", b"filename*0*", b"12", b"\xff", b"'a'%"]),
    lambda inner: st.lists(inner, max_size=12),
    max_leaves=60,
)


@given(TOKENS)
@settings(max_examples=500, deadline=None)
def test_any_tokens_give_a_tree_or_none(token: reader.Token) -> None:
    found = bodystructure.body_part(token)
    if found is not None:
        assert all(isinstance(part.filename, str) for part in found.walk())
