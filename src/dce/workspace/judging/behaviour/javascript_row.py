"""The row of JavaScript and TypeScript: probes made from tests, examples and exports, run by the project's own node outside any test runner."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

from dce.workspace.judging.behaviour.in_real_lane import ProbeLane
from dce.workspace.judging.behaviour.javascript.generate import Material, make_probes
from dce.workspace.judging.behaviour.javascript.syntax import SUFFIXES, TYPED_SUFFIXES, has_grammars
from dce.workspace.judging.behaviour.language import Language, Place, Sources
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.behaviour.running import Interpreter, run_probes
from dce.workspace.judging.lanes.lane import Lane, RunOptions
from dce.workspace.judging.lanes.opening import LaneUnfit

SCRIPTS = ("in_lane.mjs", "loading.mjs")
"""What runs in the lane; the first is started."""

CHECK_S = 20.0
"""How long node may take to say whether it can run probes here."""

_FOLDER = "dce-probes"
_TEST_NAME = re.compile(r"(?:^|.*/)(?:test|tests|(?:test|spec)[-_.][^/]*|[^/]*[-_.](?:test|spec|tests))\.[cm]?[jt]sx?")
_TEST_FOLDER = re.compile(r"(?:^|.*/)(?:tests?|__tests__|specs?)/.*")
_NO_MODULE = re.compile(r".*(?:\.d\.[cm]?ts|\.min\.[cm]?js|\.config\.[cm]?[jt]s|(?:^|/)\.[^/]*)")


def is_script(path: str) -> bool:
    """Whether a file is JavaScript or TypeScript that a program may import."""
    return path.endswith(SUFFIXES) and _NO_MODULE.fullmatch(path) is None


def is_test(path: str) -> bool:
    """Whether a file is a test or lies among tests, by the names that test runners look for."""
    return path.endswith(SUFFIXES) and bool(_TEST_NAME.fullmatch(path) or _TEST_FOLDER.fullmatch(path))


def make(sources: Sources, seed: int) -> tuple[Probe, ...]:
    """The probes for the changed modules; none without the grammars of `dce[outline]`."""
    if not has_grammars():
        return ()
    return make_probes(Material(changed=sources.changed, tests=sources.tests), seed=seed)


async def run(place: Place, probes: Sequence[Probe]) -> Mapping[str, Outcome]:
    """The outcomes, from a process of the project's node for each round. Raises LaneUnfit if node cannot run them here."""
    lane = place.lane
    await asyncio.to_thread(_lay, lane)
    script = f"{_FOLDER}/{SCRIPTS[0]}"
    is_typed = any(path.endswith(TYPED_SUFFIXES) for path in place.sources.changed)
    command = ("node", str(lane.tmp / script), "--check", "typed" if is_typed else "plain")
    ended = await lane.run(command, RunOptions(timeout_s=CHECK_S))
    why = ended.problem or ended.output.decode("utf-8", "replace").strip()
    if why or ended.exit_code:
        raise LaneUnfit(f"not compared: {why or f'node ended with exit code {ended.exit_code}'}"[:300])
    interpreter = Interpreter(program="node", paths=(), script=script)
    return await run_probes(ProbeLane(lane), probes, interpreter, limits=place.limits)


JAVASCRIPT = Language(
    name="JavaScript",
    version=1,
    runs="calls of the changed modules, with values from tests and examples and at the edges, in the project's node",
    speaks_for=is_script,
    is_test=is_test,
    make=make,
    run=run,
)


def _lay(lane: Lane) -> None:
    folder = lane.written_tmp / _FOLDER
    folder.mkdir(exist_ok=True)
    source = files("dce.workspace.judging.behaviour.javascript")
    for name in SCRIPTS:
        (folder / name).write_text(source.joinpath(name).read_text("utf-8"), "utf-8")
