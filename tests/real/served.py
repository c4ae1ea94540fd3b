"""One real gateway with a key over the embedded engine, and workspaces of the sample project that ask it: for the panel's flows."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from playwright.sync_api import Page, expect

from dce.engine.process import EngineProcess
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.panel.rig import CHECKS
from tests.real.windows import GENERATED_MS, ROOT

EXAMPLE = ROOT / "examples/tiny_metrics"
STUBS = "tiny_metrics/stats.py"
TASK = "`mean` and `spread` in tiny_metrics/stats.py are stubs: fill them in, so that the tests pass."


@dataclass(frozen=True)
class Served:
    """A gateway over the embedded engine, and a key of its."""

    engine: str
    url: str
    key: str


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Both, with the gateway's data in a folder."""
    keys = KeyStore(folder)
    key = keys.create("panel")[1]
    keys.close()
    with EngineProcess.start() as engine:
        backends = (BackendSettings(url=engine.url),)
        settings = GatewaySettings(port=0, no_admin=True, data_dir=str(folder), backends=backends)
        with GatewayServer(settings) as gateway:
            yield Served(engine.url, gateway.url, key)


def copied(folder: Path) -> Project:
    """The sample project with its tests as the check."""
    shutil.copytree(EXAMPLE, folder / EXAMPLE.name)
    project = Project.init(folder / EXAMPLE.name)
    (project.state_dir / "checks.toml").write_text(CHECKS, encoding="utf-8")
    return project


@contextmanager
def begun(folder: Path, served: Served, **changes: Any) -> Iterator[Workspace]:
    """A workspace with the stubs chosen and a cycle that says what to do."""
    values: dict[str, Any] = {"schema": "fill", "temperature": 0.8, **changes}
    with Workspace.open(copied(folder), Settings(url=served.url, key=served.key, **values)) as workspace:
        workspace.selection.replace([STUBS, "README.md"])
        workspace.cycles.edit(0, context="tiny_metrics is a small library of statistics.")
        workspace.cycles.create("Mean and spread", TASK)
        yield workspace


def wait_for_end_of(page: Page, summary: str) -> None:
    """Until this is how all have ended."""
    expect(page.locator(".summary")).to_have_text(summary, timeout=GENERATED_MS)
