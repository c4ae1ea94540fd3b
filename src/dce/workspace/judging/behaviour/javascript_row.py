"""The row of JavaScript and TypeScript: probes made from tests, examples and exports, run by the project's own node outside any test runner."""

import asyncio
import re
from collections.abc import Mapping, Sequence
from importlib.resources import files

from dce.workspace.judging.behaviour.in_real_lane import ProbeLane
from dce.workspace.judging.behaviour.javascript.generate import Material, make_probes, package_names, script_snippet
from dce.workspace.judging.behaviour.javascript.syntax import SUFFIXES, TYPED_SUFFIXES, has_grammars
from dce.workspace.judging.behaviour.language import Language, Place, Sources, none_run
from dce.workspace.judging.behaviour.probe import Outcome, Probe, Snippet
from dce.workspace.judging.behaviour.running import Interpreter, run_probes
from dce.workspace.judging.lanes.folders import clear
from dce.workspace.judging.lanes.lane import Lane, RunOptions

SCRIPTS = ("in_lane.mjs", "loading.mjs", "provided.mjs")
"""What runs in the lane; the first is started."""

CHECK_S = 20.0
"""How long node may take to say whether it can run probes here."""

_FOLDER = "dce-probes"
_TEST_NAME = re.compile(r"(?:^|.*/)(?:test|tests|(?:test|spec)[-_.][^/]*|[^/]*[-_.](?:test|spec|tests))\.[cm]?[jt]sx?")
_TEST_FOLDER = re.compile(r"(?:^|.*/)(?:tests?|__tests__|specs?)/.*")
_DOCUMENT = re.compile(r"(?:.*/)?(?:package\.json|readme\.(?:md|markdown))", re.IGNORECASE)
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
    packages = package_names(text for path, text in sources.documents.items() if path.endswith(".json"))
    read_me = {path: text for path, text in sources.documents.items() if not path.endswith(".json")}
    material = Material(changed=sources.changed, tests=sources.tests, documents=read_me, packages=packages)
    return make_probes(material, seed=seed)


def is_document(path: str) -> bool:
    """Whether a file is a README or says what the package is called."""
    return _DOCUMENT.fullmatch(path) is not None


async def run(place: Place, probes: Sequence[Probe]) -> Mapping[str, Outcome]:
    """The outcomes, from a process of the project's node for each round."""
    lane = place.lane
    await asyncio.to_thread(_lay, lane)
    script = f"{_FOLDER}/{SCRIPTS[0]}"
    is_typed = any(path.endswith(TYPED_SUFFIXES) for path in place.sources.changed)
    command = ("node", str(lane.tmp / script), "--check", "typed" if is_typed else "plain")
    ended = await lane.run(command, RunOptions(timeout_s=CHECK_S))
    why = ended.problem or ended.output.decode("utf-8", "replace").strip()
    if why or ended.exit_code:
        return none_run(probes, why or f"node ended with exit code {ended.exit_code}")
    interpreter = Interpreter(program="node", paths=(), script=script)
    return await run_probes(ProbeLane(lane), probes, interpreter, limits=place.limits)


def script(text: str) -> Snippet | None:
    """A script as a snippet: its imports, then the rest as one step."""
    return script_snippet(text) if has_grammars() else None


JAVASCRIPT = Language(
    name="JavaScript",
    version=3,
    runs="calls of the changed modules, with values from tests and examples and at the edges, in the project's node",
    speaks_for=is_script,
    is_test=is_test,
    make=make,
    run=run,
    is_document=is_document,
    fences=("js", "javascript", "mjs", "ts", "typescript"),
    script=script,
)


def _lay(lane: Lane) -> None:
    folder = lane.written_tmp / _FOLDER
    clear(folder)
    folder.mkdir()
    source = files("dce.workspace.judging.behaviour.javascript")
    for name in SCRIPTS:
        (folder / name).write_text(source.joinpath(name).read_text("utf-8"), "utf-8")
