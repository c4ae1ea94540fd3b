"""Addresses as people paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.urls import base_of

ENDINGS = ("/v1/chat/completions", "/v1")


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://h:1", "http://h:1"),
        (" http://h:1/ ", "http://h:1"),
        ("http://h/v1", "http://h"),
        ("http://h/v1/", "http://h"),
        ("http://h/prefix/v1/chat/completions", "http://h/prefix"),
        ("http://h/prefix//v1//", "http://h/prefix"),
        ("http://h/v1x", "http://h/v1x"),
        ("http://h/v1/v1", "http://h/v1"),
        ("", ""),
    ],
)
def test_one_known_ending_is_taken_off(url: str, base: str) -> None:
    """A route and slashes at the end go, once; a path before them stays."""
    assert base_of(url, ENDINGS) == base


@given(st.sampled_from(["http://h", "https://h:1/a/b"]), st.sampled_from(["", *ENDINGS]), st.sampled_from(["", "/"]))
def test_every_form_of_an_address_has_one_base(base: str, ending: str, slash: str) -> None:
    """Whatever ending it was pasted with, the base is the same."""
    assert base_of(base + ending + slash, ENDINGS) == base
