"""The built-in card `demo`: nothing runs before it is used, and everything ends with it."""

from pathlib import Path

import httpx2
import pytest

from dce.cli.demo_server import CARD, DemoServer, can_serve
from dce.gateway.access.keys import KeyStore


def test_it_serves_when_asked_and_ends_with_its_panel(tmp_path: Path) -> None:
    """Requested twice, it starts once; its model answers with its key; afterwards nothing listens and the key is invalid."""
    assert can_serve()
    with DemoServer(tmp_path) as demo:
        assert list(tmp_path.iterdir()) == []
        settings = demo.settings()
        assert demo.settings() is settings
        assert settings.card == CARD
        answer = httpx2.get(f"{settings.url}/v1/models", headers={"authorization": f"Bearer {settings.key}"})
        assert answer.json()["data"]
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{settings.url}/healthz")
    keys = KeyStore(tmp_path / "gateway")
    try:
        assert all(key.revoked_at for key in keys.list())
    finally:
        keys.close()


def test_unused_it_leaves_no_trace(tmp_path: Path) -> None:
    """A panel whose cycles never use it starts nothing."""
    with DemoServer(tmp_path):
        pass
    assert list(tmp_path.iterdir()) == []
