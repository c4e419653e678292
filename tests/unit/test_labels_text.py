"""Texts are read as consoles write them, in whole words."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.labels.lexicon import Lexicon, Reader
from radnet.labels.rules import load_rules
from radnet.labels.text import MAX_TEXT, fold, shape, words_of

SHIPPED = load_rules().reader()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        pytest.param("T1_POST-GD", ["t1", "post", "gd"], id="underscore and hyphen"),
        pytest.param("5.0 I70f", ["5.0", "i70f"], id="decimal and kernel stay whole"),
        pytest.param("Recon 2: C/A/P", ["recon", "2", "c", "a", "p"], id="slashes separate"),
        pytest.param("AX ST C+", ["ax", "st", "contrastgiven"], id="plus behind C"),
        pytest.param("AX T1+C", ["ax", "t1", "contrastgiven"], id="plus before C"),
        pytest.param("CT CHEST W/O", ["ct", "chest", "without"], id="without"),
        pytest.param("CT ABD W/CONTRAST", ["ct", "abd", "with", "contrast"], id="with, glued"),
        pytest.param("Ax T2* GRE", ["ax", "t2star", "gre"], id="star"),
        pytest.param("Série Cérébrale", ["serie", "cerebrale"], id="accents"),
        pytest.param("F.Tętnicza ŻYLNA", ["f", "tetnicza", "zylna"], id="Polish"),
        pytest.param("T2AXFS", ["t2", "ax", "fs"], id="glued words"),
        pytest.param("POSTOPBRAINSagT1se", ["postop", "brain", "sag", "t1", "se"], id="glued with capitals"),
        pytest.param("CHESTABDPELVIS", ["chestabdpelvis"], id="known whole"),
        pytest.param("NECKCHEST", ["neck", "chest"], id="glued body part"),
        pytest.param("a\x00b\x1bc", ["a", "b", "c"], id="control characters"),
        pytest.param("", [], id="empty"),
    ],
)
def test_text_is_read_in_the_words_that_were_meant(text: str, words: list[str]) -> None:
    assert SHIPPED.words(text) == words


@pytest.mark.parametrize(
    "text", ["Br59", "Topogram 1.0 T20s", "B30f", "PACE", "opti320", "infused", "I70f 3"]
)
def test_no_piece_of_a_word_is_heard(text: str) -> None:
    heard = SHIPPED.hear(text)

    assert not {"@t2", "@breast", "@b_value", "@phases"} & {*heard}


def test_a_numbers_digits_are_never_parted() -> None:
    reader = Reader(Lexicon({"a": ("t2",), "b": ("#s",)}))

    assert reader.words("t2000s") == ["t2000s"]


def test_the_longest_phrase_silences_the_words_within() -> None:
    reader = Reader(Lexicon({"given": ("contrast",), "denied": ("no contrast",)}))

    assert reader.hear("CT no contrast") == {"@denied": "no contrast"}
    assert reader.hear("CT contrast") == {"@given": "contrast"}


def test_a_prefix_is_heard_only_where_stated() -> None:
    reader = Reader(Lexicon({"stem": ("abdom*",), "whole": ("chest",)}))

    assert reader.hear("ABDOMINAL") == {"@stem": "abdominal"}
    assert reader.hear("chestnut") == {}


def test_a_digit_pattern_hears_any_number() -> None:
    reader = Reader(Lexicon({"b": ("b#",), "phase": ("phase #",)}))

    assert reader.hear("b800 phase 12") == {"@b": "b800", "@phase": "phase 12"}


def test_a_literal_word_of_a_rule_is_a_group_of_its_own() -> None:
    assert Reader(Lexicon(), ["twist"]).hear("TWIST_20s") == {"twist": "twist"}


def test_a_huge_text_is_read_in_its_beginning() -> None:
    reader = Reader(Lexicon({"end": ("end",)}))

    assert reader.hear("a " * MAX_TEXT + "end") == {}
    assert reader.hear("a" * 100_000) == {}
    assert reader.hear("a " * 50_000 + "end") == {"@end": "end"}, "10^5 characters are read whole"


def test_shape_writes_every_number_alike() -> None:
    assert shape("(2696/6/1..150)") == "(#/#/#..#)"


@given(st.text(max_size=60))
def test_words_hold_letters_and_digits_only(text: str) -> None:
    assert all(word.replace(".", "").isalnum() for word in words_of(fold(text)))


@given(st.text(alphabet="abcdxyz019 _-/+", max_size=40))
def test_case_never_matters_in_texts_of_one_case(text: str) -> None:
    assert SHIPPED.words(text.upper()) == SHIPPED.words(text)


@given(st.lists(st.sampled_from(["t1", "post", "gd", "ax", "fs", "chest"]), max_size=6))
def test_signs_between_words_never_matter(words: list[str]) -> None:
    assert SHIPPED.words("_".join(words)) == SHIPPED.words(" ".join(words)) == SHIPPED.words("-".join(words))
