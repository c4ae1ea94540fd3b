"""One real gateway with a key over the embedded engine, and workspaces of the sample project that ask it: for the panel's flows."""

import os
import shutil
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
from playwright.sync_api import Page, expect

from dce.engine.process import EngineProcess
from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.chain import eventually
from tests.panel.rig import CHECKS
from tests.real.windows import GENERATED_MS, ROOT

EXAMPLE = ROOT / "examples/tiny_metrics"
STUBS = "tiny_metrics/stats.py"
SMALL = "figures.py"
SMALL_STUBS = '''\
"""Two figures."""


def double(value: int) -> int:
    """Twice the value."""
    raise NotImplementedError


def half(value: int) -> int:
    """Half of the value."""
    raise NotImplementedError
'''
"""A file that the embedded engine fills in a second or two."""

HEAD_PATIENCE_S = 1.0

TASK = "`mean` and `spread` in tiny_metrics/stats.py are stubs: fill them in, so that the tests pass."


@dataclass(frozen=True)
class Served:
    """A gateway over the embedded engine, and a key of its."""

    engine: str
    url: str
    key: str
    pid: int
    """The engine's process."""

    @contextmanager
    def held(self) -> Iterator[None]:
        """Within the block the engine stands still: what was asked of it cannot end before it is stopped."""
        os.kill(self.pid, signal.SIGSTOP)
        try:
            yield
        finally:
            os.kill(self.pid, signal.SIGCONT)
        eventually(lambda: httpx2.get(f"{self.url}/readyz", timeout=60).status_code == 200)


@contextmanager
def serving(folder: Path) -> Iterator[Served]:
    """Both, with the gateway's data in a folder."""
    keys = KeyStore(folder)
    key = keys.create("panel")[1]
    keys.close()
    with EngineProcess.start() as engine:
        backends = (BackendSettings(url=engine.url),)
        # A stream begins soon even if the engine stands still (`held`).
        settings = GatewaySettings(
            port=0, no_admin=True, data_dir=str(folder), backends=backends, head_patience_s=HEAD_PATIENCE_S
        )
        with GatewayServer(settings) as gateway:
            yield Served(engine.url, gateway.url, key, engine.pid)


def copied(folder: Path) -> Project:
    """The sample project with its tests as the check."""
    shutil.copytree(EXAMPLE, folder / EXAMPLE.name)
    project = Project.init(folder / EXAMPLE.name)
    (project.state_dir / "checks.toml").write_text(CHECKS, encoding="utf-8")
    return project


def settings_for(served: Served, **changes: Any) -> Settings:
    """What asks the gateway, in the form whose grammar makes every response readable."""
    values: dict[str, Any] = {"schema": "fill", "temperature": 0.8, **changes}
    return Settings(url=served.url, key=served.key, **values)


@contextmanager
def begun_small(folder: Path, served: Served, **changes: Any) -> Iterator[Workspace]:
    """A workspace with one small file of stubs, chosen, and a cycle that says what to do."""
    (folder / "small").mkdir()
    (folder / "small" / SMALL).write_text(SMALL_STUBS, encoding="utf-8")
    with Workspace.open(Project.init(folder / "small"), settings_for(served, **changes)) as workspace:
        workspace.selection.replace([SMALL])
        workspace.cycles.edit(0, context="Two figures.")
        workspace.cycles.create("Figures", "Fill in the stubs.")
        yield workspace


@contextmanager
def begun(folder: Path, served: Served, **changes: Any) -> Iterator[Workspace]:
    """A workspace with the stubs chosen and a cycle that says what to do."""
    with Workspace.open(copied(folder), settings_for(served, **changes)) as workspace:
        workspace.selection.replace([STUBS, "README.md"])
        workspace.cycles.edit(0, context="tiny_metrics is a small library of statistics.")
        workspace.cycles.create("Mean and spread", TASK)
        yield workspace


def wait_for_end_of(page: Page, summary: str) -> None:
    """Until this is how all have ended."""
    expect(page.locator(".summary")).to_have_text(summary, timeout=GENERATED_MS)
