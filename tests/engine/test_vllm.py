"""Properties of starting vLLM, on a stand-in for its interpreter; the real server is started by tests/real."""

import sys
import time
from pathlib import Path

import pytest

from dce.engine.vllm import VllmProcess, VllmSettings, command, environment, free_port
from dce.wire.errors import DceError

SERVES = """#!{python}
import http.server, sys, subprocess
print("starting", flush=True)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
print("engine", child.pid, flush=True)
class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/health" else 404)
        self.send_header("content-length", "0")
        self.end_headers()
    def log_message(self, *args):
        pass
port = int(sys.argv[sys.argv.index("--port") + 1])
http.server.HTTPServer(("127.0.0.1", port), Handler).serve_forever()
"""
DIES = """#!{python}
import sys
sys.exit("ValueError: no such model")
"""
SLEEPS = """#!{python}
import time
time.sleep(600)
"""


def settings(tmp_path: Path, script: str) -> VllmSettings:
    """Settings whose interpreter is `script`."""
    python = tmp_path / "python"
    python.write_text(script.format(python=sys.executable))
    python.chmod(0o755)
    return VllmSettings(python=python, model=str(tmp_path), served_name="small", port=free_port())


def is_running(pid: int) -> bool:
    """Whether a process runs; one that has ended but was not yet collected does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def test_a_started_server_answers_and_is_stopped_with_its_engine(tmp_path: Path) -> None:
    """After `stop` neither the server nor a process it started is left."""
    with VllmProcess.start(settings(tmp_path, SERVES), tmp_path / "log") as server:
        assert server.is_alive
        assert server.model == "small"
        engine = int(server.log_tail().split()[-1])
        assert is_running(engine)
    assert server._process.returncode is not None
    while is_running(engine):  # a kill is sent when `stop` returns, and takes effect when the kernel gets to it
        time.sleep(0.01)


def test_a_server_that_dies_says_why(tmp_path: Path) -> None:
    """The error holds the exit code and the end of the server's own log."""
    with pytest.raises(DceError, match=r"exited with code 1(?s:.*)ValueError: no such model") as caught:
        VllmProcess.start(settings(tmp_path, DIES), tmp_path / "log")
    assert caught.value.code == "engine_unavailable"
    assert str(tmp_path / "log") in caught.value.hint


def test_a_server_that_is_never_ready_is_given_up(tmp_path: Path) -> None:
    """When the time is over the error says so, and the process is gone."""
    with pytest.raises(DceError, match=r"not ready after 0\.01 s"):
        VllmProcess.start(settings(tmp_path, SLEEPS), tmp_path / "log", timeout_s=0.01)


def test_a_missing_environment_is_named(tmp_path: Path) -> None:
    """An interpreter that is not there is an error that names it and where to read on."""
    wanted = VllmSettings(python=tmp_path / "nowhere" / "python", model="m", served_name="m")
    with pytest.raises(DceError, match="nowhere") as caught:
        VllmProcess.start(wanted, tmp_path / "log")
    assert "docs/operations/vllm.md" in caught.value.hint


def test_the_cpu_form_turns_off_what_kills_it(tmp_path: Path) -> None:
    """Only without a GPU is chunked prefill off and one prompt's batch as long as the context."""
    gpu = VllmSettings(python=tmp_path, model="m", served_name="m", context_tokens=4096)
    cpu = VllmSettings(python=tmp_path, model="m", served_name="m", context_tokens=4096, cpu_kv_cache_gib=2)
    assert "--no-enable-chunked-prefill" not in command(gpu)
    line = command(cpu)
    assert "--no-enable-chunked-prefill" in line
    assert line[line.index("--max-num-batched-tokens") + 1] == "4096"


def test_the_server_does_not_inherit_our_key(tmp_path: Path) -> None:
    """DCE_API_KEY stays out of the server's environment; a local model is never looked up outside."""
    wanted = VllmSettings(python=tmp_path, model=str(tmp_path), served_name="m", cpu_kv_cache_gib=2)
    values = environment(wanted, {"DCE_API_KEY": "secret", "PATH": "/bin"})
    assert "secret" not in values.values()
    assert values["PATH"] == "/bin"
    assert values["HF_HUB_OFFLINE"] == "1"
    assert values["VLLM_CPU_KVCACHE_SPACE"] == "2"
    assert "HF_HUB_OFFLINE" not in environment(VllmSettings(python=tmp_path, model="org/name", served_name="m"), {})
