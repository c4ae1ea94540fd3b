"""Files that a summary says are written: what counts, what does not, and that a missing one is flagged."""

import pytest

from dce.workspace.schema import read_answer
from dce.workspace.schema.announced import missing_files
from dce.workspace.schema.reading import file_block

ANNOUNCED = [
    "Updated `x.py`.",
    "I will update `x.py`.",
    "Updates `x.py` to use the cache.",
    "This change adds `x.py`.",
    "I have added a test in `x.py`.",
    "I fixed the parser in `x.py` and its test.",
    "Added validation to `x.py`.",
    "Moved the helper into `x.py`.",
    "I removed the dead code from `x.py`.",
    "Extracted the reader into `x.py`, which `a.py` imports.",
    "Using the cache, I rewrote `x.py`.",
    "`x.py`: added a cache.",
    "- `x.py` — rewrote the loop",
    "- **x.py** (new)",
    "- `x.py` (modified): the loop",
    "`x.py` has been updated.",
    "The handler (`x.py`) will be rewritten.",
    "`x.py` now validates its input.",
    "### `x.py`\n\n- Added a cache\n- Fixed the loop",
    "**x.py**\n* Refactored the loop.",
    "#### 1. `x.py`\n  - Implemented `run`",
    "Files changed:\n- a.py\n- x.py",
    "**New files**\n\n1. `x.py`: the cache\n",
    "I created the following files:\n\n* `x.py` - the cache",
    "Changed `a.py`, `b/c.py` and `x.py`.",
    "I replaced all old tags in **`a.py`**, **`x.py`** and the templates.",
    "I updated the tags in **`A1 Notes - a.py`**, **`x.py`** and more.",
    "I changed two things. First, I updated `x.py`.",
    "I've implemented the cache (`x.py`).",
]

NOT_ANNOUNCED = [
    "After writing `x.json`, the service exits.",
    "Before creating `x.json` it checks the folder.",
    "The service writes `x.json` on every save.",
    "`save()` updates `x.json` and returns.",
    "It then creates `x.json`.",
    "Fixed the crash when `x.json` is missing.",
    "Fixed a race that overwrote `x.json`.",
    "Added support for `x.json`.",
    "Added tests for `x.py`.",
    "Changed the loader to write `x.json`.",
    "`x.json` is written by the server.",
    "`x.json` is created when the user logs in.",
    "`x.json` will be created at runtime.",
    "Replaced the constant with the one in the style of `x.py`.",
    "Updated `a.py` with values from `x.json`.",
    "You should update `x.py` next.",
    "You can edit `x.json` to change the port.",
    "I did not change `x.py`.",
    "`x.py` is unchanged.",
    "No changes were needed in `x.py`.",
    "Delete `x.py`, which is no longer needed.",
    "The implementation in `x.py` stays.",
    "Run `make` to update `x.lock`.",
    "If you want colours, change `x.css`.",
    "See `x.py` for the edited loop.",
    "Fixed a bug in `a.py` where `x.json` was overwritten.",
    "The data stays in `x.json`.",
    "Without writing `x.json` it fails.",
    "I will consider rewriting `x.py` later.",
    "Files not changed:\n- `x.py`",
    "Files read:\n- `x.py`",
    "**x.py**\n- It stays as it is.",
    "Fixed `str.lower` and `Stack.pop`.",
    "Updated every `*.x.py` in the repository.",
    "Updated https://example.org/x.py",
]


@pytest.mark.parametrize("said", ANNOUNCED)
def test_what_is_said_to_be_written_must_be_there(said: str) -> None:
    """Verbs of writing, labels, headings with lists and lists of files announce a path; if it is written, nothing is missing."""
    assert missing_files(said, ["src/a.py", "b/c.py", "A1 Notes - a.py"]) == ("x.py",)
    assert missing_files(said, ["src/a.py", "b/c.py", "A1 Notes - a.py", "deep/x.py"]) == ()


@pytest.mark.parametrize("said", NOT_ANNOUNCED)
def test_what_only_names_a_file_announces_none(said: str) -> None:
    """Files that the program writes, that the user may edit, that stay or are only read are not announced."""
    assert missing_files(said, ["src/a.py"]) == ()


def test_an_absent_file_is_flagged_with_its_name() -> None:
    """The reading carries the flag, and the note names the file."""
    text = "<summary>\n### `b.py`\n- Added it.\n</summary>\n" + file_block("a.py", "x\n", "3f9a1c")
    reading = read_answer(text, "blocks", "3f9a1c")
    assert reading.flags == ("missing_files",)
    assert any("b.py" in note for note in reading.notes)
