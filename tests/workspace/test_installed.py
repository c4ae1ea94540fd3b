"""installed.py: a stamp that changes when packages are installed, and not when the project's own files do."""

from pathlib import Path

import pytest

from dce.workspace.judging.installed import installed_stamp
from tests.workspace.judging import write


@pytest.mark.parametrize(
    "installed",
    [
        *("node_modules/.package-lock.json", "node_modules/.modules.yaml", "vendor/modules.txt"),
        *(".venv/lib/python3.12/site-packages/dep/__init__.py", "venv/lib/python3.11/site-packages/dep.py"),
    ],
)
def test_installing_changes_the_stamp(tmp_path: Path, installed: str) -> None:
    """What a package manager writes changes the stamp; what a project writes and what is cached do not."""
    for name in (".venv", "venv"):
        if installed.startswith(name):
            write(tmp_path / name / "bin" / "python", "", 0o755)
            (tmp_path / installed).parent.parent.mkdir(parents=True)
    environ = {"PATH": str(tmp_path / "none")}
    before = installed_stamp(tmp_path, environ)
    write(tmp_path / "src" / "a.py", "")
    write(tmp_path / "node_modules" / ".cache" / "x", "")
    assert installed_stamp(tmp_path, environ) == before
    write(tmp_path / installed, "1")
    assert installed_stamp(tmp_path, environ) != before


def test_another_python_is_another_stamp(tmp_path: Path) -> None:
    """A report made with one environment is none for another."""
    stamps = set()
    for name in ("one", "two"):
        write(tmp_path / name / "bin" / "python", "", 0o755)
        write(tmp_path / name / "lib" / "python3.12" / "site-packages" / "x.py", "")
        stamps.add(installed_stamp(tmp_path / "w", {"VIRTUAL_ENV": str(tmp_path / name)}))
    assert len(stamps) == 2
