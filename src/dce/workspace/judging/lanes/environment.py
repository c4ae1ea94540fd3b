"""What a lane's commands start with: their variables, and which `python` is the project's.

What must always hold: a variable reaches a command only if programs need it to start or the project names it; none of DCE's own does,
even if named. `python` is the project's interpreter if it has one.
"""

import contextlib
import os
import shutil
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import msgspec

_KEPT = frozenset(
    {
        *("PATH", "LANG", "LANGUAGE", "TZ", "TERM", "USER", "LOGNAME", "SHELL", "CI"),
        *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "SSL_CERT_FILE", "SSL_CERT_DIR"),
        *("PYENV_ROOT", "PYENV_VERSION", "PYTHONUSERBASE", "WORKON_HOME", "NVM_DIR", "NVM_BIN", "BUN_INSTALL"),
        *("CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN", "GOROOT", "GOPATH", "GOCACHE", "GOMODCACHE", "GOFLAGS"),
        *("JAVA_HOME", "GRADLE_USER_HOME", "SDKMAN_DIR", "MAVEN_HOME", "DOTNET_ROOT", "ASDF_DATA_DIR"),
        *("CC", "CXX", "CFLAGS", "CXXFLAGS", "LDFLAGS", "PKG_CONFIG_PATH", "CONDA_PREFIX", "CONDA_DEFAULT_ENV"),
        *("SYSTEMROOT", "WINDIR", "COMSPEC", "PATHEXT"),
    }
)
"""Variables that programs need to start. A project must request all others by name, above all keys and passwords."""

_OWN_PREFIX = "DCE_"
"""Variables of DCE, its key among them: never passed on, even if requested."""

OFFLINE: Mapping[str, str] = {
    "npm_config_offline": "true",
    "YARN_ENABLE_NETWORK": "0",
    "CARGO_NET_OFFLINE": "true",
    "GOPROXY": "off",
    "UV_OFFLINE": "1",
    "PIP_RETRIES": "0",
    "PIP_DISABLE_PIP_VERSION_CHECK": "1",
    "COMPOSER_DISABLE_NETWORK": "1",
}
"""Tells package managers that there is no network. They would try for a minute otherwise (npm, 70 s); with these they take what is on the
machine, or say at once what is not."""

_PREFIX_MARKS = (
    "pyvenv.cfg",
    "conda-meta",
    "pkg/tool",
    "lib/node_modules",
    "lib/modules",
    "host/fxr",
    "boot/plexus-classworlds.license",
)
"""What only the folder of an installation holds, beside its `bin`: a Python environment, conda, Go, node, a JDK, .NET, Maven."""

_BIN = "Scripts" if os.name == "nt" else "bin"
_PYTHON = "python.exe" if os.name == "nt" else "python"


class Python(msgspec.Struct, frozen=True, kw_only=True):
    """The interpreter that `python` means. `environment`: its virtual environment, if it is one of the project's."""

    program: str
    environment: Path | None = None


def current_variables() -> Mapping[str, str]:
    """The variables of this program."""
    return dict(os.environ)


def find_python(environ: Mapping[str, str], root: Path) -> Python:
    """The project's interpreter: the active virtual environment, `.venv` or `venv` in the workspace, PATH, then the one that runs DCE.

    A virtual environment that is active only because DCE is installed in it comes after the workspace's own.
    """
    active = Path(environ["VIRTUAL_ENV"]) if environ.get("VIRTUAL_ENV") else None
    own = [root / ".venv", root / "venv"]
    is_ours = active is not None and os.path.realpath(active) == os.path.realpath(sys.prefix)
    for folder in [*own, active] if is_ours else [active, *own]:
        if folder is not None and (folder / _BIN / _PYTHON).exists():
            return Python(program=str(folder / _BIN / _PYTHON), environment=folder)
    for name in ("python", "python3"):
        found = shutil.which(name, path=environ.get("PATH"))
        if found:
            return Python(program=found)
    return Python(program=sys.executable)


class Variables(msgspec.Struct, frozen=True, kw_only=True):
    """Where a lane's folders are, for the variables that name them. `python_path`: folders that Python searches first."""

    home: Path
    tmp: Path
    python: Python
    python_path: tuple[Path, ...] = ()


def lane_variables(environ: Mapping[str, str], named: Iterable[str], own: Variables) -> dict[str, str]:
    """All variables of a command. `named`: those that the project requests besides the usual ones."""
    kept = {
        name: value
        for name, value in environ.items()
        if (name in _KEPT or name in set(named) or name.startswith("LC_")) and not name.startswith(_OWN_PREFIX)
    }
    kept |= {"HOME": str(own.home), "PYTHONDONTWRITEBYTECODE": "1"}
    kept |= {name: str(own.tmp) for name in ("TMPDIR", "TEMP", "TMP")}
    if own.python.environment is not None:
        kept["VIRTUAL_ENV"] = str(own.python.environment)
        kept["PATH"] = os.pathsep.join((str(own.python.environment / _BIN), kept.get("PATH", os.defpath)))
    if own.python_path:
        kept["PYTHONPATH"] = os.pathsep.join(dict.fromkeys(str(path) for path in own.python_path))
    return kept


def search_path(environ: Mapping[str, str]) -> tuple[Path, ...]:
    """The folders of PYTHONPATH."""
    return tuple(Path(os.path.realpath(entry)) for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry)


def needed_folders(environ: Mapping[str, str], python: Python) -> tuple[Path, ...]:
    """The folders outside the workspace that commands start from: PATH, the interpreter with its environment, and where that points."""
    found = [Path(entry) for entry in environ.get("PATH", "").split(os.pathsep) if Path(entry).is_absolute()]
    found += [entry.parent for entry in found if any((entry.parent / mark).exists() for mark in _PREFIX_MARKS)]
    found += [Path(os.path.realpath(python.program)).parent.parent, *search_path(environ)]
    if environ.get("CONDA_PREFIX"):
        found.append(Path(environ["CONDA_PREFIX"]))
    if python.environment is not None:
        found += [python.environment, *added_folders(python)]
    if python.program == sys.executable:
        found += [Path(sys.prefix), Path(sys.base_prefix)]
    return tuple(path for path in dict.fromkeys(found) if path.exists())


def added_folders(python: Python) -> tuple[Path, ...]:
    """The folders that the project's environment adds to Python's search path: editable installs, and environments that it builds on."""
    if python.environment is None:
        return ()
    lines: list[str] = []
    for file in sorted(python.environment.glob("lib/python*/site-packages/*.pth")):
        with contextlib.suppress(OSError):
            lines += file.read_text(encoding="utf-8", errors="replace").splitlines()
    return tuple(Path(line.strip()) for line in lines if Path(line.strip()).is_absolute())
