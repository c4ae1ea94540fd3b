"""The panel over real sockets."""

import asyncio
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest

from dce.panel.server import PanelServer
from dce.wire import sse
from dce.wire.errors import DceError
from tests.panel.rig import AnsweringProvider, Line, make_workspace


@contextmanager
def serving(folder: Path, provider: AnsweringProvider | None = None) -> Iterator[PanelServer]:
    """A panel on a free port over a fresh workspace."""
    with make_workspace(folder / "words", provider) as workspace, PanelServer(workspace, port=0) as server:
        yield server


@contextmanager
def inside(server: PanelServer) -> Iterator[httpx2.Client]:
    """A client that followed the link."""
    with httpx2.Client(base_url=server.address, headers={"origin": server.address}, timeout=10) as client:
        assert client.get(server.url).status_code == 303
        yield client


def test_the_link_opens_the_panel_and_each_link_once(tmp_path: Path) -> None:
    """Every reading of `url` mints a link that works for one browser; without one there is no way in."""
    with serving(tmp_path) as server:
        with inside(server) as first, inside(server) as second:
            assert first.get("/api/workspace").status_code == second.get("/api/workspace").status_code == 200
        assert httpx2.get(f"{server.address}/api/workspace").status_code == 403
        assert httpx2.get(f"{server.address}/healthz").json()["service"] == "dce-panel"


def test_a_generation_streams_into_the_window(tmp_path: Path) -> None:
    """Snapshot, click, events: what arrives over one stream is the text of every response."""
    with serving(tmp_path) as server, inside(server) as client:
        cursor = client.get("/api/workspace").json()["cursor"]
        with client.stream("GET", "/api/events", params={"cursor": cursor}) as stream:
            generation = client.post("/api/generations", json={"cycle": 1, "n": 3}).json()["id"]
            decoder, texts = sse.Decoder(), dict[int, str]()
            for event in (event for piece in stream.iter_bytes() for event in decoder.feed(piece)):
                value = httpx2.Response(200, text=event.data).json()
                if event.event == "slot_text":
                    texts[value["slot"]] = texts.get(value["slot"], "") + value["text"]
                if event.event == "generation_ended":
                    break
        for slot, text in texts.items():
            assert client.get(f"/api/generations/{generation}/slots/{slot}").json()["text"] == text
        assert len(texts) == 3


def test_stopping_ends_streams_and_runs_and_frees_the_port(tmp_path: Path) -> None:
    """With a window open and a generation running, `stop` returns soon; then nothing listens and every response has ended."""
    provider = AnsweringProvider([Line(thinking="word " * 2000)])
    provider.hold = asyncio.Event()
    threads = set(threading.enumerate())
    with make_workspace(tmp_path / "words", provider) as workspace:
        server = PanelServer(workspace, port=0).start()
        with inside(server) as client:
            cursor = client.get("/api/workspace").json()["cursor"]
            with client.stream("GET", "/api/events", params={"cursor": cursor}) as stream:
                generation = client.post("/api/generations", json={"cycle": 1, "n": 2}).json()["id"]
                next(stream.iter_bytes())
                server.stop()
        assert {response.status for response in workspace.responses(generation)} == {"stopped"}
        with socket.socket() as probe:
            assert probe.connect_ex(("127.0.0.1", server.port)) != 0
        server.stop()
        assert not [thread for thread in threading.enumerate() if thread not in threads and thread.name == "dce-panel"]


def test_a_taken_port_is_said(tmp_path: Path) -> None:
    """The error names the port and the way round it."""
    with make_workspace(tmp_path / "words") as workspace, socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(DceError) as caught:
            PanelServer(workspace, port=taken.getsockname()[1]).start()
        assert "--port 0" in caught.value.hint


def test_only_loopback_is_bound(tmp_path: Path) -> None:
    """An address of a network is refused before anything listens."""
    with make_workspace(tmp_path / "words") as workspace, pytest.raises(DceError, match="does not listen on"):
        PanelServer(workspace, host="0.0.0.0")
