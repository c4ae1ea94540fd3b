"""The gateway's URL taken apart."""

import pytest

from dce.doctor.target import read_target
from dce.wire.errors import DceError


@pytest.mark.parametrize(
    ("url", "base"),
    [
        ("http://127.0.0.1:3001", "http://127.0.0.1:3001"),
        ("127.0.0.1:3001", "http://127.0.0.1:3001"),
        ("https://dce.example.org:443/", "https://dce.example.org"),
        ("https://dce.example.org/team/api/dce/proxy", "https://dce.example.org/team"),
        ("http://host/v1/chat/completions", "http://host"),
        ("  http://host/v1  ", "http://host"),
        ("http://[::1]:3001", "http://[::1]:3001"),
    ],
)
def test_base_address(url: str, base: str) -> None:
    """Spaces, slashes, usual ports and pasted routes are taken off; a prefix stays."""
    assert read_target(url, {}).base == base


@pytest.mark.parametrize("url", ["", "http://", "ftp://host", "http://host:99999", "file:///etc/passwd"])
def test_what_is_no_url(url: str) -> None:
    """What cannot be a gateway's address is refused with an example of one."""
    with pytest.raises(DceError) as caught:
        read_target(url, {})
    assert caught.value.code == "invalid_input"
    assert "http" in caught.value.hint


@pytest.mark.parametrize(
    ("environ", "proxy"),
    [
        ({}, ""),
        ({"HTTPS_PROXY": "http://proxy:8080"}, "http://proxy:8080"),
        ({"https_proxy": "proxy:8080"}, "http://proxy:8080"),
        ({"ALL_PROXY": "http://all:1"}, "http://all:1"),
        ({"HTTP_PROXY": "http://proxy:8080"}, ""),
        ({"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": "localhost, .example.org"}, ""),
        ({"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": "ample.org"}, "http://proxy:8080"),
        ({"HTTPS_PROXY": "http://proxy:8080", "NO_PROXY": "*"}, ""),
    ],
)
def test_proxy_of_the_environment(environ: dict[str, str], proxy: str) -> None:
    """The proxy variables mean what they mean elsewhere."""
    assert read_target("https://dce.example.org", environ).proxy == proxy


def test_no_proxy_to_this_machine() -> None:
    """A gateway on this machine is reached directly whatever the environment says."""
    assert read_target("http://localhost:3001", {"http_proxy": "http://proxy:8080"}).proxy == ""


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("http://127.0.0.1:3001", True),
        ("http://127.9.9.9", True),
        ("http://[::1]:3001", True),
        ("http://LocalHost", True),
        ("http://127.example.org", False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost.example.org", False),
        ("http://[::1:2]", False),
        ("http://10.127.0.1", False),
    ],
)
def test_this_machine_is_known_by_its_address_not_by_how_a_name_begins(url: str, is_loopback: bool) -> None:
    """A name that begins like a loopback address is anybody's: it goes through the proxy, and plain HTTP to it is a warning."""
    target = read_target(url, {"http_proxy": "http://proxy:8080"})
    assert target.is_loopback is is_loopback
    assert target.proxy == ("" if is_loopback else "http://proxy:8080")


def test_first_hop() -> None:
    """A connection is made to the proxy if there is one."""
    assert read_target("https://h.example.org", {}).first_hop == ("h.example.org", 443)
    assert read_target("https://h.example.org", {"https_proxy": "http://p:3128"}).first_hop == ("p", 3128)
