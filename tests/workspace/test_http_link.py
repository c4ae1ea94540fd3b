"""The way to one server."""

import pytest

from dce.workspace.generating.gateway_errors import GATEWAY
from dce.workspace.generating.http_link import HttpLink


@pytest.mark.parametrize(
    ("url", "is_trusted"),
    [
        ("http://localhost:1", False),
        ("http://127.0.0.2:1", False),
        ("http://[::1]:1", False),
        ("http://[::ffff:127.0.0.1]:1", False),
        ("https://models.example.org", True),
        ("http://127.evil.example:1", True),
        ("http://localhost.evil.example:1", True),
    ],
)
def test_a_proxy_is_asked_for_other_machines_only(url: str, is_trusted: bool) -> None:
    """What goes to this machine goes through no proxy of the environment, which could not reach it and would read it."""
    assert HttpLink(url, None, GATEWAY, 1.0).client().trust_env is is_trusted
