"""The repository checks itself: sizes, directions of imports, where the environment is read, what no file may hold."""

import ast
import re
import subprocess
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
SOURCE = ROOT / "src" / "dce"
MAX_MODULE_LINES = 600
MAX_FUNCTION_LINES = 70
MAX_PARAMETERS = 8

MAY_IMPORT = {
    "wire": set(),
    "durable": set(),
    "gateway": {"wire", "durable"},
    "workspace": {"wire", "durable"},
    "engine": {"wire"},
    "doctor": {"wire"},
    "panel": {"wire", "workspace"},
    "cli": {"wire", "durable", "workspace", "panel", "gateway", "engine", "doctor"},
}
"""Dependencies point one way; gateway and workspace never meet, only cli may start both."""

GATEWAY_ORDER = ("access", "front", "backends", "accounting", "streaming", "paths")
"""The gateway's packages, the lowest first: each may import those before it."""

MAY_READ_ENVIRONMENT = {
    "gateway/settings.py",  # its settings
    "cli/main.py",  # DCE_DEBUG
    "cli/context.py",  # hands it to the workspace's settings
    "cli/doctor.py",  # hands it to the doctor
    "cli/panel.py",  # likewise
    "cli/demo.py",  # warns of variables that would outrank the demo's settings
    "cli/sample.py",  # the environment of git
    "workspace/tree/git.py",  # the environment of git
    "workspace/accepting/git_baseline.py",  # likewise
    "workspace/judging/checks.py",  # the environment of the project's own commands
    "engine/process.py",  # the environment of the engine
    "engine/vllm.py",  # the environment of vLLM
}
"""Settings are read in one place a program; the rest hand the environment on to a child process."""

FORBIDDEN_NAMES = {"utils.py", "models.py", "common.py", "helpers.py", "misc.py"}
FORBIDDEN_TEXT = re.compile(r"\b(FIXME|TODO|XXX)\b|/work/|files\.pythonhosted|registry\.npmjs")


def _tracked() -> list[Path]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]


PYTHON = [path for path in _tracked() if path.suffix == ".py" and "examples" not in path.parts]
MODULES = [path for path in PYTHON if SOURCE in path.parents]
TYPESCRIPT = [path for path in _tracked() if path.suffix in {".ts", ".tsx"} and "generated" not in path.name]


def _id(path: Path) -> str:
    return str(path.relative_to(ROOT))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


@pytest.mark.parametrize("path", PYTHON + TYPESCRIPT, ids=_id)
def test_modules_stay_small(path: Path) -> None:
    """No module has more than 600 lines."""
    assert path.read_text("utf-8").count("\n") <= MAX_MODULE_LINES


@pytest.mark.parametrize("path", PYTHON, ids=_id)
def test_functions_stay_small(path: Path) -> None:
    """No function has more than 70 lines or 8 parameters."""
    long = [
        f"{node.name}:{node.lineno}"
        for node in _functions(path)
        if (node.end_lineno or 0) - node.lineno > MAX_FUNCTION_LINES
    ]
    wide = [
        f"{node.name}:{node.lineno}"
        for node in _functions(path)
        if len(node.args.args) + len(node.args.kwonlyargs) > MAX_PARAMETERS + 1
    ]
    assert not long
    assert not wide


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_imports_point_one_way(path: Path) -> None:
    """A package imports only those below it, lazily or not."""
    package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
    if package not in MAY_IMPORT:
        return
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if not isinstance(node, ast.Import | ast.ImportFrom):
            continue
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_id(path)}:{node.lineno} relative import"
            names = [node.module or ""]
        for name in names:
            parts = name.split(".")
            if parts[0] == "dce" and len(parts) > 1 and parts[1] != package:
                assert parts[1] in MAY_IMPORT[package], f"{_id(path)}:{node.lineno} {package} imports {name}"


def _imported(path: Path) -> Iterator[str]:
    """Modules of ours that a module imports when it is loaded."""
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("dce"):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
            yield node.module or ""


def test_no_modules_import_each_other_in_a_circle() -> None:
    """The modules can be put in an order in which each imports only those before it."""
    names = {".".join(path.relative_to(SOURCE.parent).with_suffix("").parts): path for path in MODULES}
    graph = {name: {other for other in _imported(path) if other in names} for name, path in names.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, naming the circle


@pytest.mark.parametrize("path", [path for path in MODULES if path.parent.parent.name == "gateway"], ids=_id)
def test_the_gateways_packages_have_an_order(path: Path) -> None:
    """A package of the gateway imports none that comes after it."""
    later = GATEWAY_ORDER[GATEWAY_ORDER.index(path.parent.name) + 1 :]
    found = [name for name in _imported(path) if name.startswith(tuple(f"dce.gateway.{package}." for package in later))]
    assert not found


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_the_environment_is_read_in_settings_only(path: Path) -> None:
    """os.environ and os.getenv appear only where settings are read or a child process is started."""
    text = path.read_text("utf-8")
    if "os.environ" in text or "os.getenv" in text:
        assert str(path.relative_to(SOURCE)) in MAY_READ_ENVIRONMENT


@pytest.mark.parametrize("path", MODULES, ids=_id)
def test_modules_say_what_they_are_for(path: Path) -> None:
    """Every module opens with a docstring and has a name that means something."""
    assert path.name not in FORBIDDEN_NAMES
    text = path.read_text("utf-8")
    assert not text or ast.get_docstring(ast.parse(text)), f"{_id(path)} has no docstring"


@pytest.mark.parametrize("path", [p for p in PYTHON if p.name.startswith("test_")], ids=_id)
def test_tests_say_their_property(path: Path) -> None:
    """Every test's docstring is the property it holds; none is skipped but for what another system does not have."""
    for node in _functions(path):
        if node.name.startswith("test_"):
            assert ast.get_docstring(node), f"{_id(path)}:{node.lineno} {node.name} has no docstring"
        marks = [ast.unparse(decorator) for decorator in node.decorator_list]
        skipped = [mark for mark in marks if "mark.skip" in mark and "skipif(os.name" not in mark]
        assert not skipped, f"{_id(path)}:{node.lineno} {skipped}"


def test_nothing_forbidden_is_tracked() -> None:
    """No tracked text holds an unfinished mark, a path of the build machine or a registry's host; no file is over 2 MB."""
    for path in _tracked():
        assert path.stat().st_size < 2_000_000, _id(path)
        if path.suffix in {".png", ".ico", ".woff2"} or path == Path(__file__):
            continue
        found = FORBIDDEN_TEXT.search(path.read_text("utf-8"))
        assert found is None, f"{_id(path)}: {found and found.group()}"
