"""Placeholders in place of code, and files that were announced but are missing."""

import pytest

from dce.workspace.schema import read_answer
from dce.workspace.schema.announced import missing_files
from dce.workspace.schema.doubts import placeholder
from dce.workspace.schema.reading import file_block


@pytest.mark.parametrize(
    "line",
    [
        "# ... existing code ...",
        "// ... rest of the methods",
        "    // rest of the file unchanged",
        "    # (rest of code remains the same)",
        "(No change from C850)",
        "// (No functional changes)",
        "/* unchanged */",
        "<!-- existing content here -->",
        "{/* ... other imports ... */}",
        "# … rest unchanged",
        "// ... (unchanged)",
        "# remaining implementation unchanged",
        "    return 1  # ... remaining code as before ...",
        "# code omitted for brevity",
        "[original content here]",
        "{/* Rest of the component */}",
        "      {/* Rest of … */}",
        "{/* rest of your JSX ... */}",
        "<!-- Rest of the page -->",
        "/* remainder of the styles */",
    ],
)
def test_placeholders_are_found(line: str) -> None:
    """The usual placeholders for omitted code are found in the middle of a file."""
    assert placeholder(f"def f():\n    pass\n{line}\nend\n") == line.strip()


@pytest.mark.parametrize(
    "line",
    [
        "    ...",
        "def f(*args: int, **kwargs: str) -> None: ...",
        "x = [1, 2, ...]",
        "const all = [...existing, item];",
        "return { ...rest, id };",
        "# the rest of the list is sorted",
        "print('unchanged')",
        "assert 'existing code' in text",
        "raise ValueError('no change')",
        "The existing code is described in the architecture document.",
        "// no changes are written if the transaction fails",
        "# Other tests here check the parser",
        "/* rest of the arguments are passed on */",
        "<!-- the rest of the page is loaded later -->",
        "Loading…",
        "x" * 500 + " // ... existing code ...",
    ],
)
def test_ordinary_lines_are_no_placeholders(line: str) -> None:
    """Ellipses, spreads and prose about leaving things alone raise no flag."""
    assert placeholder(line) == ""


@pytest.mark.parametrize(
    ("said", "missing"),
    [
        ("Updated `src/a.py` and added tests/test_a.py.", ("tests/test_a.py",)),
        ("I will refactor **`view.tsx`** first.", ("view.tsx",)),
        ("*   **Frontend (`view.tsx`):** I will refactor the handlers.", ("view.tsx",)),
        ("The handler (`on-message.ts`) will be updated to match.", ("on-message.ts",)),
        ("Fixed `slugify` in `text.py`, using str.lower and os.path.", ("text.py",)),
        ("Updated a.py and ./src/a.py.", ()),
        ("I will update **`A1. Notes.md`**.", ()),
        ("I did not change b.py; see c.py for more.", ()),
        ("The parser in b.py is called from c.py.", ()),
        ("Delete old.py, which is no longer needed.", ()),
        ("Implemented `Stack.pop`; Python 3.11 needs 1.5e3 steps.", ()),
        ("You should update config.yml next.", ()),
        ("", ()),
    ],
)
def test_announced_files_without_a_block_are_named(said: str, missing: tuple[str, ...]) -> None:
    """Only a path that the answer says it wrote counts, even if only part of the path is given."""
    assert missing_files(said, ["src/a.py", "docs/A1. Notes.md"]) == missing


def test_doubts_become_flags_with_a_note_each() -> None:
    """The reading has the flags and names the file and the line."""
    text = "<summary>\nUpdated a.py and b.py.\n</summary>\n" + file_block(
        "a.py", "x\n# ... existing code ...\n", "3f9a1c"
    )
    reading = read_answer(text, "blocks", "3f9a1c")
    assert reading.flags == ("elision", "missing_files")
    assert any("a.py" in note and "existing code" in note for note in reading.notes)
    assert any("b.py" in note for note in reading.notes)
    assert reading.parse == "ok"
