"""Cleaned HTML runs nothing, loads nothing, overlays nothing, and still looks like the mail. Judged by walking its DOM."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st
from selectolax.lexbor import LexborHTMLParser

from mailwall.mime.html import clean_html, clean_written_html

_HARMLESS_DATA = re.compile(r"data:image/(png|jpeg|jpg|gif|webp);base64,[A-Za-z0-9+/=%]*", re.IGNORECASE)
_HARMLESS_LINK = re.compile(r"(https?://|mailto:|tel:)", re.IGNORECASE)
# ruff: noqa: SIM905 - lists of words read better as words
_FORBIDDEN_TAGS = frozenset(
    "script style iframe object embed form input button textarea select svg math link meta base template noscript audio "
    "video source frame frameset applet portal dialog marquee".split()
)
_ALLOWED_ATTRIBUTES = frozenset(
    "href target rel src data-remote-src data-cid alt title style dir lang align valign width height border bgcolor "
    "bordercolor cellpadding cellspacing nowrap rules frame colspan rowspan abbr scope color face size span summary "
    "noshade clear start type reversed value datetime hspace vspace".split()
)


def findings(cleaned: str) -> list[str]:
    """Everything in the DOM of cleaned HTML that could run, load, overlay or clobber."""
    found = []
    body = LexborHTMLParser(f"<!doctype html><body>{cleaned}").body
    assert body is not None
    for node in body.traverse():
        if not node.is_element_node or node.tag == "body":
            continue
        if node.tag in _FORBIDDEN_TAGS:
            found.append(f"<{node.tag}>")
        for name, value in node.attributes.items():
            value = value or ""
            ours = node.tag == "details" and (name, value) == ("class", "quoted")
            if name not in _ALLOWED_ATTRIBUTES and not ours:
                found.append(f"{node.tag} {name}")
            if name == "src" and not _HARMLESS_DATA.fullmatch(value):
                found.append(f"src={value}")
            if name == "href" and not _HARMLESS_LINK.match(value):
                found.append(f"href={value}")
            if name == "style" and re.search(
                r"url|expression|position|\\|@|image-set|var\(|behavior|binding|javascript", value, re.I
            ):
                found.append(f"style={value}")
        if node.tag == "a" and (node.attributes.get("rel"), node.attributes.get("target")) != (
            "noopener noreferrer nofollow",
            "_blank",
        ):
            found.append("a without rel or target")
    return found


PAYLOADS = [
    "<script>alert(1)</script>",
    "<ScRiPt src=//x.example>",
    "<img src=x onerror=alert(1)>",
    "<img src='https://t.example/p.gif'>",
    "<svg onload=alert(1)>",
    "<svg><script>alert(1)</script></svg>",
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<a href='javascript:alert(1)'>x</a>",
    "<a href='java\tscript:alert(1)'>x</a>",
    "<a href=' \x01javascript:alert(1)'>x</a>",
    "<a href='&#106;avascript:alert(1)'>x</a>",
    "<a href='data:text/html,<script>alert(1)</script>'>x</a>",
    "<a href='vbscript:x'>x</a>",
    "<a href='cid:x'>x</a>",
    "<a href='//x.example/y'>x</a>",
    "<a href='/admin/delete'>x</a>",
    "<a href='#top'>x</a>",
    "<a href='file:///etc'>x</a>",
    "<iframe src='https://x.example'></iframe>",
    "<iframe srcdoc='<script>alert(1)</script>'>",
    "<object data=x></object>",
    "<embed src=x>",
    "<form action=https://x.example><input name=p><button>Go</button></form>",
    "<base href='https://x.example/'>",
    "<link rel=stylesheet href=//x.example>",
    "<meta http-equiv=refresh content='0;url=https://x.example'>",
    "<style>@import 'https://x.example/a.css';</style>",
    "<div style='background:url(https://t.example/p)'>x</div>",
    "<div style='background-image:url(https://t.example/p)'>x</div>",
    "<div style='background:u\\72l(https://t.example/p)'>x</div>",
    "<div style='width:expression(alert(1))'>x</div>",
    "<div style='position:fixed;top:0;left:0;width:100%;height:100%'>x</div>",
    "<div style='color:red;-moz-binding:url(x)'>x</div>",
    "<div style='list-style:url(https://t.example/p)'>x</div>",
    "<div style='content:url(https://t.example/p)'>x</div>",
    "<div style='background:image-set(\"https://t.example/p\" 1x)'>x</div>",
    "<div style='color:var(--x)'>x</div>",
    "<div style='background:/**/url(https://t.example)'>x</div>",
    "<div style='border-image:url(https://t.example)'>x</div>",
    "<div style='cursor:url(https://t.example)'>x</div>",
    "<div style='margin-top:-9999px'>x</div>",
    "<div style='font:url(x)'>x</div>",
    "<table background='https://t.example/p'><tr><td background='https://t.example/p'>x</td></tr></table>",
    "<body background='https://t.example/p'>x",
    "<img srcset='https://t.example/p 1x, https://t.example/q 2x'>",
    "<picture><source srcset='https://t.example/p'><img src=x></picture>",
    "<img src='data:image/svg+xml;base64,PHN2Zz4='>",
    "<img src='data:text/html;base64,PHN2Zz4='>",
    "<img src='javascript:alert(1)'>",
    "<img lowsrc='https://t.example/p' dynsrc='https://t.example/p'>",
    "<video src='https://t.example/v' poster='https://t.example/p'>",
    "<audio src='https://t.example/a' autoplay>",
    "<input type=image src='https://t.example/p'>",
    "<bgsound src='https://t.example/a'>",
    "<img id=cookie name=body class=navbar src=cid:x>",
    "<a name=getElementById id=x class=btn href=https://x.example>x</a>",
    "<p onclick=alert(1) onmouseover='alert(1)'>x</p>",
    "<details open ontoggle=alert(1)><summary>x</summary></details>",
    "<dialog open>x</dialog>",
    "<details class=quoted><summary>forged</summary>hidden</details>",
    "<noscript><p title='</noscript><img src=x onerror=alert(1)>'>",
    "<p title='\"><img src=https://t.example/p>'>x</p>",
    "<p title='<img src=\"https://t.example/p\">'>x</p>",
    "<!--><img src=x onerror=alert(1)>-->",
    "<textarea></textarea><img src=x onerror=alert(1)></textarea>",
    "<xmp><img src=x onerror=alert(1)></xmp>",
    "<plaintext><script>alert(1)",
    "<template><img src=x onerror=alert(1)></template>",
    "<select><style></select><img src=x onerror=alert(1)></style>",
    "<form><math><mtext></form><form><mglyph><style></math><img src onerror=alert(1)>",
    "<svg><style><img src=x onerror=alert(1)></style></svg>",
    "<a href='https://x.example' target=_self rel=opener ping='https://t.example'>x</a>",
    "<area href='javascript:x'>",
    "<map name=x><area href=https://x.example></map>",
    "<img src=https://t.example/p/>",
    '<img src="https://t.example/a b" / alt="x">',
    "<IMG SRC=HTTPS://T.EXAMPLE/P>",
    "<img src=' https://t.example/p'>",
    "<image src=https://t.example/p>",
    "<img src=//t.example/p>",
    "<img/src=https://t.example/p>",
    '<img alt=" src=x" src=https://t.example/p>',
]


@pytest.mark.parametrize("payload", PAYLOADS)
@pytest.mark.parametrize("fold_quotes", [False, True])
def test_hostile_html_is_harmless_after_cleaning(payload: str, fold_quotes: bool) -> None:
    cleaned = clean_html(
        f"<p>before</p>{payload}<p>after</p><blockquote type=cite>{payload}</blockquote>", fold_quotes=fold_quotes
    )
    assert findings(cleaned) == []
    assert "before" in cleaned


@given(st.lists(st.sampled_from(PAYLOADS) | st.text(alphabet="<>/\"'=ab -!\x00", max_size=8), max_size=6).map("".join))
def test_mixtures_of_hostile_html_are_harmless(source: str) -> None:
    for fold_quotes in (False, True):
        cleaned = clean_html(source, fold_quotes=fold_quotes)
        assert findings(cleaned) == []
        assert "\x00" not in cleaned


@given(st.text(alphabet="<>/ab \ud800\x00&;#", max_size=60))
def test_cleaning_never_raises_and_is_stable(source: str) -> None:
    cleaned = clean_html(source)
    cleaned.encode("utf-8")
    assert clean_html(cleaned) == cleaned


def test_remote_images_are_kept_aside_and_data_images_stay() -> None:
    source = '<img src="https://t.example/p.png?a=1&b=2" width="9" alt="Logo"><img src="//t.example/q"><img src="CID:logo@x"><img src="data:image/png;base64,QUJD">'
    assert clean_html(source) == (
        '<img data-remote-src="https://t.example/p.png?a=1&amp;b=2" width="9" alt="Logo">'
        '<img data-remote-src="https://t.example/q"><img data-cid="logo@x"><img src="data:image/png;base64,QUJD">'
    )


def test_text_that_looks_like_an_image_stays_text() -> None:
    assert (
        clean_html('<p>write &lt;img src="https://x.example"&gt;</p>')
        == '<p>write &lt;img src="https://x.example"&gt;</p>'
    )


def test_the_look_of_a_mail_survives() -> None:
    source = (
        '<table width="600" cellpadding="0" bgcolor="#ffffff" align="center"><tbody><tr><td colspan="2" '
        "style=\"padding:10px 5px;font-family:Arial, 'Segoe UI',sans-serif;color:rgb(1, 2, 3);border-top:1px solid #ccc\">"
        '<b>Hello</b> <font color="red" size="2">Jan</font></td></tr></tbody></table>'
    )
    cleaned = clean_html(source)
    for kept in (
        'width="600"',
        'bgcolor="#ffffff"',
        "padding:10px 5px",
        "'Segoe UI'",
        "rgb(1, 2, 3)",
        "border-top:1px solid #ccc",
        'size="2"',
    ):
        assert kept in cleaned.replace("&quot;", '"').replace("&#39;", "'")


def test_links_keep_their_target_and_tell_nobody() -> None:
    assert clean_html('<a href="https://x.example/?a=1">x</a>') == (
        '<a href="https://x.example/?a=1" target="_blank" rel="noopener noreferrer nofollow">x</a>'
    )
    assert 'href="mailto:a@x.example"' in clean_html('<a href="mailto:a@x.example">x</a>')


@pytest.mark.parametrize(
    "source",
    [
        "<div>" * 5_000 + "deep" + "</div>" * 5_000,
        "<div>" * 500_000 + "deep",
        "<a " + "".join(f"x{n}=1 " for n in range(200_000)) + ">deep</a>",
        "<b><i><p>" * 5_000 + "deep",
        "<table><tr><td>" * 3_000 + "deep",
        "<blockquote type=cite>" * 3_000 + "deep" + "</blockquote>" * 3_000,
        "<p>deep</p>" + "<div style='border:none;border-top:solid'>From: x Sent: y" * 2_000,
        "<p>deep</p>" + "<blockquote>x</blockquote>" * 20_000,
    ],
    ids=[
        "5,000 deep",
        "500,000 deep",
        "200,000 attributes",
        "misnested",
        "tables",
        "quotes in quotes",
        "rules",
        "quotes",
    ],
)
def test_hostile_sizes_are_cleaned_in_time(source: str) -> None:
    begun = time.process_time()
    cleaned = clean_html(source, fold_quotes=True)
    assert time.process_time() - begun < 3
    assert "deep" in cleaned


def test_a_large_newsletter_is_cleaned_in_time() -> None:
    row = (
        '<tr><td style="padding:3px;color:#333"><a href="https://x.example/a">Offer</a> <b>now</b> &amp; here</td></tr>'
    )
    source = "<table>" + row * 7_000 + "</table>"
    assert len(source) > 740_000
    begun = time.process_time()
    clean_html(source)
    assert time.process_time() - begun < 1.5


def test_what_our_users_write_keeps_images_and_links_and_loses_what_acts():
    source = (
        '<table width="1" style="color:red;position:fixed"><tr><td><img src="https://a.example/b.png" onerror="x()">'
        '<img src="data:image/png;base64,AAAA"><img src="data:image/svg+xml;base64,AAAA"><img src="cid:1">'
        '<a href="https://a.example" target="_top">a</a></td></tr></table><!-- c --><style>p{}</style><form><input></form>'
    )
    assert clean_written_html(source) == (
        '<table width="1" style="color:red"><tbody><tr><td><img src="https://a.example/b.png">'
        '<img src="data:image/png;base64,AAAA"><img><img>'
        '<a href="https://a.example">a</a></td></tr></tbody></table>'
    )  # fmt: skip
