"""New settings for a running gateway: all or nothing, and what runs goes on."""

import asyncio
import logging
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import msgspec
import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.reload import FIXED, Reloader, applicable, changed_names, new_backends
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import DceError
from tests.fakes.chain import PROXY, Answer, error_of, eventually, free_port
from tests.fakes.vllm import Behaviour, FakeVllm, said

DCE = [sys.executable, "-c", "from dce.cli.main import main; main()", "gateway"]


def test_every_setting_is_applied_or_known_to_need_a_restart() -> None:
    """The names that take a restart are settings, and every other one is taken over as it is."""
    names = {field.name for field in msgspec.structs.fields(GatewaySettings)}
    assert names > FIXED
    old = GatewaySettings(host="127.0.0.1", port=1, data_dir="a", max_n=3, heartbeat_s=1.0)
    new = GatewaySettings(host="127.0.0.2", port=2, data_dir="b", max_n=5, heartbeat_s=2.0, insecure=True)
    taken = applicable(old, new)
    for name in names:
        assert getattr(taken, name) == getattr(old if name in FIXED else new, name)
    assert changed_names(old, new) == ["host", "port", "data_dir", "insecure", "max_n", "heartbeat_s"]
    assert changed_names(old, old) == []


def test_a_backend_that_stays_goes_on() -> None:
    """Same URL, same object, in the new order and with its new row; nothing is changed while it is only planned."""
    a, b, c = (BackendSettings(url=f"http://{name}:1") for name in "abc")
    old = [backend for backend, _ in new_backends([], GatewaySettings(backends=(a, b)))]
    old[1].in_flight = 3
    keyed = BackendSettings(url="http://b:1", key="k")
    planned = new_backends(old, GatewaySettings(backends=(c, keyed), breaker_failures=9))
    assert [row for _, row in planned] == [c, keyed]
    (new, _), (kept, _) = planned
    assert kept is old[1]
    assert (kept.in_flight, kept.settings.key) == (3, "")
    assert (new.url, new.breaker.limits.failures) == ("http://c:1", 9)
    twice = new_backends(old, GatewaySettings(backends=(a, a)))
    assert twice[0][0] is old[0]
    assert twice[1][0] is not old[0]


def reloaded(
    results: list[GatewaySettings | Exception], requests: int, caplog: pytest.LogCaptureFixture
) -> tuple[int, list[str]]:
    """How many reloads so many signals at once made, and what the log says."""
    applied = 0

    async def apply(settings: GatewaySettings) -> list[str]:
        nonlocal applied
        applied += 1
        await asyncio.sleep(0)
        return changed_names(GatewaySettings(), settings)

    def read() -> GatewaySettings:
        result = results.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    async def scene() -> None:
        reloader = Reloader(read, apply)
        for _ in range(requests):
            reloader.request()
        await asyncio.wait(asyncio.all_tasks() - {asyncio.current_task()})
        await reloader.close()

    with caplog.at_level(logging.WARNING, "dce.gateway"):
        asyncio.run(scene())
    return applied, [record.getMessage() for record in caplog.records]


def test_the_log_says_what_changed_and_what_waits(caplog: pytest.LogCaptureFixture) -> None:
    """Names of settings, never their values, which may be keys."""
    backends = (BackendSettings(url="http://h:1", key="sk-canary"),)
    _, said_of = reloaded([GatewaySettings(backends=backends, port=7)], 1, caplog)
    assert said_of == ["settings reloaded; changed: backends; needs a restart: port"]


def test_many_signals_are_one_reload(caplog: pytest.LogCaptureFixture) -> None:
    """An operator's impatience costs nothing."""
    applied, said_of = reloaded([GatewaySettings()] * 5, 5, caplog)
    assert applied == 1
    assert said_of == ["settings reloaded; changed: nothing"]


@pytest.mark.parametrize("fault", [DceError("invalid_input", "max_n: \u00fc is\nnone"), ValueError("unforeseen")])
def test_what_cannot_be_read_changes_nothing(fault: Exception, caplog: pytest.LogCaptureFixture) -> None:
    """The reason is in the log, on one line of plain characters; nothing is applied."""
    applied, said_of = reloaded([fault], 1, caplog)
    assert applied == 0
    assert said_of[0].startswith("settings not reloaded, the old ones stay: ")
    assert said_of[0].isascii()
    assert "\n" not in said_of[0]


class Process:
    """`dce gateway serve --config`, as an operator runs it."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
        self.config = folder / "gateway.toml"
        self.log = folder / "log"
        self.data = folder / "data"
        keys = KeyStore(self.data)
        self.key = keys.create("tests")[1]
        keys.close()

    def configure(self, text: str, port: int | None = None) -> None:
        """Writes the configuration; the top of it is always the same."""
        top = f'port = {port or self.port}\nadmin_port = 0\ndata_dir = "{self.data}"\ndiscovery_interval_s = 3600\n'
        self.config.write_text(top + text)

    @contextmanager
    def running(self) -> Iterator[httpx2.Client]:
        """A client of the process, once it serves."""
        headers = {"authorization": f"Bearer {self.key}"}
        with self.log.open("wb") as log:
            process = subprocess.Popen([*DCE, "serve", "--config", str(self.config)], stdout=log, stderr=log)
        try:
            with httpx2.Client(base_url=f"http://127.0.0.1:{self.port}", headers=headers, trust_env=False) as client:
                eventually(lambda: self._is_ready(client))
                self._process = process
                yield client
        finally:
            process.kill()
            process.wait()

    def reload(self) -> str:
        """Sends SIGHUP; what the log said of it."""
        before = self.log.read_text()
        self._process.send_signal(signal.SIGHUP)
        eventually(lambda: "reloaded" in self.log.read_text()[len(before) :])
        return self.log.read_text()[len(before) :]

    def _is_ready(self, client: httpx2.Client) -> bool:
        try:
            return client.get("/readyz").status_code == 200
        except httpx2.TransportError:
            return False


def served(client: httpx2.Client) -> list[str]:
    """The names the gateway lists."""
    return [row["id"] for row in client.get("/v1/models").json().get("data", [])]


def test_a_signal_changes_a_running_gateway_and_nothing_that_runs(tmp_path: Path) -> None:
    """Backends, names and limits change at once for what begins; a stream that runs ends on the backend it began on; a file with
    a mistake changes nothing; a backend's new key is read from its file."""
    process = Process(tmp_path)
    body = {"messages": [{"role": "user", "content": "x"}], "n": 2}
    slow = Behaviour(tokens=400, delay_s=0.01)
    with FakeVllm(models=["new"], key="k2") as new, FakeVllm(models=["old"], behaviour=slow) as old:
        process.configure(f'[[backends]]\nurl = "{old.url}"\n')
        with process.running() as client, client.stream("POST", PROXY, json=body) as response:
            answer = Answer(response).until(lambda seen: seen.choices)
            (tmp_path / "key").write_text("k1")
            text = f'max_n = 1\n[aliases]\nfast = "new"\n[[backends]]\nurl = "{new.url}"\nkey_file = "key"\n'
            process.configure(text, port=free_port())
            said_of = process.reload()
            assert "changed: backends, aliases, max_n; needs a restart: port" in said_of
            assert error_of(client.get("/v1/models"))["code"] == "backend_unauthorized"

            (tmp_path / "key").write_text("k2")
            assert "changed: backends" in process.reload()
            eventually(lambda: served(client) == ["new", "fast"])
            assert client.post(PROXY, json={**body, "n": 1, "model": "fast", "stream": False}).status_code == 200
            assert "n must be" in error_of(client.post(PROXY, json=body))["message"]

            for mistake in ("max_n = 0\n", "max_n = \n", "no_such = 1\n"):
                process.configure(mistake)
                assert "settings not reloaded, the old ones stay: " in process.reload()
            assert served(client) == ["new", "fast"]
            assert "n must be" in error_of(client.post(PROXY, json=body))["message"]
            answer.rest()
        assert answer.is_done
        assert answer.texts() == dict.fromkeys(range(2), said(400))
        assert len(old.chats()) == 2
    assert "k2" not in process.log.read_text()
