"""docs/faults.md: every known fault of the tool that this one replaces has a row, and every row tests that exist."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
NUMBERS = [f"{letter}{at}" for letter, last in (("D", 13), ("P", 14), ("H", 12), ("S", 6)) for at in range(1, last + 1)]
ROWS = dict(re.findall(r"^\| ([DPHSGWT]\d+): (.*)$", (ROOT / "docs" / "faults.md").read_text("utf-8"), re.MULTILINE))


def test_every_fault_has_a_row() -> None:
    """No number of data, prompt, answers and safety is missing."""
    assert set(NUMBERS) <= ROWS.keys()


@pytest.mark.parametrize("number", ROWS)
def test_the_tests_of_a_row_exist(number: str) -> None:
    """A row names at least one test, and each is a function of the file that it names."""
    named = re.findall(r"`([\w/]+\.py)(?:::(\w+))?`", ROWS[number])
    assert named
    for file, name in named:
        source = (ROOT / "tests" / file).read_text("utf-8")
        assert not name or re.search(rf"^(?:async )?def {name}\(", source, re.MULTILINE), f"{number}: {file}::{name}"
