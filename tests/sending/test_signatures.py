"""Signatures: cleaned twice, one for all accounts, and one of its own for an account."""

from __future__ import annotations

import pytest

from mailwall.sending import signatures
from mailwall.sending.errors import TextTooLong
from mailwall.sending.models import Signature
from tests.cast import make_account

pytestmark = pytest.mark.django_db
PIXEL = "data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
REAL = f"""<table cellpadding="0" cellspacing="0" border="0" style="font-family:Arial, sans-serif;font-size:13px;color:#333333">\
<tbody><tr><td style="padding-right:12px;border-right:2px solid #cc0000" valign="top">\
<img src="{PIXEL}" alt="Logo" width="64" height="64"><img src="https://corp.example/x.png" alt="Badge"></td>\
<td style="padding-left:12px"><b>Anna Nowak</b><br><span style="color:rgb(204, 0, 0)">Sales &amp; Żółć</span><br>\
<a href="https://corp.example/?a=1&amp;b=2" style="text-decoration:none" target="_blank">corp.example</a></td></tr></tbody></table>"""


def test_a_real_signature_survives_saving_and_reading(cast):
    assert signatures.save_signature(cast.alice, REAL) == REAL
    assert signatures.signature_of(cast.alice) == REAL
    assert signatures.save_signature(cast.alice, REAL) == REAL


def test_what_could_act_is_taken_out_when_saved_and_again_when_used(cast):
    hostile = '<p onclick="x()">ok</p><script>x()</script><img src="x" onerror="x()"><a href="javascript:x()">a</a>'
    assert signatures.save_signature(cast.alice, hostile) == "<p>ok</p><img><a>a</a>"
    Signature.objects.update(html=hostile)  # as an older cleaner may have left it
    assert signatures.signature_of(cast.alice) == "<p>ok</p><img><a>a</a>"
    assert signatures.signature_for(cast.alice, make_account(cast.alice)) == "<p>ok</p><img><a>a</a>"


def test_an_account_uses_the_general_signature_until_it_has_its_own(cast):
    work, private = make_account(cast.alice), make_account(cast.alice)
    assert signatures.signature_for(cast.alice, work) == ""
    signatures.save_signature(cast.alice, "<p>General</p>")
    signatures.save_signature(cast.alice, "<p>Private</p>", private)
    assert signatures.signature_for(cast.alice, work) == "<p>General</p>"
    assert signatures.signature_for(cast.alice, private) == "<p>Private</p>"
    assert signatures.accounts_with_own_signature(cast.alice) == {private.pk}
    signatures.use_general_signature(cast.alice, private)
    assert signatures.signature_for(cast.alice, private) == "<p>General</p>"


@pytest.mark.parametrize("nothing", ["<p><br></p>", "<p>&nbsp;</p>\n", "<script>x()</script>"])
def test_the_empty_paragraph_of_an_editor_is_no_signature(cast, nothing):
    assert signatures.save_signature(cast.alice, nothing) == ""
    assert signatures.save_signature(cast.alice, '<img src="https://a.example/b.png">') != ""


def test_an_empty_signature_of_an_account_is_one(cast):
    account = make_account(cast.alice)
    signatures.save_signature(cast.alice, "<p>General</p>")
    signatures.save_signature(cast.alice, "", account)
    assert signatures.signature_for(cast.alice, account) == ""


def test_a_colleague_has_a_signature_of_their_own(cast):
    signatures.save_signature(cast.alice, "<p>Alice</p>")
    assert signatures.signature_of(cast.charlie) is None
    assert signatures.signature_for(cast.charlie, make_account(cast.charlie)) == ""


def test_a_signature_beyond_its_size_is_refused_in_words(cast):
    with pytest.raises(TextTooLong, match=r"501 kB.* at most 500 kB"):
        signatures.save_signature(cast.alice, "ż" * 250_001)
    assert signatures.signature_of(cast.alice) is None


def test_rest_reads_and_replaces_the_general_signature(cast, api):
    assert api(cast.alice).get("/me/signature").json() == {"html": ""}
    assert api(cast.alice).call("PUT", "/me/signature", {"html": REAL + "<script>x()</script>"}).json() == {
        "html": REAL
    }
    assert api(cast.alice).get("/me/signature").json() == {"html": REAL}
    assert api(cast.charlie).get("/me/signature").json() == {"html": ""}
    assert api(None).get("/me/signature").status_code == 401


def test_rest_knows_the_signature_of_an_account_of_ones_own_alone(cast, api):
    account = make_account(cast.alice)
    alice = api(cast.alice)
    path = f"/me/signature?email_account={account.pk}"
    assert alice.get(path).json() == {"html": None}
    assert alice.call("PUT", path, {"html": "<p>Own</p>"}).json() == {"html": "<p>Own</p>"}
    assert alice.get("/me/signature").json() == {"html": ""}
    assert alice.call("PUT", path, {"html": None}).json() == {"html": None}
    for other in (cast.bob, cast.charlie, cast.erin):
        assert api(other).get(path).status_code == 404
        assert api(other).call("PUT", path, {"html": "x"}).status_code == 404


def test_rest_refuses_a_signature_that_is_too_long(cast, api):
    answer = api(cast.alice).call("PUT", "/me/signature", {"html": "x" * 500_001})
    assert (answer.status_code, answer.json()["code"]) == (422, "too_long")
    assert answer.json()["errors"][0]["field"] == "html"
