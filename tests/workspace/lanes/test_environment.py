"""environment.py and toolchains.py: the project's python, the variables of a command, the folders of the home that it sees."""

import os
import subprocess
import sys
from pathlib import Path

from dce.workspace.judging.lanes.environment import (
    Python,
    Variables,
    find_python,
    lane_variables,
    needed_folders,
)
from dce.workspace.judging.lanes.toolchains import repository_folders, tool_folders
from tests.workspace.judging import write


def _python(folder: Path) -> Path:
    write(folder / "bin" / "python", "", mode=0o755)
    return folder


def test_python_is_looked_for_in_order(tmp_path: Path) -> None:
    """The active environment, the workspace's, PATH, and only then the one that runs DCE."""
    root = tmp_path / "w"
    assert find_python({"PATH": str(tmp_path / "none")}, root) == Python(program=sys.executable)
    _python(tmp_path / "system")
    environ = {"PATH": str(tmp_path / "system" / "bin")}
    assert find_python(environ, root).program == str(tmp_path / "system" / "bin" / "python")
    own = _python(root / "venv")
    assert find_python(environ, root) == Python(program=str(own / "bin" / "python"), environment=own)
    own = _python(root / ".venv")
    assert find_python(environ, root).environment == own
    active = _python(tmp_path / "active")
    assert find_python(environ | {"VIRTUAL_ENV": str(active)}, root).environment == active


def test_an_environment_active_for_dce_comes_after_the_workspaces(tmp_path: Path) -> None:
    """An active environment that DCE itself runs in is the project's only if the workspace has none."""
    environ = {"VIRTUAL_ENV": sys.prefix, "PATH": ""}
    assert find_python(environ, tmp_path).environment == Path(sys.prefix)
    own = _python(tmp_path / ".venv")
    assert find_python(environ, tmp_path).environment == own


def test_the_environments_programs_come_first(tmp_path: Path) -> None:
    """With an environment of the project's, PATH begins with it and VIRTUAL_ENV names it."""
    own = Variables(home=tmp_path, tmp=Path("/tmp"), python=Python(program="p", environment=tmp_path / ".venv"))
    found = lane_variables({"PATH": "/bin", "VIRTUAL_ENV": "/other", "DCE_API_KEY": "k"}, ["DCE_API_KEY"], own)
    assert found["PATH"] == os.pathsep.join((str(tmp_path / ".venv" / "bin"), "/bin"))
    assert found["VIRTUAL_ENV"] == str(tmp_path / ".venv")
    assert "DCE_API_KEY" not in found
    assert "PYTHONPATH" not in found


def test_no_tool_folder_holds_credentials(tmp_path: Path) -> None:
    """Of each tool's folder only the parts without credentials are shown, the home itself never."""
    secrets = (
        *(".cargo/credentials.toml", ".cargo/credentials", ".npmrc", ".m2/settings.xml", ".gradle/gradle.properties"),
        *(".gem/credentials", ".composer/auth.json", ".config/composer/auth.json", ".nuget/NuGet/NuGet.Config"),
        *(".hex/hex.config", ".pub-cache/credentials.json", ".cabal/config", ".stack/config.yaml", ".netrc", ".pypirc"),
        *(".ssh/id", ".aws/credentials", ".docker/config.json", ".config/gh/hosts.yml", ".sbt/1.0/credentials"),
        *(".ivy2/.credentials", ".julia/servers/x/auth.toml", ".npm/_logs/x", ".local/share/keyrings/login.keyring"),
    )
    useful = (
        *(".cargo/bin/cargo", ".cargo/registry/x", ".m2/repository/x", ".gradle/caches/x", ".pyenv/shims/python"),
        *(".rustup/toolchains/x", ".nvm/versions/node/x", "go/pkg/mod/x", ".cache/go-build/x", ".local/bin/x"),
    )
    for path in (*secrets, *useful):
        write(tmp_path / path, "")
    shown = [folder.path for folder in tool_folders(tmp_path, {"GOPATH": str(tmp_path), "JAVA_HOME": str(tmp_path)})]
    assert tmp_path not in shown
    for path in secrets:
        assert not any((tmp_path / path).is_relative_to(folder) for folder in shown), path
    shown = [folder.path for folder in tool_folders(tmp_path, {})]
    for path in useful:
        assert any((tmp_path / path).is_relative_to(folder) for folder in shown), path


def test_a_variable_names_the_tools_folder(tmp_path: Path) -> None:
    """A tool's folder is shown where its variable says; the parts that it writes to are writable."""
    write(tmp_path / "rust" / "registry" / "x", "")
    write(tmp_path / "rust" / "bin" / "cargo", "")
    shown = {
        folder.path: folder.is_writable for folder in tool_folders(tmp_path, {"CARGO_HOME": str(tmp_path / "rust")})
    }
    assert shown == {tmp_path / "rust" / "bin": False, tmp_path / "rust" / "registry": True}


def test_what_an_environment_builds_on_is_needed(tmp_path: Path) -> None:
    """The environment, the interpreter behind it and the folders that its .pth files add are needed; missing ones are not."""
    environment = _python(tmp_path / "env")
    write(
        environment / "lib" / "python3.11" / "site-packages" / "x.pth", f"import os\n{tmp_path / 'lib'}\n/missing/x\n"
    )
    (tmp_path / "lib").mkdir()
    found = needed_folders({"PATH": "relative:/missing"}, Python(program="python", environment=environment))
    assert {environment, tmp_path / "lib"} <= set(found)
    assert not {Path("relative"), Path("/missing"), Path("/missing/x")} & set(found)


def test_a_worktrees_repository_is_found(tmp_path: Path) -> None:
    """The repository of a worktree is known, so that git works where the home is hidden; a plain workspace has none outside."""
    main, tree = tmp_path / "main", tmp_path / "tree"
    git = ("git", "-c", "user.name=n", "-c", "user.email=e")
    subprocess.run([*git, "init", "-q", str(main)], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "m"], cwd=main, check=True)
    subprocess.run([*git, "worktree", "add", "-q", str(tree)], cwd=main, check=True)
    assert repository_folders(main) == []
    assert repository_folders(tree) == [main / ".git", main / ".git" / "worktrees" / "tree"]


def test_installations_on_the_path_are_shown_whole(tmp_path: Path) -> None:
    """Of an installation whose `bin` is on PATH a command sees everything, since its programs need it; of other folders only that one."""
    for folder, mark in (
        ("venv", "pyvenv.cfg"),
        ("go", "pkg/tool/x"),
        ("node", "lib/node_modules/npm/x"),
        ("mine", "secrets/key"),
    ):
        write(tmp_path / folder / "bin" / "x", "", 0o755)
        write(tmp_path / folder / mark, "")
    path = os.pathsep.join(str(tmp_path / name / "bin") for name in ("venv", "go", "node", "mine"))
    found = needed_folders({"PATH": path}, Python(program="/usr/bin/python3"))
    shown = [name for name in ("venv", "go", "node", "mine") if tmp_path / name in found]
    assert shown == ["venv", "go", "node"]
    assert tmp_path / "mine" / "bin" in found
