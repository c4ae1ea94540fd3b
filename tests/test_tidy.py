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
MAX_FILE_BYTES = 2_000_000

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

ORDERS = {
    "wire": (
        *(
            "asking",
            "causes",
            "chunks",
            "finish",
            "halves",
            "hosts",
            "nearest",
            "parts",
            "refusals",
            "retry_after",
            "sse",
            "urls",
        ),
        *("errors", "proxies", "chat"),
    ),
    "engine": ("child", "weights", "embedded", "vllm", "process"),
    "doctor": (
        *("findings", "target", "answers", "handshake", "judge_network", "http", "judge_between"),
        *("judge_gateway", "judge_model", "judge_passage", "streaming", "probe", "tree"),
    ),
    "gateway": (
        *("logs", "backend_keys", "settings"),
        *("access", "front", "backends", "accounting", "streaming", "paths"),
        *("drain", "privacy", "revoking", "tracing", "diagnostics", "exposure", "reload", "route_table", "legacy"),
        *("endpoints", "admin", "app", "check", "server"),
    ),
    "workspace": (
        *("encoding_names", "project", "toml_edit", "file_update", "key_vault", "request_options", "settings", "cards"),
        *("writer_lock", "http"),
        *(
            "tree",
            "record",
            "events",
            "schema",
            "context",
            "outbound",
            "preparing",
            "generating",
            "judging",
            "accepting",
        ),
        *("workspace", "transfer", "manual", "correct", "follow_up", "one_answer", "judge", "asking_scripts"),
    ),
    "panel": (
        *("limits", "threads", "supervision", "tools", "http_responses", "event_log", "live", "checking"),
        *("file_state", "filetable", "assets", "security", "runtime", "route", "resources"),
        *("app", "server", "openapi"),
    ),
    "cli": (
        *("exits", "moments", "output", "tables", "waiting", "completion", "context", "progress", "consent"),
        *("checks", "checks_along", "running"),
        *("init", "select", "files", "cycle", "secrets", "settings", "prompt", "generate", "regenerate", "continue_"),
        *(
            "stop",
            "paste",
            "evidence",
            "board",
            "show",
            "diff",
            "judge",
            "follow_up",
            "run_checks",
            "accept",
            "restore",
            "stats",
        ),
        *("history", "export"),
        *("import_history", "store", "doctor", "engine", "gateway_keys", "gateway_usage", "gateway"),
        *("local_chain", "sample", "demo_server", "panel", "demo", "main", "reference"),
    ),
}
"""The modules and packages of each side in the order in which they are read: each imports only those before it."""

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
    "workspace/judging/lanes/environment.py",  # the environment of the project's own commands
    "workspace/judging/lanes/on_ray/cluster.py",  # Ray's own settings
    "workspace/judging/behaviour/stand_ins.py",  # runs in a lane: a test's changes to the environment are taken back
    "workspace/judging/behaviour/programs.py",  # runs in a lane: the environment that a test gives to a program
    "workspace/judging/behaviour/mutated/in_lane_runs.py",  # runs in a lane: the environment of the project's tests
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


def _name(path: Path) -> str:
    """The dotted name of a module of ours."""
    return ".".join(path.relative_to(SOURCE.parent).with_suffix("").parts).removesuffix(".__init__")


NAMES = {_name(path): path for path in MODULES}
"""Our modules by name."""


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _imported(path: Path) -> Iterator[str]:
    """What of ours a module imports: when it is loaded, late in a function, or for its types only."""
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "dce")
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{_id(path)}:{node.lineno} relative import"
            module = node.module or ""
            if module.split(".")[0] == "dce":
                yield from (name if (name := f"{module}.{alias.name}") in NAMES else module for alias in node.names)


def test_modules_stay_small() -> None:
    """No module has more than 600 lines."""
    lines = {_id(path): path.read_text("utf-8").count("\n") for path in PYTHON + TYPESCRIPT}
    assert not {name: count for name, count in lines.items() if count > MAX_MODULE_LINES}


def test_functions_stay_small() -> None:
    """No function has more than 70 lines or 8 parameters."""
    functions = [(f"{_id(path)}:{node.lineno} {node.name}", node) for path in PYTHON for node in _functions(path)]
    long = [place for place, node in functions if (node.end_lineno or 0) - node.lineno > MAX_FUNCTION_LINES]
    wide = [
        place
        for place, node in functions
        if len(node.args.posonlyargs) + len(node.args.args) + len(node.args.kwonlyargs) > MAX_PARAMETERS + 1
    ]
    assert not long
    assert not wide


def test_imports_point_one_way() -> None:
    """A package imports only those below it, lazily or not."""
    wrong = []
    for path in MODULES:
        package = path.relative_to(SOURCE).parts[0].removesuffix(".py")
        for name in _imported(path) if package in MAY_IMPORT else ():
            other = name.split(".")[1] if "." in name else package
            if other != package and other not in MAY_IMPORT[package]:
                wrong.append(f"{_id(path)} imports {name}")
    assert not wrong


def test_no_modules_import_each_other_in_a_circle() -> None:
    """The modules can be put in an order in which each imports only those before it, late imports and those for types included."""
    graph = {name: {other for other in _imported(path) if other != name} for name, path in NAMES.items()}
    tuple(TopologicalSorter(graph).static_order())  # raises CycleError, naming the circle


def _floor(package: str, name: str) -> str:
    """The module or package right below `package` in which a module is; "" for `package` itself."""
    return name.removeprefix(f"dce.{package}").removeprefix(".").partition(".")[0]


@pytest.mark.parametrize("package", ORDERS)
def test_a_package_reads_downwards(package: str) -> None:
    """Every module has a floor in its package's order, and imports nothing of a later floor, late or for types either."""
    order = ORDERS[package]
    ours = {name: path for name, path in NAMES.items() if name.startswith(f"dce.{package}.")}
    assert {_floor(package, name) for name in ours} == set(order)
    assert len(order) == len(set(order))
    upwards = [
        f"{name} imports {other}"
        for name, path in ours.items()
        for other in _imported(path)
        if f"{other}.".startswith(f"dce.{package}.")
        and (not (floor := _floor(package, other)) or order.index(floor) > order.index(_floor(package, name)))
    ]
    assert not upwards


def test_the_environment_is_read_in_settings_only() -> None:
    """os.environ and os.getenv appear only where settings are read or a child process is started."""
    texts = {str(path.relative_to(SOURCE)): path.read_text("utf-8") for path in MODULES}
    reading = {name for name, text in texts.items() if "os.environ" in text or "os.getenv" in text}
    assert not reading - MAY_READ_ENVIRONMENT


def test_modules_say_what_they_are_for() -> None:
    """Every module opens with a docstring and has a name that means something."""
    assert not [_id(path) for path in MODULES if path.name in FORBIDDEN_NAMES]
    texts = {_id(path): path.read_text("utf-8") for path in MODULES}
    assert not [name for name, text in texts.items() if text and not ast.get_docstring(ast.parse(text))]


def test_tests_say_their_property() -> None:
    """Every test's docstring is the property it holds; none is skipped but for what another system does not have."""
    wrong = []
    for path in (path for path in PYTHON if path.name.startswith("test_")):
        for node in _functions(path):
            place = f"{_id(path)}:{node.lineno} {node.name}"
            if node.name.startswith("test_") and not ast.get_docstring(node):
                wrong.append(f"{place} has no docstring")
            marks = [ast.unparse(decorator) for decorator in node.decorator_list]
            wrong += [f"{place} {mark}" for mark in marks if "mark.skip" in mark and "skipif(os.name" not in mark]
    assert not wrong


def test_nothing_forbidden_is_tracked() -> None:
    """No tracked text holds an unfinished mark, a path of the build machine or a registry's host; no file is over 2 MB."""
    wrong = []
    for path in _tracked():
        if path.stat().st_size >= MAX_FILE_BYTES:
            wrong.append(f"{_id(path)} is too large")
        if path.suffix in {".png", ".ico", ".woff2"} or path == Path(__file__):
            continue
        if found := FORBIDDEN_TEXT.search(path.read_text("utf-8", "replace")):
            wrong.append(f"{_id(path)}: {found.group()}")
    assert not wrong
