"""The composition root: what refuses to start, and that everything started is ended."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.app import Gateway
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import DceError
from tests.fakes.chain import Chain, client_of, eventually
from tests.fakes.vllm import FakeVllm
from tests.gateway.test_ledger import entry, written

BACKENDS = (BackendSettings(url="http://127.0.0.1:9"),)


def refusal(folder: Path, **settings: object) -> DceError:
    """Why it does not start."""
    with pytest.raises(DceError) as caught:
        Gateway(GatewaySettings(data_dir=str(folder), backends=BACKENDS, port=0, **settings))  # type: ignore[arg-type]
    return caught.value


def test_without_a_key_it_refuses_and_says_how_to_make_one(tmp_path: Path) -> None:
    """No key, only revoked ones or only expired ones: nobody could use it, so it does not start."""
    assert "keys create" in refusal(tmp_path).hint
    keys = KeyStore(tmp_path)
    keys.create("expired", expires_at=1.0)
    keys.create("revoked")
    keys.revoke("revoked")
    assert str(tmp_path) in refusal(tmp_path).message
    keys.create("alice")
    keys.close()
    Gateway(GatewaySettings(data_dir=str(tmp_path), backends=BACKENDS)).keys.close()


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "gateway.example"])
def test_insecure_beyond_this_machine_is_refused(tmp_path: Path, host: str) -> None:
    """Without keys only this machine is served, also when there would be keys."""
    keys = KeyStore(tmp_path)
    keys.create("alice")
    keys.close()
    error = refusal(tmp_path, insecure=True, host=host)
    assert host in error.message
    assert "127.0.0.1" in error.hint


def test_insecure_on_loopback_serves_everyone(tmp_path: Path) -> None:
    """With --insecure on this machine no key is asked for, and streams can be stopped by anyone here."""
    with Chain(tmp_path, insecure=True, key=False) as chain, client_of(chain.server.url, "") as client:
        assert client.get("/v1/models").status_code == 200
        assert chain.ask(n=2).is_done


def test_what_was_started_is_ended(tmp_path: Path) -> None:
    """After stopping, the port is free, the database is closed and the backend hears nothing any more."""
    with FakeVllm() as fake:
        keys = KeyStore(tmp_path)
        keys.create("alice")
        keys.close()
        settings = GatewaySettings(data_dir=str(tmp_path), backends=(BackendSettings(url=fake.url),), port=0)
        with GatewayServer(settings) as server:
            port = server.port
            assert fake.requests
        assert not list(tmp_path.glob("*-wal"))
        with GatewayServer(GatewaySettings(data_dir=str(tmp_path), backends=settings.backends, port=port)) as again:
            assert again.port == port


def test_the_figures_outlive_the_data_folder(tmp_path: Path) -> None:
    """Metrics tell the room on the disk, and tell the rest also when the folder has gone."""
    keys = KeyStore(tmp_path / "data")
    keys.create("alice")
    keys.close()
    gateway = Gateway(GatewaySettings(data_dir=str(tmp_path / "data"), backends=BACKENDS))

    def free_bytes() -> float:
        text = gateway.metrics.text().decode()
        assert "dce_gateway_models 0.0" in text
        return float(text.split("\ndce_gateway_data_free_bytes ")[1].split("\n")[0])

    assert free_bytes() > 0
    (tmp_path / "data").rename(tmp_path / "elsewhere")
    assert free_bytes() == 0
    gateway.discard()


def test_a_reload_changes_how_long_rows_are_kept(tmp_path: Path) -> None:
    """The new time counts for the rows there are, without a restart and without a request."""
    keys = KeyStore(tmp_path)
    keys.create("alice")
    keys.close()
    settings = GatewaySettings(data_dir=str(tmp_path), backends=BACKENDS)
    gateway = Gateway(settings)
    gateway.ledger.start()
    gateway.ledger.add(entry(started_at=0.0))
    eventually(lambda: written(tmp_path))
    asyncio.run(gateway.reload(msgspec.structs.replace(settings, ledger_keep_days=32)))
    eventually(lambda: not written(tmp_path))
    gateway.discard()
