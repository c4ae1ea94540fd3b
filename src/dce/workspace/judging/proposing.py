"""Proposes checks from what is in the workspace: a table of detectors, one row for each kind of project.

Invariants: a detector only reads; a proposal says what it was seen by; a row marked `is_last_resort` (a Makefile, tox) counts only where no
other row found anything, because such commands usually start one of the others.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.checks_file import Check
from dce.workspace.project import Project
from dce.workspace.tree.files import listed_names

MAX_PLACES = 4
"""Folders of one kind that are proposed where the root has none: a monorepo with more of them needs a choice."""

MAX_PLACES_LOOKED_AT = 200
"""How many such folders are looked at, to name those that are not proposed."""

MAX_DEPTH = 3
"""How deep below the root such folders are looked for."""

MAX_READ_BYTES = 256 * 1024
"""How much is read of a file that describes the project."""

SLOW_S = 600.0
"""Timeout of checks that compile first."""

TEST_S = 300.0
"""Timeout of checks that only run tests."""


class Proposal(msgspec.Struct, frozen=True, kw_only=True):
    """A check, and what speaks for it."""

    check: Check
    why: str


class Proposed(msgspec.Struct, frozen=True, kw_only=True):
    """The checks that fit a workspace, and by name those that fit too but are too many."""

    proposals: tuple[Proposal, ...] = ()
    left_out: tuple[str, ...] = ()


class Place:
    """One folder of the workspace as a detector sees it. `folder` is "" for the workspace itself."""

    def __init__(self, project: Project, names: Sequence[str], folder: str = "") -> None:
        self._project = project
        self.folder = folder
        prefix = f"{folder}/" if folder else ""
        self.names = frozenset(name.removeprefix(prefix) for name in names if name.startswith(prefix))

    def text(self, name: str) -> str:
        """The beginning of a listed file; "" if there is none."""
        if name not in self.names:
            return ""
        path = self._project.root / self.folder / name
        try:
            self._project.resolve(f"{self.folder}/{name}" if self.folder else name)
            with path.open("rb") as file:
                return file.read(MAX_READ_BYTES).decode("utf-8", "replace")
        except (OSError, DceError):
            return ""

    def matching(self, pattern: str) -> list[str]:
        """The listed files whose path matches a regular expression, shallow ones first."""
        compiled = re.compile(pattern)
        return sorted((name for name in self.names if compiled.search(name)), key=lambda name: (name.count("/"), name))

    def first(self, *names: str) -> str:
        """The first of these files that is there; "" if none is."""
        return next((name for name in names if name in self.names), "")


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """A row: `find` gives (command, why), or None; `markers` are the files that make a folder one of this kind, if it need not be the
    root."""

    name: str
    find: Callable[[Place], tuple[tuple[str, ...], str] | None]
    markers: tuple[str, ...] = ()
    timeout_s: float = TEST_S
    report: str = ""
    before: tuple[tuple[str, tuple[str, ...]], ...] = ()
    is_last_resort: bool = False


def propose(project: Project) -> tuple[Proposal, ...]:
    """The checks that fit this workspace; none if nothing is recognised."""
    return propose_all(project).proposals


def propose_all(project: Project) -> Proposed:
    """As `propose`, and what fits too but is too much.

    What a row finds at the root stands for the folders below it too: no row with one of its markers looks there.
    """
    names = listed_names(project)
    root = Place(project, names)
    for is_last_resort in (False, True):
        rows = [row for row in DETECTORS if row.is_last_resort is is_last_resort]
        at_root = {row.name: found for row in rows if (found := row.find(root))}
        covered = frozenset(marker for row in rows if row.name in at_root for marker in row.markers)
        proposals, left_out = list[Proposal](), list[str]()
        for row in rows:
            if row.name in at_root:
                proposals += _proposals(row, root, *at_root[row.name])
            elif not covered.intersection(row.markers):
                places = _places(project, names, row)
                proposals += [proposal for place in places[:MAX_PLACES] for proposal in place]
                left_out += [place[-1].check.name for place in places[MAX_PLACES:]]
        if proposals:
            return Proposed(proposals=tuple(proposals), left_out=tuple(left_out))
    return Proposed()


def _places(project: Project, names: Sequence[str], row: Detector) -> list[list[Proposal]]:
    """The proposals of a row for each folder below the root that is of its kind."""
    folders = sorted(
        {str(PurePosixPath(name).parent) for name in names if PurePosixPath(name).name in row.markers and "/" in name},
        key=lambda folder: (folder.count("/"), folder),
    )
    shallow = [folder for folder in folders if folder.count("/") < MAX_DEPTH]
    places = [Place(project, names, folder) for folder in shallow[:MAX_PLACES_LOOKED_AT]]
    return [_proposals(row, place, *found) for place in places if (found := row.find(place))]


def _proposals(row: Detector, place: Place, command: tuple[str, ...], why: str) -> list[Proposal]:
    suffix = f" in {place.folder}" if place.folder else ""
    quick = [
        Check(name=f"{name}{suffix}", command=words, stage="quick", timeout_s=row.timeout_s, cwd=place.folder)
        for name, words in row.before
    ]
    check = Check(
        name=f"{row.name}{suffix}", command=command, timeout_s=row.timeout_s, cwd=place.folder, report=row.report
    )
    where = f"{place.folder}/{why}" if place.folder else why
    return [Proposal(check=each, why=where) for each in (*quick, check)]


def _pytest(place: Place) -> tuple[tuple[str, ...], str] | None:
    command = ("python", "-m", "pytest", "-q")
    for file, mark in (
        *(("pytest.ini", "[pytest]"), ("pyproject.toml", "[tool.pytest"), ("tox.ini", "[pytest]")),
        *(("setup.cfg", "[tool:pytest]"), ("pytest.toml", "")),
    ):
        if file in place.names and mark in place.text(file):
            return command, f"{file} configures pytest" if mark else f"{file} exists"
    if conftest := place.matching(r"(^|/)conftest\.py$"):
        return command, f"{conftest[0]} is pytest's"
    for test in _python_tests(place)[:20]:
        if re.search(r"^\s*(import|from) pytest\b|^(async )?def test_", place.text(test), re.MULTILINE):
            return command, f"{test} has tests in pytest's form"
    return None


def _unittest(place: Place) -> tuple[tuple[str, ...], str] | None:
    if _pytest(place):
        return None
    for test in _python_tests(place)[:50]:
        if re.search(r"\bTestCase\b", place.text(test)):
            folder = str(PurePosixPath(test).parent)
            is_package = folder == "." or f"{folder}/__init__.py" in place.names
            command = (
                ("python", "-m", "unittest") if is_package else ("python", "-m", "unittest", "discover", "-s", folder)
            )
            return command, f"{test} has a TestCase"
    return None


def _python_tests(place: Place) -> list[str]:
    return place.matching(r"(^|/)(test[^/]*|[^/]+_test)\.py$")


def _package(place: Place) -> dict[str, object]:
    return _read_package(place.text("package.json"))


def _read_package(text: str) -> dict[str, object]:
    try:
        found = msgspec.json.decode(text, type=dict[str, object])
    except msgspec.DecodeError:
        return {}
    return found


def _test_script(place: Place) -> str:
    return _script_of(place.text("package.json"))


def _script_of(text: str) -> str:
    scripts = _read_package(text).get("scripts")
    script = str(scripts.get("test", "")) if isinstance(scripts, dict) else ""
    return "" if "no test specified" in script else script.strip()


def _depends_on(place: Place, name: str) -> bool:
    package = _package(place)
    groups = [package.get(key) for key in ("dependencies", "devDependencies")]
    return any(isinstance(group, dict) and name in group for group in groups)


def _javascript(runner: str, *arguments: str) -> Callable[[Place], tuple[tuple[str, ...], str] | None]:
    """A runner that npm installs: its own command, if the test script is nothing else, so that it can be asked for a report."""

    def find(place: Place) -> tuple[tuple[str, ...], str] | None:
        script = _test_script(place)
        words = script.split()
        if words[:1] == [runner] and not re.search(r"[&|;<>$`\"'()*]", script):
            given = tuple(word for word in words[1:] if word not in {"run", "--watch", "watch", "--watchAll"})
            return ("npx", "--no-install", runner, *arguments, *given), f'package.json: "test": "{script}"'
        if not script and not _tested_packages(place) and _depends_on(place, runner):
            return ("npx", "--no-install", runner, *arguments), f"package.json depends on {runner}"
        return None

    return find


def _tested_packages(place: Place) -> list[str]:
    """The folders of a JavaScript monorepo's packages that have a test script, if this is its root."""
    if "workspaces" not in _package(place) and "pnpm-workspace.yaml" not in place.names:
        return []
    packages = place.matching(r"(^|/)[^/]+/package\.json$")[:MAX_PLACES_LOOKED_AT]
    return [str(PurePosixPath(name).parent) for name in packages if _script_of(place.text(name))]


_OWN_RUNNERS = (_javascript("vitest", "run"), _javascript("jest"), _javascript("mocha"))


def _node(place: Place) -> tuple[tuple[str, ...], str] | None:
    script = _test_script(place)
    if re.fullmatch(r"node (--\S+ )*--test( [\w./*-]+)*", script) and "*" not in script:
        return tuple(script.split()), f'package.json: "test": "{script}"'
    if script or _tested_packages(place) or any(find(place) for find in _OWN_RUNNERS):
        return None
    for test in place.matching(r"(\.test|_test|-test)\.[cm]?js$|(^|/)test/[^/]+\.[cm]?js$")[:20]:
        if "node:test" in place.text(test):
            return ("node", "--test"), f"{test} uses node:test"
    return None


def _npm(place: Place) -> tuple[tuple[str, ...], str] | None:
    script = _test_script(place)
    if not script and len(packages := _tested_packages(place)) > MAX_PLACES:
        every = ("pnpm", "-r", "--no-bail") if "pnpm-workspace.yaml" in place.names else ("npm", "--workspaces")
        return (*every, "--if-present", "run", "test"), f"{len(packages)} packages have a test script"
    if not script or _node(place) or any(find(place) for find in _OWN_RUNNERS):
        return None
    manager = {"pnpm-lock.yaml": "pnpm", "yarn.lock": "yarn", "bun.lock": "bun", "bun.lockb": "bun"}.get(
        place.first("pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"), "npm"
    )
    return (manager, "run", "test") if manager == "bun" else (manager, "test"), f'package.json: "test": "{script}"'


def _cargo(place: Place) -> tuple[tuple[str, ...], str] | None:
    if "Cargo.toml" not in place.names:
        return None
    every = ("--workspace",) if "[workspace" in place.text("Cargo.toml") else ()
    return ("cargo", "test", *every, "--no-fail-fast"), "Cargo.toml exists"


def _go(place: Place) -> tuple[tuple[str, ...], str] | None:
    if "go.mod" not in place.names:
        return None
    return ("go", "test", "./..."), "go.mod exists"


def _ctest(place: Place) -> tuple[tuple[str, ...], str] | None:
    if not re.search(r"\benable_testing\s*\(|\binclude\s*\(\s*CTest\b", place.text("CMakeLists.txt"), re.IGNORECASE):
        return None
    return ("ctest", "--test-dir", "build-dce", "--output-on-failure"), "CMakeLists.txt enables testing"


def _gradle(place: Place) -> tuple[tuple[str, ...], str] | None:
    build = place.first("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")
    program = "./gradlew" if "gradlew" in place.names else "gradle"
    return ((program, "test", "--continue", "--console=plain"), f"{build} exists") if build else None


def _maven(place: Place) -> tuple[tuple[str, ...], str] | None:
    program = "./mvnw" if "mvnw" in place.names else "mvn"
    found = "pom.xml" in place.names
    return ((program, "-B", "-ntp", "--fail-at-end", "test"), "pom.xml exists") if found else None


def _rspec(place: Place) -> tuple[tuple[str, ...], str] | None:
    specs = place.matching(r"(^|/)spec/.*_spec\.rb$")
    why = ".rspec exists" if ".rspec" in place.names else f"{specs[0]} exists" if specs else ""
    starter = ("bundle", "exec") if "Gemfile" in place.names else ()
    return ((*starter, "rspec"), why) if why else None


def _phpunit(place: Place) -> tuple[tuple[str, ...], str] | None:
    config = place.first("phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml")
    if not config and '"phpunit/phpunit"' not in place.text("composer.json"):
        return None
    return ("vendor/bin/phpunit",), f"{config} exists" if config else "composer.json requires phpunit"


def _dotnet(place: Place) -> tuple[tuple[str, ...], str] | None:
    solutions = place.matching(r"^[^/]+\.slnx?$") or place.matching(r"^[^/]+\.(cs|fs|vb)proj$")
    return (("dotnet", "test", solutions[0]), f"{solutions[0]} exists") if solutions else None


def _tox(place: Place) -> tuple[tuple[str, ...], str] | None:
    config = place.first("tox.ini", "tox.toml")
    if not config and "[tool.tox" in place.text("pyproject.toml"):
        config = "pyproject.toml"
    return (("tox", "-q"), f"{config} configures tox") if config else None


def _nox(place: Place) -> tuple[tuple[str, ...], str] | None:
    return (("nox",), "noxfile.py exists") if "noxfile.py" in place.names else None


def _make(place: Place) -> tuple[tuple[str, ...], str] | None:
    file = place.first("GNUmakefile", "makefile", "Makefile")
    target = re.search(r"^(test|check|tests)\s*:(?!=)", place.text(file), re.MULTILINE) if file else None
    return (("make", target[1]), f"{file} has the target {target[1]}") if target else None


_CONFIGURE = ("cmake", "-S", ".", "-B", "build-dce")
_BUILD = ("cmake", "--build", "build-dce")

DETECTORS: tuple[Detector, ...] = (
    Detector(name="pytest", find=_pytest, markers=("pyproject.toml", "setup.py", "pytest.ini")),
    Detector(name="unittest", find=_unittest, markers=("pyproject.toml", "setup.py")),
    Detector(name="vitest", find=_javascript("vitest", "run"), markers=("package.json",)),
    Detector(name="jest", find=_javascript("jest"), markers=("package.json",)),
    Detector(name="mocha", find=_javascript("mocha"), markers=("package.json",)),
    Detector(name="node", find=_node, markers=("package.json",)),
    Detector(name="npm test", find=_npm, markers=("package.json",)),
    Detector(name="cargo", find=_cargo, markers=("Cargo.toml",), timeout_s=SLOW_S),
    Detector(name="go", find=_go, markers=("go.mod",), timeout_s=SLOW_S),
    Detector(
        name="ctest",
        find=_ctest,
        markers=("CMakeLists.txt",),
        timeout_s=SLOW_S,
        before=(("configure", _CONFIGURE), ("build", _BUILD)),
    ),
    Detector(
        name="gradle",
        find=_gradle,
        markers=("settings.gradle", "settings.gradle.kts", "build.gradle", "build.gradle.kts"),
        timeout_s=SLOW_S,
        report="**/build/test-results/**/TEST-*.xml",
    ),
    Detector(
        name="maven",
        find=_maven,
        markers=("pom.xml",),
        timeout_s=SLOW_S,
        report="**/target/*-reports/TEST-*.xml",
    ),
    Detector(name="rspec", find=_rspec, markers=(".rspec", "Gemfile")),
    Detector(name="phpunit", find=_phpunit, markers=("composer.json", "phpunit.xml", "phpunit.xml.dist")),
    Detector(name="dotnet", find=_dotnet, timeout_s=SLOW_S),
    Detector(name="nox", find=_nox, timeout_s=SLOW_S, is_last_resort=True),
    Detector(name="tox", find=_tox, timeout_s=SLOW_S, is_last_resort=True),
    Detector(name="make", find=_make, timeout_s=SLOW_S, is_last_resort=True),
)
"""Which files speak for which command. The order is that of the proposals."""
