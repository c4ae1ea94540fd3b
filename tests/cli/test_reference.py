"""The reference page of the command line."""

import re
from pathlib import Path

import click

from dce.cli.main import VERBS, cli
from dce.cli.reference import main, page

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src" / "dce"
PAGE = ROOT / "docs" / "reference" / "cli.md"


def test_page_is_up_to_date() -> None:
    """docs/reference/cli.md matches the verbs' help (to update it: python -m dce.cli.reference docs/reference/cli.md)."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_page_holds_every_verb() -> None:
    """Every verb has its section."""
    text = page()
    assert all(f"### `dce {verb}" in text for verb in VERBS)


def test_check(tmp_path: Path) -> None:
    """`--check` distinguishes a stale page from a fresh one and changes neither."""
    path = tmp_path / "cli.md"
    assert main([str(path), "--check"]) == 1
    assert main([str(path)]) == 0
    assert main([str(path), "--check"]) == 0
    path.write_text("old")
    assert main([str(path), "--check"]) == 1
    assert path.read_text() == "old"


def test_verbs_that_messages_name_exist() -> None:
    """Every `dce VERB` in backticks in a message or comment is a verb, with a valid subverb if it has any."""
    with click.Context(cli, info_name="dce") as context:
        for path in sorted(SOURCE.rglob("*.py")):
            for words in re.findall(r"`dce ([a-z][a-z -]*)", path.read_text(encoding="utf-8")):
                verb, *rest = words.split()
                assert verb in VERBS, f"{path.name}: dce {words}"
                command = cli.get_command(context, verb)
                if isinstance(command, click.Group) and rest and not rest[0].startswith("-"):
                    assert rest[0] in command.list_commands(context), f"{path.name}: dce {words}"
