"""Proposes checks from what is in the workspace: a table of detectors, one row for each kind of project.

Invariants: a detector only reads; a proposal says what it was seen by; a row marked `is_last_resort` (a Makefile, tox) counts only where no
other row found anything, because such commands usually start one of the others.
"""

import re
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath

import msgspec

from dce.workspace.judging import npm_scripts
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.place import MAX_PLACES, MAX_PLACES_LOOKED_AT, Command, Found, Place
from dce.workspace.project import Project
from dce.workspace.tree.files import listed_names

MAX_DEPTH = 3
"""How deep below the root such folders are looked for."""

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


def _whole(place: Place) -> tuple[tuple[str, Command], ...]:  # noqa: ARG001 - the signature of the others
    return ()


class Detector(msgspec.Struct, frozen=True, kw_only=True):
    """A row: `find` gives (command, why), or None; `markers` are the files that make a folder one of this kind, if it need not be the
    root. `parts`: the checks that the command is better made of, by name."""

    name: str
    find: Callable[[Place], Found | None]
    markers: tuple[str, ...] = ()
    timeout_s: float = TEST_S
    report: str = ""
    before: tuple[tuple[str, tuple[str, ...]], ...] = ()
    parts: Callable[[Place], tuple[tuple[str, Command], ...]] = _whole
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
    tests = [
        Check(name=f"{name}{suffix}", command=words, timeout_s=row.timeout_s, cwd=place.folder, report=row.report)
        for name, words in row.parts(place) or ((row.name, command),)
    ]
    where = f"{place.folder}/{why}" if place.folder else why
    return [Proposal(check=each, why=where) for each in (*quick, *tests)]


def _pytest(place: Place) -> Found | None:
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


def _unittest(place: Place) -> Found | None:
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


def _cargo(place: Place) -> Found | None:
    if "Cargo.toml" not in place.names:
        return None
    every = ("--workspace",) if "[workspace" in place.text("Cargo.toml") else ()
    return ("cargo", "test", *every, "--no-fail-fast"), "Cargo.toml exists"


def _go(place: Place) -> Found | None:
    if "go.mod" not in place.names:
        return None
    return ("go", "test", "./..."), "go.mod exists"


def _ctest(place: Place) -> Found | None:
    if not re.search(r"\benable_testing\s*\(|\binclude\s*\(\s*CTest\b", place.text("CMakeLists.txt"), re.IGNORECASE):
        return None
    return ("ctest", "--test-dir", "build-dce", "--output-on-failure"), "CMakeLists.txt enables testing"


def _gradle(place: Place) -> Found | None:
    build = place.first("build.gradle", "build.gradle.kts", "settings.gradle", "settings.gradle.kts")
    program = "./gradlew" if "gradlew" in place.names else "gradle"
    return ((program, "test", "--continue", "--console=plain"), f"{build} exists") if build else None


def _maven(place: Place) -> Found | None:
    program = "./mvnw" if "mvnw" in place.names else "mvn"
    found = "pom.xml" in place.names
    return ((program, "-B", "-ntp", "--fail-at-end", "test"), "pom.xml exists") if found else None


def _rspec(place: Place) -> Found | None:
    specs = place.matching(r"(^|/)spec/.*_spec\.rb$")
    why = ".rspec exists" if ".rspec" in place.names else f"{specs[0]} exists" if specs else ""
    starter = ("bundle", "exec") if "Gemfile" in place.names else ()
    return ((*starter, "rspec"), why) if why else None


def _phpunit(place: Place) -> Found | None:
    config = place.first("phpunit.xml", "phpunit.xml.dist", "phpunit.dist.xml")
    if not config and '"phpunit/phpunit"' not in place.text("composer.json"):
        return None
    return ("vendor/bin/phpunit",), f"{config} exists" if config else "composer.json requires phpunit"


def _dotnet(place: Place) -> Found | None:
    solutions = place.matching(r"^[^/]+\.slnx?$") or place.matching(r"^[^/]+\.(cs|fs|vb)proj$")
    return (("dotnet", "test", solutions[0]), f"{solutions[0]} exists") if solutions else None


def _tox(place: Place) -> Found | None:
    config = place.first("tox.ini", "tox.toml")
    if not config and "[tool.tox" in place.text("pyproject.toml"):
        config = "pyproject.toml"
    return (("tox", "-q"), f"{config} configures tox") if config else None


def _nox(place: Place) -> Found | None:
    return (("nox",), "noxfile.py exists") if "noxfile.py" in place.names else None


def _make(place: Place) -> Found | None:
    file = place.first("GNUmakefile", "makefile", "Makefile")
    target = re.search(r"^(test|check|tests)\s*:(?!=)", place.text(file), re.MULTILINE) if file else None
    return (("make", target[1]), f"{file} has the target {target[1]}") if target else None


_CONFIGURE = ("cmake", "-S", ".", "-B", "build-dce")
_BUILD = ("cmake", "--build", "build-dce")

DETECTORS: tuple[Detector, ...] = (
    Detector(name="pytest", find=_pytest, markers=("pyproject.toml", "setup.py", "pytest.ini")),
    Detector(name="unittest", find=_unittest, markers=("pyproject.toml", "setup.py")),
    Detector(name="vitest", find=npm_scripts.runner("vitest", "run"), markers=("package.json",)),
    Detector(name="jest", find=npm_scripts.runner("jest"), markers=("package.json",)),
    Detector(name="mocha", find=npm_scripts.runner("mocha"), markers=("package.json",)),
    Detector(name="node", find=npm_scripts.node, markers=("package.json",)),
    Detector(name="npm test", find=npm_scripts.npm, parts=npm_scripts.npm_parts, markers=("package.json",)),
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
