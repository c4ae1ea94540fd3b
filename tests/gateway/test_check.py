"""`dce gateway check`: what is said of a configuration, its backends and this machine."""

import asyncio
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from dce.gateway.access.keys import KeyStore
from dce.gateway.check import LOCAL, Report, check, local_cautions
from dce.gateway.exposure import ROUTES, Caution, own_address
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import DceError
from tests.doctor.scripted import KEY, Route, json_answer, serve
from tests.fakes.vllm import FakeVllm

MODELS = json_answer(200, {"object": "list", "data": [{"id": "m", "owned_by": "vllm", "max_model_len": 4096}]})
REFUSED = json_answer(401, {"error": "Unauthorized"})


def settings_of(folder: Path, **fields: Any) -> GatewaySettings:
    return GatewaySettings(data_dir=str(folder / "data"), **{"backends": (), **fields})


def names(report: Report) -> set[str]:
    return {caution.name for caution in report.cautions} - {"disk", "descriptors"}  # the machine's own


def look(routes: dict[str, Route], folder: Path, *, host: str = "127.0.0.1", key: str = "", **fields: Any) -> Report:
    """What is said of one backend with these routes, reached by `host`."""

    async def run() -> Report:
        async with serve(routes) as url:
            backend = BackendSettings(url=url.replace("127.0.0.1", host), key=key)
            return await check(settings_of(folder, backends=(backend,), **fields))

    return asyncio.run(run())


def test_a_backend_with_its_kind_models_and_context(tmp_path: Path) -> None:
    """Each backend is told with what it is and serves; one that is down with its error, and then not all is well."""
    with FakeVllm() as fake:
        dead = BackendSettings(url="http://127.0.0.1:1")
        report = asyncio.run(check(settings_of(tmp_path, backends=(BackendSettings(url=fake.url), dead))))
    alive, down = report.backends
    assert (alive.ok, alive.kind, alive.models[0].id, alive.models[0].context) == (True, "vllm", "fake-7b", 8192)
    assert (down.ok, down.error and down.error.hop, report.ok) == (False, "backend", False)


def test_nothing_is_made(tmp_path: Path) -> None:
    """Looking makes no folder, no pepper and no database; that there is no key is a caution, not an error."""
    report = asyncio.run(check(settings_of(tmp_path)))
    assert (report.ok, names(report)) == (True, {"no_keys"})
    assert list(tmp_path.iterdir()) == []


def test_all_as_it_should_be(tmp_path: Path) -> None:
    """With a key, private files and a backend that only this machine reaches, there is nothing to say."""
    keys = KeyStore(tmp_path / "data")
    keys.create("ann")
    keys.close()
    with FakeVllm() as fake:
        report = asyncio.run(check(settings_of(tmp_path, backends=(BackendSettings(url=fake.url),))))
    assert (report.ok, names(report)) == (True, set())


@pytest.mark.parametrize(
    ("fields", "name"),
    [
        ({"insecure": True}, "insecure"),
        ({"host": "0.0.0.0"}, "plain_http"),
        ({"isolate_prefix_cache": False}, "shared_cache"),
        ({"admin_host": "0.0.0.0", "admin_open": True}, "admin_open"),
    ],
)
def test_settings_that_are_unsafe(fields: dict[str, Any], name: str, tmp_path: Path) -> None:
    """What the settings open to others is said by name, with a fix."""
    report = asyncio.run(check(settings_of(tmp_path, **fields)))
    (caution,) = [caution for caution in report.cautions if caution.name == name]
    assert caution.detail
    assert caution.fix


@pytest.mark.parametrize("fields", [{"insecure": True, "host": "0.0.0.0"}, {"admin_host": "0.0.0.0"}])
def test_settings_with_which_it_would_not_start(fields: dict[str, Any], tmp_path: Path) -> None:
    """What `serve` refuses, `check` refuses."""
    with pytest.raises(DceError):
        asyncio.run(check(settings_of(tmp_path, **fields)))


@pytest.mark.skipif(os.name != "posix", reason="modes are POSIX's")
def test_files_that_others_may_read(tmp_path: Path) -> None:
    """A pepper, a folder and a configuration with a backend's key in it that others may read are named with their modes."""
    folder = tmp_path / "data"
    KeyStore(folder).close()
    (folder / "pepper").chmod(0o644)
    folder.chmod(0o755)
    config = tmp_path / "gateway.toml"
    config.touch(0o640)
    config.chmod(0o640)
    settings = settings_of(tmp_path, backends=(BackendSettings(url="http://127.0.0.1:1", key="k"),))
    said = [caution.detail for caution in asyncio.run(check(settings, config)).cautions if caution.name == "file_mode"]
    assert [detail.rpartition(" (mode ")[2] for detail in said] == ["0755)", "0644)", "0640)"]
    assert str(config) in said[-1]


def test_a_backend_that_others_reach_without_a_key(tmp_path: Path) -> None:
    """By an address that is not loopback, answering without a key: a way round the gateway, over plain HTTP."""
    open_to_all = look({"GET /v1/models": MODELS}, tmp_path, host="0.0.0.0")
    assert {"bypass", "plain_backend"} <= names(open_to_all)
    closed = look({"GET /v1/models": REFUSED, "GET /v1/models +key": MODELS}, tmp_path, host="0.0.0.0", key=KEY)
    assert closed.ok
    assert "bypass" not in names(closed)


def test_a_backend_that_does_not_ask_for_its_key(tmp_path: Path) -> None:
    """A key that is configured here and not asked for there protects nothing."""
    assert "key_not_asked" in names(look({"GET /v1/models": MODELS}, tmp_path, key=KEY))


@pytest.mark.parametrize(("name", "path", "status"), [(name, path, s) for name, path, *_ in ROUTES for s in (200, 405)])
def test_routes_that_should_not_be_there(name: str, path: str, status: int, tmp_path: Path) -> None:
    """Development, adapter and scale-out routes of vLLM are noticed, whatever method they take."""
    assert name in names(look({"GET /v1/models": MODELS, f"GET {path}": (status, "", b"")}, tmp_path))


def test_a_server_that_answers_everything(tmp_path: Path) -> None:
    """One that answers any path with 200 is not said to have those routes."""
    assert not names(look({"*": MODELS}, tmp_path)) & {name for name, *_ in ROUTES}


def test_clocks(tmp_path: Path) -> None:
    """A backend whose clock differs by more than a minute is said to."""
    status, headers, body = MODELS
    told = {"GET /v1/models": (status, headers + "Date: Mon, 23 Nov 2020 02:00:00 GMT\r\n", body)}
    assert "clock" in names(look(told, tmp_path))
    assert "clock" not in names(look({"GET /v1/models": MODELS}, tmp_path))


def test_own_address_is_not_loopback() -> None:
    """This machine's address, if it has one, is one by which others reach it."""
    assert not own_address().startswith(("127.", "0."))


def test_every_local_row_is_quiet_or_complete(tmp_path: Path) -> None:
    """Each caution about this machine has a name, a fact and a fix."""
    for row in LOCAL:
        for caution in row(settings_of(tmp_path, insecure=True), None):
            assert caution.name
            assert caution.detail
            assert caution.fix


def test_what_may_not_be_looked_at(tmp_path: Path) -> None:
    """Run by a user who may not look into the data folder, it says so once and looks at the rest."""

    def hidden(settings: GatewaySettings, config: Path | None) -> Iterator[Caution]:
        raise PermissionError(13, "Permission denied", "/var/lib/dce/pepper")

    found = local_cautions(settings_of(tmp_path, insecure=True), None, (hidden, hidden, *LOCAL))
    assert [caution.name for caution in found][:2] == ["not_readable", "insecure"]
    assert "/var/lib/dce/pepper" in found[0].detail
