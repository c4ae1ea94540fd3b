"""Numbered hunks, and the text with only some of them applied."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.judging.hunks import hunks, take

OLD = "".join(f"{number}\n" for number in range(1, 31))
NEW = OLD.replace("3\n4\n", "three\n4\nfour and a half\n", 1).replace("\n25\n", "\n", 1)


def test_hunks_and_their_lines_are_numbered() -> None:
    """Hunks are numbered from 1, and so are the changed lines in each; context lines have no number."""
    first, second = hunks(OLD, NEW)
    assert (first.number, first.old_start, first.added, first.removed) == (1, 1, 2, 1)
    assert [(line.sign, line.number) for line in first.lines if line.number] == [("-", 1), ("+", 2), ("+", 3)]
    assert (second.number, second.added, second.removed) == (2, 0, 1)


def test_one_hunk_or_some_lines() -> None:
    """One hunk is applied alone, or only its picked lines."""
    assert take(OLD, NEW, ["2"]) == OLD.replace("\n25\n", "\n", 1)
    assert take(OLD, NEW, ["1:3"]) == OLD.replace("4\n", "4\nfour and a half\n", 1)
    assert take(OLD, NEW, ["1:1-2", "2"]) == NEW.replace("four and a half\n", "")


@pytest.mark.parametrize(
    ("pick", "code"),
    [
        ("x", "invalid_input"),
        ("0", "not_found"),
        ("3", "not_found"),
        ("1:4", "not_found"),
        ("1:1-99999999999", "not_found"),
    ],
)
def test_picks_that_are_not_there(pick: str, code: str) -> None:
    """A hunk or line that does not exist is refused quickly, naming those that do."""
    with pytest.raises(DceError) as caught:
        take(OLD, NEW, [pick])
    assert caught.value.code == code


TEXT = st.lists(st.sampled_from(["a\n", "b\n", "c\r\n", "\n", "d"]), max_size=14).map("".join)


@settings(deadline=None, max_examples=300)
@given(TEXT, TEXT)
def test_all_hunks_are_the_new_text_and_none_the_old(old: str, new: str) -> None:
    """Property: all hunks give the new text byte for byte, none the old one; so do their lines, picked one by one."""
    found = hunks(old, new)
    assert take(old, new, [str(hunk.number) for hunk in found]) == new
    assert take(old, new, []) == old
    lines = [f"{hunk.number}:{line.number}" for hunk in found for line in hunk.lines if line.number]
    assert take(old, new, lines) == new
