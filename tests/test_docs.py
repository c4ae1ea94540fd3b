"""The documentation is held to the code: reference pages, names in the README, verbs and flags, links."""

import ast
import importlib
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import click
import pytest
import yaml

from dce.cli.main import cli

ROOT = Path(__file__).parent.parent
PAGES = [*sorted(ROOT.glob("*.md")), *sorted((ROOT / "docs").rglob("*.md")), ROOT / "frontend" / "README.md"]
FOR_NEWCOMERS = [ROOT / "CONTRIBUTING.md", ROOT / "frontend" / "README.md", ROOT / "SECURITY.md"]
MADE_LATER = {"src/dce/cli/where.py", "tests/cli/test_where.py", "tests/panel/resources/test_where.py"}
"""Files that a page tells its reader to write."""


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


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_make_targets_exist(page: Path) -> None:
    """Every `make X` that a page names is a target."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for name in set(re.findall(r"(?m)(?:`|^)make ([a-z-]+)", page.read_text("utf-8"))):
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


@pytest.mark.parametrize("page", FOR_NEWCOMERS, ids=lambda page: page.name)
def test_files_named_to_newcomers_exist(page: Path) -> None:
    """A file or folder of ours that a page for contributors names in backticks is there, from the root or from the page's folder."""
    for name in set(re.findall(r"`((?:\w[\w.-]*/)+[\w.-]*|[\w-]+\.(?:ts|tsx|css|mjs))`", page.read_text("utf-8"))):
        is_ours = name.split("/")[0] in {"src", "tests", "docs", "scripts", "frontend", "locks", "deploy", "bench"}
        if is_ours and name not in MADE_LATER and "NAME" not in name:
            assert (ROOT / name).exists() or (page.parent / name).exists(), name


def test_the_examples_for_newcomers_are_python() -> None:
    """Every Python example of CONTRIBUTING.md parses, and what it imports from us is there."""
    for block in re.findall(r"(?ms)^ *```python\n(.*?)^ *```", (ROOT / "CONTRIBUTING.md").read_text("utf-8")):
        code = textwrap.dedent(block)
        tree = ast.parse(code if not code.startswith('"where":') else "{" + code + "}")
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(("dce.", "tests.")):
                module = importlib.import_module(node.module or "")
                assert all(hasattr(module, alias.name) for alias in node.names), ast.unparse(node)


def test_the_readme_leads_to_every_page_for_newcomers() -> None:
    """README.md links the documentation, the pages for contributors and the statement of what is stable."""
    text = (ROOT / "README.md").read_text("utf-8")
    for name in (
        "CONTRIBUTING.md",
        "SECURITY.md",
        "CHANGELOG.md",
        "docs/README.md",
        "docs/guide/README.md",
        "docs/reference/README.md",
        "docs/adr/README.md",
        "docs/reference/stability.md",
        "frontend/README.md",
    ):
        assert f"]({name})" in text, name


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
    assert wrong <= {"dce where: where"}, wrong  # the verb that CONTRIBUTING.md adds as its example


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


@pytest.mark.parametrize(
    "form", sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("[!c]*.yml")), ids=lambda form: form.name
)
def test_issue_forms_are_what_the_code_host_takes(form: Path) -> None:
    """An issue form has a name, a description and fields whose ids differ; each field to fill in has a label."""
    read = yaml.safe_load(form.read_text("utf-8"))
    assert read["name"]
    assert read["description"]
    fields = [field for field in read["body"] if field["type"] != "markdown"]
    assert all(field["type"] in {"input", "textarea", "dropdown", "checkboxes"} for field in fields)
    assert all(field["attributes"]["label"] for field in fields)
    assert len({field["id"] for field in fields}) == len(fields)
