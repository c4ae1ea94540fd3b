"""`make release-check`: may this commit be released? One line a check, and what to do about each that fails.

Everything that is built is built from a fresh clone of HEAD, and everything that is installed goes into a fresh environment
with an empty home folder, so that nothing of this machine's state can make a broken release look right. When every check holds, the files that were checked
are in dist/; otherwise nothing is changed here.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import tomllib
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parent.parent
MINUTES = 60
BUILD_TIMEOUT_S = 15 * MINUTES
"""A clone has to install the build tools and the front-end's packages first."""
INSTALL_TIMEOUT_S = 10 * MINUTES
RUN_TIMEOUT_S = 60
HEADING = re.compile(r"^## \[(?P<version>[^\]]+)\](?: [-–] (?P<date>\d{4}-\d{2}-\d{2}))?\s*$", re.MULTILINE)
PANEL_PAGE = "dce/panel/static/index.html"


class Failed(Exception):
    """A check that does not hold: the fact, and the next step."""

    def __init__(self, fact: str, step: str) -> None:
        super().__init__(fact)
        self.step = step


class Check(NamedTuple):
    """One line of the report. `run` gives what to show of it, or raises Failed; those after one that `is_needed` depend on it."""

    name: str
    run: Callable[[], str]
    is_needed: bool = False


def versions(root: Path) -> dict[str, str]:
    """Every place that states the version, with what it states."""
    init = re.search(r'^__version__ = "([^"]+)"', (root / "src/dce/__init__.py").read_text("utf-8"), re.MULTILINE)
    lock = json.loads((root / "frontend/package-lock.json").read_text("utf-8"))
    return {
        "pyproject.toml": tomllib.loads((root / "pyproject.toml").read_text("utf-8"))["project"]["version"],
        "src/dce/__init__.py": init.group(1) if init else "nothing",
        "frontend/package.json": json.loads((root / "frontend/package.json").read_text("utf-8"))["version"],
        "frontend/package-lock.json": lock["version"],
        "frontend/openapi.json": json.loads((root / "frontend/openapi.json").read_text("utf-8"))["info"]["version"],
    }


def check_versions(root: Path) -> str:
    """The same version everywhere."""
    stated = versions(root)
    if len(set(stated.values())) != 1:
        listed = ", ".join(f"{place} says {version}" for place, version in stated.items())
        raise Failed(listed, "write the new version in each of them; `python -m dce.panel.openapi` writes openapi.json")
    return f"{stated['pyproject.toml']} in {len(stated)} places"


def check_changelog(root: Path) -> str:
    """The version has a dated section in the changelog, the first after Unreleased, and something stands in it."""
    version = versions(root)["pyproject.toml"]
    text = (root / "CHANGELOG.md").read_text("utf-8")
    sections = list(HEADING.finditer(text))
    bodies = {
        here["version"]: text[here.end() : after.start() if after else None]
        for here, after in zip(sections, [*sections[1:], None], strict=True)
    }
    released = [section for section in sections if section["version"] != "Unreleased"]
    step = f"write `## [{version}] – YYYY-MM-DD` below Unreleased and move the entries there"
    if not released or released[0]["version"] != version:
        raise Failed(f"CHANGELOG.md has no section for {version} as its newest version", step)
    if not released[0]["date"]:
        raise Failed(f"the section of {version} has no date", step)
    entries = len(re.findall(r"^- ", bodies[version], re.MULTILINE))
    if not entries:
        raise Failed(f"the section of {version} is empty", step)
    if re.search(r"^- ", bodies.get("Unreleased", ""), re.MULTILINE):
        raise Failed("entries still stand under Unreleased", step)
    return f"{entries} entries, dated {released[0]['date']}"


def check_tree(root: Path) -> str:
    """Nothing is changed or untracked: what is checked is what is committed."""
    changed = _output(["git", "status", "--porcelain"], root).splitlines()
    if changed:
        shown = ", ".join(line[3:] for line in changed[:3])
        raise Failed(f"{len(changed)} files are changed or untracked: {shown}", "commit or stash them")
    return f"clean at {_output(['git', 'rev-parse', '--short', 'HEAD'], root).strip()}"


class Build:
    """The wheel and the sdist, made in a fresh clone inside `folder`."""

    def __init__(self, root: Path, folder: Path) -> None:
        self._root = root
        self._clone = folder / "clone"
        self._folder = folder

    def clone(self) -> str:
        """A clone of HEAD, with `make dist` run in it."""
        _output(["git", "clone", "--quiet", "--no-hardlinks", str(self._root), str(self._clone)], self._root)
        make = ["make", "--silent", f"PYTHON={sys.executable}", "dist"]
        _output(make, self._clone, BUILD_TIMEOUT_S, "see why `make dist` fails in a fresh clone")
        return ", ".join(path.name for path in (self.wheel, self.sdist))

    @property
    def wheel(self) -> Path:
        """The one wheel that was built."""
        return self._one("*.whl")

    @property
    def sdist(self) -> Path:
        """The one sdist that was built."""
        return self._one("*.tar.gz")

    def _one(self, pattern: str) -> Path:
        found = sorted((self._clone / "dist").glob(pattern))
        if len(found) != 1:
            raise Failed(f"dist/ holds {len(found)} files like {pattern}, not one", "see what `make dist` does")
        return found[0]

    def check_panel(self) -> str:
        """The wheel has the panel's page, and every file that the page loads."""
        with zipfile.ZipFile(self.wheel) as wheel:
            names = set(wheel.namelist())
            page = wheel.read(PANEL_PAGE).decode("utf-8") if PANEL_PAGE in names else ""
        loaded = re.findall(r'(?:src|href)="/([^"]+)"', page)
        missing = [name for name in loaded if f"dce/panel/static/{name}" not in names]
        if not loaded or missing:
            fact = f"the wheel lacks {', '.join(missing) or PANEL_PAGE}"
            raise Failed(fact, "`make frontend` must have run before the wheel is built")
        return f"{len(loaded)} files of the panel's page, {len(names)} in all"

    def check_install(self, package: Path, version: str) -> str:
        """The package installs into a fresh environment, says its version, shows its verbs and begins a workspace."""
        place = self._folder / f"from-{package.name}"
        home = place / "home"
        home.mkdir(parents=True)
        name = tomllib.loads((self._root / "pyproject.toml").read_text("utf-8"))["project"]["name"]
        environment = {**_environment(), "HOME": str(home), "USERPROFILE": str(home)}
        _output([sys.executable, "-m", "venv", str(place / "venv")], place, INSTALL_TIMEOUT_S)
        bin_dir = place / "venv" / ("Scripts" if os.name == "nt" else "bin")
        pip = [str(bin_dir / "python"), "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
        step = f"pip install {package.name} in a fresh environment shows why"
        _output([*pip, f"{name}[panel] @ {package.as_uri()}"], place, INSTALL_TIMEOUT_S, step, environment)
        run = _Installed(bin_dir / "dce", environment)
        if (said := run("--version").strip()) != f"dce, version {version}":
            raise Failed(f"`dce --version` says {said!r}, not {version}", "the version stands in src/dce/__init__.py")
        if "Verbs" not in (shown := run("--help")):
            raise Failed(f"`dce --help` shows no verbs: {shown[:80]!r}", "run it in the fresh environment")
        return f"dce {version} runs; {_smoke(run, place / 'project')}"

    def keep(self) -> None:
        """Copies what was checked into dist/."""
        (self._root / "dist").mkdir(exist_ok=True)
        for path in (self.wheel, self.sdist):
            shutil.copy2(path, self._root / "dist")


class _Installed:
    """The installed command in an environment of its own."""

    def __init__(self, program: Path, environment: Mapping[str, str]) -> None:
        self._program = program
        self._environment = environment

    def __call__(self, *words: str) -> str:
        step = f"run `dce {' '.join(words)}` in a fresh environment; DCE_DEBUG=1 shows where it fails"
        return _output([str(self._program), *words], self._program.parent, RUN_TIMEOUT_S, step, self._environment)


def _smoke(run: _Installed, project: Path) -> str:
    """A person's first minute: a workspace, a file chosen, a cycle, a prompt."""
    project.mkdir()
    (project / "hello.py").write_text("def hello() -> str:\n    return 'hello'\n", "utf-8")
    where = ("-C", str(project))
    run("init", *where)
    run("select", "add", *where, "hello.py")
    run("cycle", "new", *where, "--title", "Say goodbye")
    made = json.loads(run("prompt", *where, "--json"))
    if made["files"] != 1:
        raise Failed(f"`dce prompt` put {made['files']} files into the prompt, not one", "see `dce prompt --json`")
    return f"a prompt of {made['total']:,} tokens"


def _output(
    command: list[str],
    where: Path,
    timeout_s: float = RUN_TIMEOUT_S,
    step: str = "run it by hand",
    environment: Mapping[str, str] | None = None,
) -> str:
    try:
        done = subprocess.run(
            command,
            cwd=where,
            env=environment or _environment(),
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise Failed(f"{command[0]} did not end within {timeout_s:.0f} s", step) from None
    except OSError as error:
        raise Failed(f"{command[0]} cannot be run: {error.strerror}", step) from None
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()
        raise Failed(
            f"{' '.join(command[:3])} … ended with {done.returncode}: {said[-1] if said else 'silently'}", step
        )
    return done.stdout


def _environment() -> dict[str, str]:
    """This process's variables without those that steer DCE, Python or make: a fresh machine has none of them."""
    steering = ("DCE_", "VLLM_", "PYTHON", "VIRTUAL_ENV", "MAKE", "MFLAGS", "GIT_")
    return {name: value for name, value in os.environ.items() if not name.startswith(steering)}


def checks(root: Path, build: Build) -> Iterator[Check]:
    """The checks in order. Those that build come last, for they take minutes."""
    yield Check("version", lambda: check_versions(root))
    yield Check("changelog", lambda: check_changelog(root))
    yield Check("working tree", lambda: check_tree(root))
    yield Check("build", build.clone, is_needed=True)
    yield Check("panel", build.check_panel)
    yield Check("wheel", lambda: build.check_install(build.wheel, versions(root)["pyproject.toml"]))
    yield Check("sdist", lambda: build.check_install(build.sdist, versions(root)["pyproject.toml"]))


def report(listed: Iterator[Check]) -> int:
    """Runs the checks, prints a line for each, and gives how many failed."""
    failed, missing = 0, ""
    for check in listed:
        if missing:
            failed += 1
            print(f"✗ {check.name}: not checked, since {missing!r} failed", flush=True)
            continue
        try:
            print(f"✓ {check.name}: {check.run()}", flush=True)
        except Failed as error:
            failed += 1
            missing = check.name if check.is_needed else ""
            print(f"✗ {check.name}: {error}\n    next: {error.step}", flush=True)
    return failed


def main() -> int:
    """Runs every check; 0 if all hold, else 1."""
    with tempfile.TemporaryDirectory(prefix="dce-release-") as folder:
        build = Build(ROOT, Path(folder))
        failed = report(checks(ROOT, build))
        if not failed:
            build.keep()
    print(
        f"not ready: {failed} of the checks failed"
        if failed
        else "ready: dist/ holds the files that were checked; tag this commit"
    )
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
