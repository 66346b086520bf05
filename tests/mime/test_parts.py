"""Which parts are the text, which are attachments: from what BODYSTRUCTURE tells."""

from __future__ import annotations

from mailwall.mime.parts import choose_bodies, choose_text_parts, list_attachments, structure_defects
from mailwall.mime.types import BodyPart


def part(section: str, content_type: str, *children: BodyPart, **fields: str | int) -> BodyPart:
    return BodyPart(section=section, content_type=content_type, children=children, **fields)  # type: ignore[arg-type]


def sections(parts: tuple[BodyPart, ...]) -> list[str]:
    return [item.section for item in parts]


PLAIN, HTML = "text/plain", "text/html"


def test_an_alternative_gives_both_sides() -> None:
    tree = part("", "multipart/alternative", part("1", PLAIN), part("2", HTML))
    assert sections(choose_text_parts(tree)) == ["1", "2"]
    bodies = choose_bodies(tree)
    assert (sections(bodies.text), sections(bodies.html)) == (["1"], ["2"])


def test_outlook_tree_of_mixed_related_alternative() -> None:
    alternative = part("1.1", "multipart/alternative", part("1.1.1", PLAIN), part("1.1.2", HTML))
    image = part("1.2", "image/png", content_id="a@b", filename="logo.png")
    tree = part("", "multipart/mixed", part("1", "multipart/related", alternative, image), part("2", "application/pdf"))
    assert sections(choose_text_parts(tree)) == ["1.1.1", "1.1.2"]
    assert [(item.section, item.inline) for item in list_attachments(tree)] == [("1.2", True), ("2", False)]


def test_the_start_parameter_names_the_root_of_related_parts() -> None:
    tree = part(
        "",
        "multipart/related",
        part("1", "image/png", content_id="i"),
        part("2", HTML, content_id="root"),
    )
    tree = BodyPart(section="", content_type=tree.content_type, children=tree.children, params=(("start", "<root>"),))
    assert sections(choose_text_parts(tree)) == ["2"]


def test_a_second_text_in_related_parts_is_no_body() -> None:
    tree = part("", "multipart/related", part("1", HTML), part("2", PLAIN, filename="style.txt"))
    assert sections(choose_text_parts(tree)) == ["1"]
    assert [item.section for item in list_attachments(tree)] == ["2"]


def test_signed_mail_keeps_its_signature_as_an_attachment() -> None:
    tree = part("", "multipart/signed", part("1", PLAIN), part("2", "application/pgp-signature"))
    assert sections(choose_text_parts(tree)) == ["1"]
    assert [item.content_type for item in list_attachments(tree)] == ["application/pgp-signature"]


def test_text_of_an_attached_message_stays_out() -> None:
    inner = part(
        "2", "message/rfc822", part("2", "multipart/mixed", part("2.1", PLAIN), part("2.2", "application/pdf"))
    )
    tree = part("", "multipart/mixed", part("1", PLAIN), inner)
    assert sections(choose_text_parts(tree)) == ["1"]
    assert [(item.section, item.content_type, item.filename) for item in list_attachments(tree)] == [
        ("2", "message/rfc822", "")
    ]


def test_attached_text_is_no_body_and_nameless_text_is_no_attachment() -> None:
    tree = part(
        "",
        "multipart/mixed",
        part("1", PLAIN),
        part("2", PLAIN, disposition="attachment"),
        part("3", HTML, filename="page.html"),
        part("4", PLAIN),
    )
    assert sections(choose_text_parts(tree)) == ["1", "4"]
    assert [item.section for item in list_attachments(tree)] == ["2", "3"]


def test_every_leaf_is_either_body_or_attachment_or_an_unseen_alternative() -> None:
    tree = part(
        "",
        "multipart/alternative",
        part("1", PLAIN),
        part("2", "text/x-amp-html"),
        part("3", HTML),
        part("4", "text/calendar"),
    )
    assert sections(choose_text_parts(tree)) == ["1", "3"]
    assert [item.section for item in list_attachments(tree)] == ["4"]


def test_a_single_part_is_body_or_attachment() -> None:
    assert sections(choose_text_parts(part("1", PLAIN, disposition="attachment"))) == ["1"]
    assert sections(choose_text_parts(part("1", "application/pdf"))) == []
    assert [item.section for item in list_attachments(part("1", "application/pdf", size_bytes=9))] == ["1"]


def test_sizes_are_estimated_or_exact_when_the_bytes_are_at_hand() -> None:
    tree = part("1", "application/pdf", encoding="base64", size_bytes=136_844 + 2 * 1_800)
    (estimated,) = list_attachments(tree)
    assert abs(estimated.size_bytes - 102_633) < 2_000
    (exact,) = list_attachments(part("1", "application/pdf", encoding="base64", size_bytes=8), {"1": b"QUJDRA=="})
    assert (exact.size_bytes, exact.encoded_size_bytes) == (4, 8)


def test_trees_beyond_the_limits_are_cut_and_say_so() -> None:
    deep = part("1", PLAIN)
    for _ in range(5_000):
        deep = BodyPart(section="1", content_type="multipart/mixed", children=(deep,))
    assert structure_defects(deep) == ("nested too deep",)
    assert choose_text_parts(deep) == ()
    wide = part("", "multipart/mixed", *[part(str(number), PLAIN) for number in range(1, 10_001)])
    assert structure_defects(wide) == ("too many parts",)
    assert len(choose_text_parts(wide)) < 1_001
