"""Lanes for tests: the checks of a small project, run in a lane of a chosen kind."""

import asyncio
import textwrap
from collections.abc import Mapping, Sequence
from pathlib import Path

from dce.workspace.judging.check_report import CheckReport, CheckRun
from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Kind
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading
from tests.workspace.judging import write

KINDS: tuple[Kind, ...] = ("overlay", "copy")


def project_of(root: Path, files: Mapping[str, str | bytes]) -> Project:
    """A workspace with these files."""
    for path, content in files.items():
        write(root / path, content)
    return Project.init(root)


def script(code: str, **settings: object) -> Check:
    """A check that runs a Python script."""
    return Check(name="script", command=("python", "-c", textwrap.dedent(code)), **settings)  # type: ignore[arg-type]


def lanes_of(
    project: Project, kind: Kind, settings: LaneSettings | None = None, environ: Mapping[str, str] | None = None
) -> Lanes:
    """Lanes of this kind: without a bubblewrap program there are only copies."""
    programs = () if kind == "copy" else None
    return Lanes(project, settings or LaneSettings(), environ=environ, programs=programs)


def checked(
    project: Project,
    checks: Sequence[Check],
    reading: Reading | None = None,
    baseline: CheckReport | None = None,
    lanes: Lanes | None = None,
) -> CheckReport:
    """The report of checks, in an overlay lane unless other lanes are given."""
    return asyncio.run(run_checks(lanes or lanes_of(project, "overlay"), checks, reading, baseline))


def ran(lanes: Lanes, check: Check, reading: Reading | None = None) -> CheckRun:
    """The run of one check, in the kind of lane that was asked for."""
    report = checked(lanes.project, [check], reading, lanes=lanes)
    assert not report.problem
    return report.runs[0]
