"""Search documents: the same words on both databases."""

from __future__ import annotations

import pytest
from django.db import connection

from mailwall.mailstore import search_index
from mailwall.mailstore.search_index import SearchDocument

pytestmark = pytest.mark.django_db


def found(*words: str, field: str = "") -> list[int]:
    """Documents that have all the words, each whole."""
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            mark = f":{search_index.WEIGHTS[field]}" if field else ""
            cursor.execute(
                "SELECT id FROM mailstore_search WHERE document @@ %s::tsquery ORDER BY id",
                [" & ".join(f"'{word}'{mark}" for word in words)],
            )
        else:
            query = " ".join(f'"{word}"' for word in words)
            cursor.execute(
                "SELECT rowid FROM mailstore_search WHERE mailstore_search MATCH %s ORDER BY rowid",
                [f"{field}: ({query})" if field else query],
            )
        return [row[0] for row in cursor.fetchall()]


def test_words_are_folded_and_cut_alike_on_both_databases():
    search_index.index_documents([
        SearchDocument(id=1, subject="Zażółć GĘŚLĄ", sender="Łukasz Müller l.mueller@straße.example", body="a_b 12e5"),
        SearchDocument(id=2, subject="x", recipients="Łukasz", body="„Привет“ — 日本語; don’t 0x1F foo-bar.pdf"),
    ])  # fmt: skip
    for words in (["zazolc", "gesla"], ["muller"], ["strasse"], ["a"], ["b"], ["12e5"]):
        assert found(*words) == [1], words
    for words in (["привет"], ["日本語"], ["don", "t"], ["0x1f"], ["foo"], ["bar"], ["pdf"]):
        assert found(*words) == [2], words
    assert found("lukasz") == [1, 2]
    assert (found("lukasz", field="sender"), found("lukasz", field="recipients")) == ([1], [2])
    assert found("zazolc", field="body") == []


def test_a_document_takes_the_place_of_the_one_before():
    search_index.index_documents([SearchDocument(id=1, body="before")])
    search_index.index_documents([SearchDocument(id=1, body="after")])
    assert (found("before"), found("after")) == ([], [1])
    search_index.delete_documents([1, 2])
    assert found("after") == []


def test_hostile_and_endless_texts_are_indexed_as_far_as_they_go():
    endless = " ".join(f"word{number}{'x' * 90}" for number in range(40_000))
    documents = [
        SearchDocument(id=1, body="first " + endless),
        SearchDocument(id=2, body="first " + "日本" * 400_000),
        SearchDocument(id=3, body="' \\ \" :1A <-> & | ! first * NEAR(a b) NULL"),
        SearchDocument(id=4, body="the " * 100_000 + "first"),
        SearchDocument(id=5),
    ]
    search_index.index_documents(documents)
    assert found("first") == [1, 2, 3, 4]
    assert found("near", "null") == [3]
    assert found(f"word1{'x' * 90}") == [1]


def test_nothing_to_index_asks_nothing(django_assert_num_queries):
    with django_assert_num_queries(0):
        search_index.index_documents([])
