"""cluster.py and shipping.py: what is said when there is no cluster, and what DCE sends of itself. A real cluster: tests/real/test_ray_lanes.py."""

import asyncio
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.checking import check_responses, commands_to_run
from dce.workspace.judging.lanes.on_ray import cluster as clusters
from dce.workspace.judging.lanes.on_ray.cluster import Cluster, Clusters
from dce.workspace.judging.lanes.on_ray.shipping import shipped
from tests.workspace.judging import Bench

CHECKS = '[lane]\non = "{}"\n[[check]]\nname = "t"\ncommand = ["true"]\n'


def _port() -> tuple[socket.socket, str]:
    server = socket.create_server(("127.0.0.1", 0))
    return server, f"ray://127.0.0.1:{server.getsockname()[1]}"


def _error(address: str) -> DceError:
    with pytest.raises(DceError) as caught:
        asyncio.run(Cluster(address).connect())
    return caught.value


def test_a_cluster_that_is_not_there_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error names the address, the fact and the next step."""
    monkeypatch.setattr(clusters, "require_ray", lambda: None)
    server, address = _port()
    server.close()
    error = _error(address)
    assert error.code == "cluster_unreachable"
    assert f"the Ray cluster {address} cannot be reached within 10 s: Connection refused" in error.message
    assert "ray status" in error.hint


def test_without_ray_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`on` without Ray installed is an error that says what to install; nothing is connected to."""
    monkeypatch.setattr("importlib.util.find_spec", lambda _: None)
    error = _error("ray://127.0.0.1:1")
    assert (error.code, "pip install 'dce[ray]'" in error.hint) == ("invalid_input", True)


@pytest.mark.parametrize(
    ("raised", "code", "said"),
    [
        (RuntimeError("Version mismatch: The cluster was started with: Ray: 2.9"), "invalid_input", "the same Python"),
        (
            ConnectionError("ray client connection timeout"),
            "cluster_unreachable",
            "refuses this client: ConnectionError",
        ),
    ],
)
def test_what_ray_says_is_explained(monkeypatch: pytest.MonkeyPatch, raised: Exception, code: str, said: str) -> None:
    """Another version of Ray or Python, or a refusal, becomes an error with the address and Ray's own words."""

    def refuse(_: str) -> int:
        raise raised

    monkeypatch.setattr(clusters, "require_ray", lambda: None)
    monkeypatch.setattr(clusters, "join", refuse)
    server, address = _port()
    with server:
        error = _error(address)
    assert (error.code, address in error.message, said in error.message) == (code, True, True)
    assert str(raised) in error.message


def test_a_cluster_that_does_not_answer_has_a_deadline(monkeypatch: pytest.MonkeyPatch) -> None:
    """A server that accepts and says nothing is given up."""
    monkeypatch.setattr(clusters, "require_ray", lambda: None)
    monkeypatch.setattr(clusters, "join", lambda _: asyncio.run(asyncio.sleep(5)))
    monkeypatch.setattr(clusters, "CONNECT_S", 0.05)
    server, address = _port()
    with server:
        assert "did not let this client in" in _error(address).message


def test_nothing_is_connected_to_before_consent(tmp_path: Path) -> None:
    """A committed checks.toml can name anybody's machine: its host is in what the user is asked, another one asks again, and until then
    nobody calls."""
    server, address = _port()
    other = address.replace("127.0.0.1", "localhost")
    with server:
        server.settimeout(0.2)
        bench = Bench(tmp_path, {"a": "1", ".dce/checks.toml": CHECKS.format(address)})
        generation = bench.answer({"a": "2"})
        commands = asyncio.run(commands_to_run(bench))
        assert f"is sent to the Ray cluster {address}" in commands.describe()
        with pytest.raises(DceError, match="you have not agreed yet") as caught:
            asyncio.run(check_responses(bench, generation))
        assert address in caught.value.message
        with pytest.raises(TimeoutError):
            server.accept()
    digests = {commands.digest}
    for text in (CHECKS.format(other), CHECKS.format("").replace('on = ""', "")):
        (tmp_path / ".dce" / "checks.toml").write_text(text)
        digests.add(asyncio.run(commands_to_run(bench)).digest)
    assert len(digests) == 3


@pytest.mark.parametrize("address", ["ray://", "head:10001", "ray://head", "ray://head:0", "ray://a b:1", "http://x:1"])
def test_an_address_is_checked(tmp_path: Path, address: str) -> None:
    """What is no address of a cluster is a mistake in the file."""
    bench = Bench(tmp_path, {".dce/checks.toml": CHECKS.format(address)})
    with pytest.raises(DceError, match="must be the address of a Ray cluster"):
        asyncio.run(commands_to_run(bench))


def test_what_is_sent_of_dce_is_enough() -> None:
    """The node's side can be imported from what is sent and nothing else, and it is small."""
    code = (
        "import sys; sys.path[:] = [p for p in sys.path if 'site-packages' not in p]; sys.path.insert(0, sys.argv[1])\n"
        "from dce.workspace.judging.lanes.on_ray import node\n"
        "import msgspec, filelock\n"
        "print(all(m.__file__.startswith(sys.argv[1]) for m in (node, msgspec, filelock)))\n"
        "print(node.Node(environ={}).about())"
    )
    with shipped() as folder:
        run = subprocess.run(
            [sys.executable, "-I", "-c", code, str(folder)], capture_output=True, text=True, timeout=60, check=False
        )
        size = sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
    assert run.stderr == ""
    assert run.stdout.split() == ["True", socket.gethostname()]
    assert size < 20 << 20
    assert not os.path.lexists(folder)


def test_a_workspace_has_one_connection_to_a_cluster() -> None:
    """All lanes of a workspace share it; closing the workspace ends it, also if it never began."""
    found = Clusters()
    assert found.cluster("ray://a:1") is found.cluster("ray://a:1")
    assert found.cluster("ray://a:1") is not found.cluster("ray://b:1")
    found.close()
