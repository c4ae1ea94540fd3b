"""Python's row: probes made from tests, docstrings and the changed modules, run by the project's own interpreter outside any test runner."""

import ast
import asyncio
import re
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from dce.workspace.judging.behaviour.affected import affected, mentions, only, telling_tests
from dce.workspace.judging.behaviour.generate import Material, make_probes
from dce.workspace.judging.behaviour.in_real_lane import ProbeLane
from dce.workspace.judging.behaviour.language import Language, Place, Sources
from dce.workspace.judging.behaviour.probe import Outcome, Probe, Snippet
from dce.workspace.judging.behaviour.python_modules import Importable, importable, imported_names
from dce.workspace.judging.behaviour.running import Interpreter, run_probes

MAX_TEST_FILES = 12
"""Most test files that are read: those that mention most of what the answers change. Probes are too few to show more."""

MAX_LOOKED_AT = 60
"""Most test files of which each test is looked at, those first that mention most: looking at one takes some 20 ms."""

_TEST_NAME = re.compile(r"(test_.*|.*_test|tests?|conftest)\.py")


def is_python(path: str) -> bool:
    """Whether a file is Python source."""
    return path.endswith(".py")


def is_test(path: str) -> bool:
    """Whether a file is a test or a part of one, by the names that pytest and unittest look for."""
    return is_python(path) and _TEST_NAME.fullmatch(PurePosixPath(path).name) is not None


def make(sources: Sources, seed: int) -> tuple[Probe, ...]:
    """The probes for the changed modules."""
    modules, names = {}, set[str]()
    for path, found in _imports(sources).items():
        versions = sources.changed[path]
        here = affected(versions)
        names |= here
        modules[found.module] = tuple(only(text, here) for text in versions)
    if not modules:
        return ()
    material = Material(tests=_telling(sources, frozenset(names)), modules=modules, asked=sources.asked)
    return make_probes(material, seed=seed)


async def run(place: Place, probes: Sequence[Probe]) -> Mapping[str, Outcome]:
    """The outcomes, from one process of the project's interpreter for each round."""
    paths = await asyncio.to_thread(_search_paths, place.sources)
    interpreter = Interpreter(program="python", paths=paths)
    return await run_probes(ProbeLane(place.lane), probes, interpreter, limits=place.limits)


def script(text: str) -> Snippet | None:
    """A script as a snippet: its imports, then the rest as one step."""
    try:
        body = ast.parse(text).body
    except (SyntaxError, ValueError):
        return None
    imports = [node for node in body if isinstance(node, ast.Import | ast.ImportFrom)]
    rest = [node for node in body if node not in imports]
    if not rest:
        return None
    # More than one statement, so that all of it is run as it stands.
    lines = "\n".join(("pass", *(ast.unparse(node) for node in rest)))
    return Snippet(header=tuple(ast.unparse(node) for node in imports), steps=(lines,))


PYTHON = Language(
    name="Python",
    version=3,
    runs="calls of the changed modules, with values from the tests and at the edges, in the project's Python",
    speaks_for=is_python,
    is_test=is_test,
    make=make,
    run=run,
    fences=("python", "py", "python3"),
    script=script,
)


def _search_paths(sources: Sources) -> tuple[str, ...]:
    """Where modules and the tests' own modules are found, relative to the lane's root."""
    beside = sorted({_folder(path) for path in sources.tests})
    return tuple(dict.fromkeys(("", "src", *(found.root for found in _imports(sources).values()), *beside)))


def _imports(sources: Sources) -> dict[str, Importable]:
    """How each changed file is imported; those that cannot be are left out."""
    stems = frozenset(PurePosixPath(path).stem for path in sources.changed)
    asking = [text for text in sources.tests.values() if mentions(text, stems)][:MAX_TEST_FILES]
    imported = frozenset().union(*(imported_names(text) for text in asking))
    paths = sources.paths | frozenset(sources.changed)
    found = {path: importable(path, paths, imported) for path in sorted(sources.changed)}
    return {path: one for path, one in found.items() if one is not None}


def _telling(sources: Sources, names: frozenset[str]) -> dict[str, str]:
    """The tests that mention what is affected, and what they share; if there is none, all tests, in the files' order."""
    shared = {path: text for path, text in sources.tests.items() if path.endswith("conftest.py")}
    counted = {path: mentions(text, names) for path, text in sources.tests.items() if path not in shared}
    ordered = sorted(counted, key=lambda path: (-counted[path], path))
    telling = {
        path: text
        for path in ordered[:MAX_LOOKED_AT]
        if (text := telling_tests(sources.tests[path], names, tuple(shared.values())))
    }
    chosen = telling or {path: sources.tests[path] for path in ordered}
    return shared | dict(list(chosen.items())[:MAX_TEST_FILES])


def _folder(path: str) -> str:
    return "/".join(PurePosixPath(path).parent.parts)
