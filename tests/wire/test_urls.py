"""Addresses as people paste them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.urls import base_of, same_server, with_scheme

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


@pytest.mark.parametrize(
    ("url", "whole"),
    [
        ("localhost:8000", "http://localhost:8000"),
        ("localhost", "http://localhost"),
        ("127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ("[::1]:8000", "http://[::1]:8000"),
        ("10.1.2.3/v1", "http://10.1.2.3/v1"),
        ("gpu:8000", "http://gpu:8000"),
        ("gpu/v1", "http://gpu/v1"),
        ("api.example.org", "https://api.example.org"),
        (" api.example.org/v1?a=b ", "https://api.example.org/v1?a=b"),
        ("8.8.8.8:8000", "https://8.8.8.8:8000"),
        ("[2001:4860::8888]/v1", "https://[2001:4860::8888]/v1"),
        ("http://api.example.org", "http://api.example.org"),
        ("HTTPS://h", "HTTPS://h"),
        ("ftp://h", "ftp://h"),
        ("gpu", "gpu"),
        ("", ""),
        ("user:pw@h", "user:pw@h"),
        ("/v1", "/v1"),
    ],
)
def test_a_missing_scheme_is_added(url: str, whole: str) -> None:
    """http within one's own network, https on the internet; what is no host is left for the check of the setting to refuse."""
    assert with_scheme(url) == whole


def test_forms_of_one_address_are_one_server() -> None:
    """With or without scheme and slash an address is the same; another host, port or scheme is not."""
    assert same_server("gpu:8000", "http://gpu:8000/")
    assert same_server("https://a.example", "a.example")
    assert not same_server("http://gpu:8000", "http://gpu:8001")
    assert not same_server("http://a.example", "https://a.example")
