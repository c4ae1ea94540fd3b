"""The reference page of the command line."""

from pathlib import Path

from dce.cli.main import VERBS
from dce.cli.reference import main, page

PAGE = Path(__file__).parents[2] / "docs" / "reference" / "cli.md"


def test_page_is_up_to_date() -> None:
    """docs/reference/cli.md says what the verbs say (mend: python -m dce.cli.reference docs/reference/cli.md)."""
    assert PAGE.read_text(encoding="utf-8") == page()


def test_page_holds_every_verb() -> None:
    """Every verb has its section."""
    text = page()
    assert all(f"### `dce {verb}" in text for verb in VERBS)


def test_check(tmp_path: Path) -> None:
    """`--check` tells a stale page from a fresh one and changes neither."""
    path = tmp_path / "cli.md"
    assert main([str(path), "--check"]) == 1
    assert main([str(path)]) == 0
    assert main([str(path), "--check"]) == 0
    path.write_text("old")
    assert main([str(path), "--check"]) == 1
    assert path.read_text() == "old"
