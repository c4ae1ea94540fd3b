"""Which files run by themselves or set policy (fault T9), and that DCE's own are never written unnoticed."""

from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import Options, Part, accept, plan
from dce.workspace.judging.compare import changes
from dce.workspace.outbound.allowlist import ALLOW_FILE
from dce.workspace.schema.reading import FileBlock, Reading
from dce.workspace.tree.effects import effects_of, is_own_policy
from tests.workspace.judging import Bench

FILES = {"a.py": "a = 1\n", "Makefile": "all:\n\ttrue\n"}


@pytest.mark.parametrize(
    "path",
    [
        *(
            ".github/workflows/ci.yml",
            ".GitHub/Workflows/CI.YML",
            "sub/.github/workflows/deep/x.yaml",
            ".gitlab-ci.yml",
        ),
        *(".vscode/tasks.json", ".vscode/settings.json", ".devcontainer/Dockerfile", "x/y.code-workspace"),
        *("Makefile", "tools/GNUmakefile", "rules.mk", "conftest.py", "tests/unit/conftest.py", "sitecustomize.py"),
        *("setup.py", "pyproject.toml", "setup.cfg", "evil.pth", "noxfile.py", ".pre-commit-config.yaml"),
        *(".husky/pre-commit", ".husky/_/husky.sh", ".githooks/post-checkout", "package.json", "web/package.json"),
        *(".mocharc.js", "mix.exs", "bunfig.toml", "deno.json", "deno.jsonc", "shell.nix", "default.nix", "flake.nix"),
        *("docker-compose.yml", "compose.prod.yaml", "Dockerfile", "Dockerfile.dev", "web.Dockerfile", "Containerfile"),
        *(".gemini/settings.json", ".codex/config.toml", ".aider.conf.yml", ".lvimrc", "netlify.toml", "vercel.json"),
        *(
            "Cargo.toml",
            "crates/a/Cargo.toml",
            "Vagrantfile",
            "Procfile",
            "mise.toml",
            "playwright.config.ts",
            "a.gemspec",
        ),
        *(".envrc", "build.rs", ".mcp.json", "vite.config.ts", "Jenkinsfile", "./Makefile"),
    ],
)
def test_what_runs_by_itself_is_flagged(path: str) -> None:
    """A file that tools run automatically is recognised by its name, in any folder and case."""
    assert "runs_by_itself" in effects_of(path)


@pytest.mark.parametrize(
    "path",
    [
        *(".dceallow", ".dceignore", ".DCEALLOW", ".gitattributes", "sub/.gitattributes", ".gitmodules", ".gitignore"),
        *("package-lock.json", "yarn.lock", "pnpm-lock.yaml", "uv.lock", "poetry.lock", "Cargo.lock", "go.sum"),
        *(".windsurfrules", ".clinerules", ".clinerules/a.md", "GEMINI.md", ".github/instructions/a.instructions.md"),
        *(".tool-versions", "rust-toolchain.toml", ".cursorignore", "deny.toml", ".htaccess", "pnpm-workspace.yaml"),
        *("requirements.txt", "requirements-dev.txt", "Gemfile.lock", "CODEOWNERS", ".github/CODEOWNERS", "AGENTS.md"),
    ],
)
def test_what_sets_policy_is_flagged(path: str) -> None:
    """A file that sets what tools allow or install is recognised by its name."""
    assert "sets_policy" in effects_of(path)


@pytest.mark.parametrize(
    "path",
    [
        *(
            "src/a.py",
            "README.md",
            "src/setup_utils.py",
            "docs/makefile.md",
            "workflows/ci.yml",
            "tests/test_conftest.py",
        ),
        *("my.dceallow.txt", "github/workflows/x.yml", "src/package.json.py", "locks.py", "husky/x", "unlock.json"),
        *(
            "src/compose.py",
            "docs/netlify.md",
            "src/vercel.ts",
            "gemini/settings.json",
            "rules",
            "src/mix.py",
            "nix.py",
        ),
    ],
)
def test_ordinary_files_are_not_flagged(path: str) -> None:
    """Names that only resemble those are not flagged: a warning on every file would be useless."""
    assert effects_of(path) == ()
    assert not is_own_policy(path)


def test_a_link_is_flagged_by_what_it_leads_to(tmp_path: Path) -> None:
    """A harmless name that links to a file that runs by itself is flagged, since that file would be written."""
    bench = Bench(tmp_path, FILES)
    (bench.project.root / "notes.txt").symlink_to("Makefile")
    reading = Reading(
        files=(FileBlock(path="notes.txt", content="all:\n\tevil\n"), FileBlock(path="a.py", content="b"))
    )
    assert [change.flags[:1] for change in changes(bench.project, reading, ())] == [
        ("runs_by_itself",),
        ("stale_base",),
    ]


def test_the_plan_names_what_runs_by_itself(tmp_path: Path) -> None:
    """Accepting shows the flags only of files that change."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer(
        {"a.py": "a = 2\n", "package.json": "{}\n", "Makefile": FILES["Makefile"], "uv.lock": "x\n"}
    )
    planned = {write.path: write.flags for write in plan(bench, generation, 1)}
    assert planned == {
        "a.py": (),
        "package.json": ("runs_by_itself",),
        "Makefile": (),
        "uv.lock": ("sets_policy",),
    }


def test_an_answer_cannot_switch_the_secret_scan_off(tmp_path: Path) -> None:
    """An answer with a .dceallow is refused as a whole, in any spelling and beside another response; if named, it is written."""
    bench = Bench(tmp_path, FILES)
    generation = bench.answer({"a.py": "a = 2\n", ALLOW_FILE: "**\n"}, {"a.py": "a = 2\n", "./.DCEALLOW": "**\n"})
    for slot, options in ((1, Options()), (2, Options()), (1, Options(also=(Part(slot=2),)))):
        with pytest.raises(DceError, match="sets what DCE may read and send"):
            accept(bench, generation, slot, options=options)
    assert not (bench.project.root / ALLOW_FILE).exists()
    assert (bench.project.root / "a.py").read_text() == FILES["a.py"]
    accept(bench, generation, 1, ["a.py"])
    assert not (bench.project.root / ALLOW_FILE).exists()
    accept(bench, generation, 1, [ALLOW_FILE])
    assert (bench.project.root / ALLOW_FILE).read_text() == "**\n"


def test_a_link_to_the_allow_list_is_refused_as_well(tmp_path: Path) -> None:
    """Another name for DCE's own policy file counts as that file."""
    bench = Bench(tmp_path, FILES)
    (bench.project.root / "notes.txt").symlink_to(ALLOW_FILE)
    generation = bench.answer({"notes.txt": "**\n"})
    with pytest.raises(DceError, match="sets what DCE may read and send"):
        accept(bench, generation, 1)
