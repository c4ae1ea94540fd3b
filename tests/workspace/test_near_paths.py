"""near_paths.py: the file that a path in an answer means, and the doubt if that is uncertain."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.workspace.accepting.accept import accept, plan
from dce.workspace.judging.board import board
from dce.workspace.project import Project
from dce.workspace.schema import Reading, read_answer
from dce.workspace.schema.near_paths import NamedPath, NearPaths
from dce.workspace.schema.reading import file_block
from tests.workspace.judging import Bench, write

FAULT = Path(__file__).parents[1] / "fixtures" / "faults" / "25-paths-nearly-right" / "paths.txt"
NONCE = "3f9a1c"
SHOWN = (
    "src/a.py",
    "src/Big.py",
    "README.md",
    "src/my_mod.py",
    "src/n\u00e9e.py",
    "docs/x y.md",
    "src/pkg/__init__.py",
)
UNSHOWN = ("src/other.py", "docs/guide/one.md")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A workspace named `ans`."""
    for path in (*SHOWN, *UNSHOWN):
        write(tmp_path / "ans" / path, "a = 1\n")
    return Project.init(tmp_path / "ans")


def _named(project: Project, path: str) -> NamedPath:
    return NearPaths(project, SHOWN).named(path)


def _read(project: Project, text: str) -> Reading:
    shown = dict.fromkeys(SHOWN, "a = 1\nb = 1\n")
    return read_answer(text, "blocks", NONCE, False, shown.get, NearPaths(project, SHOWN).named)


@pytest.mark.parametrize("path", FAULT.read_text("utf-8").splitlines())
def test_the_paths_of_the_report(project: Project, path: str) -> None:
    """Each reported near miss maps to the one shown file it can mean."""
    assert _named(project, path) == NamedPath("src/a.py")


@pytest.mark.parametrize(
    "path",
    [
        *("'src/a.py'", "**src/a.py**", "<src/a.py>", "src/a.py,", "\u201csrc/a.py\u201d"),
        *("src/a.py:7:3", "src/a.py#L7-L9", "src/a.py (modified)", "src/a.py lines 1-3"),
        *("path: src/a.py", "file:///home/x/ans/src/a.py", "FILE: `src/a.py:7`"),
        *("SRC/A.py", "src/\u0430.py", "src/\uff41.py", "src\u2215a.py", "\ufeffsrc/a.py", "src/a.py\u200e", "src / a.py"),
        *(".\\src\\a.py", "\\src\\a.py", "C:\\Users\\x\\ans\\src\\a.py:7", "ans\\src\\a.py", "..\\ans\\src\\a.py"),
        *("/src/a.py", "//src/a.py", "~/ans/src/a.py", "/workspace/src/a.py", "${workspaceFolder}/src/a.py", "repo/src/a.py"),
        *("src/./a.py", "src//a.py", "src/../src/a.py", "../ans/src/a.py", "a/ans/src/a.py", "./b/src/a.py"),
    ],
)  # fmt: skip
def test_further_near_misses(project: Project, path: str) -> None:
    """Quotes, remarks, labels, case, look-alike letters, roots of other machines, and combinations are undone."""
    assert _named(project, path) == NamedPath("src/a.py")


def test_decomposed_escaped_and_encoded_names(project: Project) -> None:
    """Characters of the name may be decomposed, escaped as in Markdown, or encoded as in a URL."""
    assert _named(project, unicodedata.normalize("NFD", "src/n\u00e9e.py")) == NamedPath("src/n\u00e9e.py")
    assert _named(project, "src/my\\_mod.py") == NamedPath("src/my_mod.py")
    assert _named(project, "docs/x%20y.md") == NamedPath("docs/x y.md")


@pytest.mark.parametrize(
    "path", [*SHOWN, *UNSHOWN, "src/new.py", "tests/__init__.py", "docs/README.md", "docs/a - b (2).md", "src/#1.md"]
)
def test_ordinary_paths_stay(project: Project, path: str) -> None:
    """A shown file, another file of the workspace and a plain new one are unchanged and not doubtful."""
    assert _named(project, path) == NamedPath(path)


@pytest.mark.parametrize(
    ("path", "meant"),
    [
        ("a.py", "a.py"),
        ("src/OTHER.py", "src/OTHER.py"),
        ("Src/new.py", "Src/new.py"),
        ("src/n\u0435w.py", "src/n\u0435w.py"),
        ("`src/new.py`", "src/new.py"),
        ("src/new.py:7", "src/new.py"),
        ("ans/src/new.py", "src/new.py"),
        ("b/src/new.py", "src/new.py"),
        ("other-main/src/a.py", "other-main/src/a.py"),
    ],
)
def test_what_is_only_likely_is_a_doubt(project: Project, path: str, meant: str) -> None:
    """A path close to a file in the workspace, but not to exactly one shown file, is doubtful, with the reason."""
    named = _named(project, path)
    assert named.path == meant
    assert named.doubt


def test_a_folder_with_the_name_of_a_front_makes_a_doubt(project: Project) -> None:
    """If the workspace has a folder `a`, `a/src/a.py` may be a new file in it."""
    write(project.root / "a" / "x.py", "")
    named = _named(project, "a/src/a.py")
    assert (named.path, "src/a.py" in named.doubt) == ("a/src/a.py", True)


def test_two_shown_files_that_are_alike_make_a_doubt(project: Project) -> None:
    """A path that can mean two shown files maps to neither."""
    named = NearPaths(project, ("src/a.py", "src/A.py")).named("SRC/a.PY")
    assert named == NamedPath("SRC/a.PY", "It can mean src/A.py or src/a.py.")


def test_a_new_file_by_its_absolute_path_or_with_backslashes(project: Project) -> None:
    """If the text has only one meaning, a new file is named without a doubt."""
    assert _named(project, f"{project.root}/src/new.py") == NamedPath("src/new.py")
    assert _named(project, "src\\new.py") == NamedPath("src/new.py")


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "../../x", "C:\\x", ".git\\config", "a\0b", "", "~", "/", "x" * 5000, f"{'../' * 40}x"]
)
def test_what_is_refused_stays_as_it_is_written(project: Project, path: str) -> None:
    """A path outside the workspace is not turned into one inside; its refusal names it as written."""
    assert _named(project, path) == NamedPath(path)


@given(st.text(st.sampled_from("aA/.\\:`'*~ \u200b\u0430src%2&;()#7b$"), max_size=24))
def test_any_path_ends_and_is_never_led_out(tmp_path_factory: pytest.TempPathFactory, path: str) -> None:
    """Property: the result is a shown file, the path itself, or a path that is no further outside."""
    root = tmp_path_factory.mktemp("w", numbered=True) / "ans"
    root.mkdir()
    named = NearPaths(Project(root), ("src/a.py",)).named(path)
    assert ".git" not in named.path or ".git" in path
    assert named.path == path or not named.path.startswith(("/", ".."))


def test_an_answer_says_which_paths_it_was_read_with(project: Project) -> None:
    """The block has both paths, a note reports it, the reading is `repaired`; no file counts as missing because of the spelling."""
    reading = _read(
        project, "<summary>\nUpdated `src/a.py`.\n</summary>\n" + file_block("b/src/a.py", "a = 2\n", NONCE)
    )
    assert [(file.path, file.written_path, file.flags) for file in reading.files] == [("src/a.py", "b/src/a.py", ())]
    assert (reading.parse, reading.flags) == ("repaired", ())
    assert "`b/src/a.py` read as `src/a.py`." in reading.notes
    windows = _read(project, "<summary>\nUpdated `src/a.py`.\n</summary>\n" + file_block("src\\a.py", "a = 2\n", NONCE))
    assert (windows.files[0].path, windows.flags, len(windows.notes)) == ("src/a.py", (), 1)


def test_an_invisible_character_is_made_visible_in_the_note(project: Project) -> None:
    """A note about a zero-width space makes it visible."""
    assert "`src/\\u200ba.py` read as `src/a.py`." in _read(project, file_block("src/\u200ba.py", "a\n", NONCE)).notes


def test_edits_of_a_near_path_are_made_in_the_shown_file(project: Project) -> None:
    """An edit block whose path almost matches a shown file changes that file."""
    pair = f"<<<<<<< SEARCH {NONCE}\na = 1\n======= {NONCE}\na = 2\n>>>>>>> REPLACE {NONCE}\n"
    reading = _read(project, f'<edit path="ans/src/a.py" nonce="{NONCE}">\n{pair}</edit nonce="{NONCE}">')
    assert [(file.path, file.content) for file in reading.files] == [("src/a.py", "a = 2\nb = 1\n")]


def test_two_spellings_of_one_file_are_ambiguous(project: Project) -> None:
    """Two blocks for one path become one file, the last, which is ambiguous if they differ."""
    two = file_block("src/a.py", "a = 2\n", NONCE) + "\n" + file_block("a/src/a.py", "a = 3\n", NONCE)
    reading = _read(project, two)
    assert [(file.path, file.content, file.status) for file in reading.files] == [("src/a.py", "a = 3\n", "ambiguous")]
    assert "ambiguous_block" in reading.flags
    alike = _read(project, two.replace("a = 3", "a = 2"))
    assert [(file.content, file.status, alike.flags) for file in alike.files] == [("a = 2\n", "complete", ())]


def test_a_file_with_edits_that_fit_nowhere_is_not_among_the_files(project: Project) -> None:
    """If one spelling's edits fail, the other spelling's block does not make the file look complete."""
    pair = f"<<<<<<< SEARCH {NONCE}\nc = 1\n======= {NONCE}\na = 2\n>>>>>>> REPLACE {NONCE}\n"
    failed = f'<edit path="a/src/a.py" nonce="{NONCE}">\n{pair}</edit nonce="{NONCE}">\n'
    reading = _read(project, failed + file_block("src/a.py", "a = 3\n", NONCE))
    assert (reading.files, [edit.path for edit in reading.unapplied]) == ((), ["src/a.py"])


def test_an_existing_file_is_never_taken_for_another(project: Project) -> None:
    """An existing file keeps its spelling; the same file under another spelling maps to the shown one."""
    write(project.root / "src" / "A.py", "b = 1\n")
    write(project.root / "b" / "src" / "a.py", "b = 1\n")
    write(project.root / "repo" / "x.py", "b = 1\n")
    for path in ("src/A.py", "b/src/a.py", "repo/README.md", "__init__.py", "docs/\u0645\u06cc\u200c\u062e.md"):
        assert _named(project, path) == NamedPath(path), path
    (project.root / "src" / "BIG.py").hardlink_to(
        project.root / "src" / "Big.py"
    )  # as on a case-insensitive file system
    assert _named(project, "src/BIG.py") == NamedPath("src/Big.py")


def test_a_doubled_slash_is_no_repair(project: Project) -> None:
    """Spellings that every program treats as the same path cause no note."""
    reading = _read(project, file_block("src//a.py", "a = 2\n", NONCE) + "\n<summary>\nDid.\n</summary>")
    assert (reading.files[0].path, reading.files[0].written_path, reading.parse) == ("src/a.py", "", "ok")


def test_the_board_and_the_plan_say_it(tmp_path: Path) -> None:
    """Row and plan have both paths and the doubt; a doubtful answer ranks below a clean one; either path picks the file."""
    bench = Bench(tmp_path / "ans", {"src/a.py": "a = 1\n"})
    near = NearPaths(bench.project, ("src/a.py",)).named
    texts = [file_block(path, "a = 2\n", NONCE) for path in ("src/A.py:1", "a.py")]
    readings = [read_answer(text, "blocks", NONCE, named=near) for text in texts]
    generation = bench.answer(*readings, {"src/a.py": "a = 3\n"})
    rows = {row.slot: row for row in board(bench, generation)}
    assert [(file.path, file.written_path) for file in rows[1].files] == [("src/a.py", "src/A.py:1")]
    assert (rows[2].flags, rows[2].files[0].flags) == (("path_doubt",), ("path_doubt",))
    assert [rows[slot].rank for slot in (1, 3, 2)] == [1, 2, 3]
    [write_] = plan(bench, generation, 1)
    assert (write_.path, write_.written_path, write_.change) == ("src/a.py", "src/A.py:1", "modified")
    assert plan(bench, generation, 2)[0].doubts == ("path_doubt",)
    accept(bench, generation, 1, ["src/A.py:1"])
    assert (bench.root / "src" / "a.py").read_text() == "a = 2\n"


@pytest.mark.parametrize(
    ("path", "near"),
    [
        ("function/inc.js", ("functions/inc.js",)),
        ("fucntions/inc.js", ("functions/inc.js",)),
        ("functionss/inc.js", ("functions/inc.js",)),
        ("semver.js", ("bin/semver.js", "classes/semver.js")),
        ("lib/semver.js", ("bin/semver.js", "classes/semver.js")),
        ("classes/comparater.js", ("classes/comparator.js",)),
        ("classes/comparatro.js", ("classes/comparator.js",)),
        ("classes/compartor.js", ("classes/comparator.js",)),
        ("internal/identifierrs_lissts.js", ("internal/identifiers_lists.js",)),
    ],
)
def test_a_misspelt_path_is_doubted(tmp_path: Path, path: str, near: tuple[str, ...]) -> None:
    """A new path that differs by a slip from a shown file's, or has its name in no known folder, is named with that file."""
    name = _semver(tmp_path).named(path)
    assert (name.path, name.near) == (path, near)
    assert all(shown in name.doubt for shown in near)


@pytest.mark.parametrize(
    "path",
    [
        *("classes/comparators.js", "classes/comparator2.js", "classes/comparator.ts", "classes/comparator_test.js"),
        *(
            "functions/dec.js",
            "functions/incs.js",
            "bin/range.js",
            "internal/semver.js",
            "lib/other.js",
            "function/new.js",
        ),
        *("lib/index.js", "README.md", "internal/encode.js"),
    ],
)
def test_a_name_that_differs_on_purpose_is_not_doubted(tmp_path: Path, path: str) -> None:
    """Plurals, numbers, other endings, short names and names that many folders have are new files."""
    assert _semver(tmp_path).named(path) == NamedPath(path)


def _semver(root: Path) -> NearPaths:
    shown = (
        *("functions/inc.js", "bin/semver.js", "classes/semver.js", "classes/comparator.js", "index.js"),
        *("internal/identifiers_lists.js", "internal/decode.js"),
    )
    for path in shown:
        write(root / path, "a\n")
    return NearPaths(Project.init(root), shown)


def test_a_file_that_moves_is_not_doubted(tmp_path: Path) -> None:
    """A renamed file, or one deleted and written elsewhere, has a new path on purpose."""
    near, text = _semver(tmp_path), file_block("function/inc.js", "b\n", NONCE)
    for act, flags in (
        ("", ("path_doubt",)),
        (f'<delete path="functions/inc.js" nonce="{NONCE}"/>\n', ()),
        (f'<rename from="functions/inc.js" to="function/inc.js" nonce="{NONCE}"/>\n', ()),
    ):
        assert read_answer(act + text, "blocks", NONCE, False, named=near.named).flags == flags


def test_blanks_around_a_path_are_the_files_own(tmp_path: Path) -> None:
    """A shown file whose name begins or ends with a blank is meant by its exact path; a twin without it raises a doubt."""
    shown = (" lead.txt", "trail.txt ", " twin.txt", "twin.txt")
    for path in shown:
        write(tmp_path / path, "a\n")
    near = NearPaths(Project.init(tmp_path), shown)
    text = "".join(file_block(path, "b\n", NONCE) + "\n" for path in shown[:3])
    reading = read_answer(text, "blocks", NONCE, False, named=near.named)
    assert [file.path for file in reading.files] == [" lead.txt", "trail.txt ", "twin.txt"]
    assert [file.flags for file in reading.files] == [(), (), ("path_doubt",)]
