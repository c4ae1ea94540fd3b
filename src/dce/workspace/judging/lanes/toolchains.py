"""What of the user's home a lane shows: the folders of compilers, interpreters and their caches, and nothing else.

What must always hold: no row shows a file that holds credentials (`~/.cargo/credentials.toml`, `~/.m2/settings.xml`, `~/.npmrc`,
`~/.gradle/gradle.properties`, …): where a tool keeps them in its folder, the row names the parts beside them.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import msgspec


class Shown(msgspec.Struct, frozen=True, kw_only=True):
    """A folder that a lane shows. `is_writable`: what is written there goes to a layer of the lane; otherwise it is read-only."""

    path: Path
    is_writable: bool = False


class Tool(msgspec.Struct, frozen=True, kw_only=True):
    """Folders of one tool, relative to its home: the one that `variable` names, otherwise `home` in the user's home."""

    home: str
    reads: tuple[str, ...] = ()
    writes: tuple[str, ...] = ()
    variable: str = ""


TOOLS: tuple[Tool, ...] = (
    # Python
    Tool(home=".pyenv", reads=("",), variable="PYENV_ROOT"),
    Tool(home=".local", reads=("bin", "lib", "pipx", *(f"share/{name}" for name in ("pipx", "uv", "virtualenvs")))),
    Tool(home=".virtualenvs", reads=("",), variable="WORKON_HOME"),
    *(
        Tool(home=name, reads=("",))
        for name in ("miniconda3", "anaconda3", "miniforge3", "mambaforge", ".pixi", ".rye")
    ),
    # JavaScript
    Tool(home=".nvm", reads=("versions", "alias", "nvm.sh", "bash_completion"), variable="NVM_DIR"),
    *(Tool(home=name, reads=("",)) for name in (".volta", ".fnm", ".local/share/fnm", ".n", ".local/share/pnpm")),
    Tool(home=".bun", reads=("bin",), writes=("install/cache",), variable="BUN_INSTALL"),
    Tool(home=".deno", reads=("",)),
    Tool(home=".npm", writes=("_cacache", "_npx")),
    # Rust, Go, C
    Tool(home=".cargo", reads=("bin", "env"), writes=("registry", "git"), variable="CARGO_HOME"),
    Tool(home=".rustup", reads=("",), variable="RUSTUP_HOME"),
    Tool(home="go", reads=("bin",), writes=("pkg",), variable="GOPATH"),
    Tool(home="sdk", reads=("",)),
    # Java and its relatives
    Tool(home=".m2", writes=("repository", "wrapper")),
    Tool(
        home=".gradle",
        reads=("jdks",),
        writes=("caches", "wrapper", "native", "notifications"),
        variable="GRADLE_USER_HOME",
    ),
    Tool(home=".sdkman", reads=("candidates", "bin"), variable="SDKMAN_DIR"),
    Tool(home=".jenv", reads=("",)),
    Tool(home=".jdks", reads=("",)),
    Tool(home=".ivy2", writes=("cache", "local")),
    Tool(home=".sbt", writes=("boot",)),
    # Ruby, PHP, .NET, Elixir, Haskell, OCaml, Dart, Julia, Lean
    *(Tool(home=name, reads=("",)) for name in (".rbenv", ".rvm", ".local/share/gem/ruby", ".ghcup", ".opam", ".elan")),
    Tool(home=".gem", reads=("ruby",)),
    Tool(home=".composer", reads=("vendor",)),
    Tool(home=".config/composer", reads=("vendor",)),
    Tool(home=".dotnet", reads=("",), variable="DOTNET_ROOT"),
    Tool(home=".nuget", writes=("packages",)),
    Tool(home=".mix", reads=("elixir", "archives", "escripts")),
    Tool(home=".hex", reads=("packages",)),
    Tool(home=".cabal", reads=("bin", "store"), writes=("packages",)),
    Tool(home=".stack", reads=("programs", "snapshots")),
    Tool(home=".pub-cache", reads=("bin",), writes=("hosted",)),
    Tool(home=".julia", reads=("juliaup", "packages", "artifacts", "environments"), writes=("compiled",)),
    # Managers of versions for many languages
    Tool(home=".asdf", reads=("",), variable="ASDF_DATA_DIR"),
    Tool(home=".local/share/mise", reads=("installs", "shims", "plugins")),
    # Caches
    Tool(
        home=".cache",
        reads=("ms-playwright", "Cypress", "pypoetry/virtualenvs", "puppeteer"),
        writes=(
            "go-build",
            "uv",
            "yarn",
            "pnpm",
            "node",
            "pre-commit",
            "ccache",
            "zig",
            "coursier",
            "deno",
            "bazelisk",
        ),
    ),
)
"""Folders that exist are shown, each as itself: a tool's other files are not."""

_GITDIR = "gitdir: "

_FOLDERS = {"GOCACHE": True, "GOMODCACHE": True, "JAVA_HOME": False, "GOROOT": False}
"""Variables that name one folder, and whether it is written to."""


def tool_folders(home: Path, environ: Mapping[str, str]) -> Iterator[Shown]:
    """The tool folders that exist; a folder that a variable names is shown where it is."""
    for tool in TOOLS:
        base = Path(environ[tool.variable]) if environ.get(tool.variable) else home / tool.home
        for name in (*tool.reads, *tool.writes):
            path = base / name
            if path.is_absolute() and path != home and path.exists():
                yield Shown(path=path, is_writable=name in tool.writes and path.is_dir())
    for variable, is_writable in _FOLDERS.items():
        path = Path(environ.get(variable, ""))
        if path.is_absolute() and path != home and path.is_dir():
            yield Shown(path=path, is_writable=is_writable)


def repository_folders(root: Path) -> list[Path]:
    """Where the repository of a worktree or submodule is, if it is not in the workspace."""
    found: list[Path] = []
    with contextlib.suppress(OSError, UnicodeDecodeError):
        line = (root / ".git").read_text(encoding="utf-8").strip()
        if line.startswith(_GITDIR):
            found.append(Path(os.path.realpath(root / line.removeprefix(_GITDIR))))
            common = (found[0] / "commondir").read_text(encoding="utf-8").strip()
            found.insert(0, Path(os.path.realpath(found[0] / common)))
    return found
