"""The documentation is held to the code: reference pages, names in the README, verbs and flags, links."""

import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dce.cli.main import cli

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_reference_pages_are_those_of_the_code() -> None:
    """Errors, settings and routes in docs/reference are what the tables in the code say."""
    result = subprocess.run(
        [sys.executable, "scripts/reference.py", "--check"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout + result.stderr


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_pictures_exist(page: Path) -> None:
    """Every relative link and picture of a page leads to a tracked file."""
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", page.read_text("utf-8")):
        if not target.startswith(("http://", "https://", "mailto:")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_make_targets_of_the_readme_exist() -> None:
    """Every `make X` that the README names is a target."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for name in set(re.findall(r"(?m)(?:`|^)make ([a-z-]+)", (ROOT / "README.md").read_text("utf-8"))):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_modules_named_in_the_architecture_exist() -> None:
    """ARCHITECTURE.md names only files that are there."""
    text = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    for name in set(re.findall(r"`((?:wire|gateway|workspace|panel|engine|doctor|cli)/[\w/]+\.py)`", text)):
        assert (ROOT / "src" / "dce" / name).is_file(), name


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_verbs_and_flags_of_the_pages_exist(page: Path) -> None:
    """Each command that a page says to type is a verb with flags that it has."""
    commands = re.findall(r"(?m)(?:`|^ *|[;&|] )(?:sudo -u dce )?dce ([a-z-][^`\n#|;&]*)", page.read_text("utf-8"))
    wrong = {f"dce {words}: {missing}" for words in commands for missing in _missing(words.split())}
    assert not wrong


def _missing(words: list[str]) -> list[str]:
    """The words of a command that are no verb, or no flag of their verb."""
    at: click.Command = cli
    missing: list[str] = []
    for word in (word.rstrip(",.:;)") for word in words):
        if isinstance(at, click.Group) and re.fullmatch(r"[a-z][a-z-]*", word):
            verb = at.get_command(click.Context(at), word)
            if verb is None:
                return [*missing, word]
            at = verb
        elif re.fullmatch(r"--[a-z-]+", word):
            flags = {flag for option in at.params for flag in (*option.opts, *option.secondary_opts)} | {"--help"}
            missing += [word] if word not in flags else []
    return missing
