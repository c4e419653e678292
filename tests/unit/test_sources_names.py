"""File names survive a table whatever bytes they hold."""

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from radnet.sources.names import name_of, text_of

file_names = st.one_of(
    st.binary(min_size=1, max_size=40).map(os.fsdecode),
    st.text(alphabet="\\x5c80fé\udc80", min_size=1, max_size=30),
)


@given(file_names)
def test_every_name_comes_back_exactly(name: str) -> None:
    assert name_of(text_of(name)) == name


@given(file_names)
def test_every_text_is_valid_utf8(name: str) -> None:
    text_of(name).encode("utf-8")


@given(file_names, file_names)
def test_different_names_have_different_texts(one: str, other: str) -> None:
    assert (text_of(one) == text_of(other)) == (one == other)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        pytest.param("/a/IM0001", "/a/IM0001", id="plain"),
        pytest.param("/a/Schädel 1", "/a/Schädel 1", id="utf-8"),
        pytest.param(os.fsdecode(b"/a/Sch\xe4del"), r"/a/Sch\xe4del", id="latin-1"),
        pytest.param(r"C:\export", r"C:\export", id="backslash"),
        pytest.param(r"a\xe4b", r"a\x5cxe4b", id="reads like an escape"),
    ],
)
def test_only_unusual_names_change(name: str, text: str) -> None:
    assert text_of(name) == text
