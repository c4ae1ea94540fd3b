"""The workspace folder, and the check that every path must pass."""

import os
import string
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.project import PathRefused, Project

SETTINGS = settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=200)
NAMES = st.text(alphabet=string.ascii_letters + string.digits + "._- é日", min_size=1, max_size=12)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    root = tmp_path / "workspace"
    root.mkdir()
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "secret.txt").write_text("secret")
    return Project.init(root)


def assert_refused(project: Project, path: str) -> None:
    """Asserts that the path is refused and named."""
    with pytest.raises(DceError) as caught:
        project.resolve(path)
    assert caught.value.code == "outside_workspace"
    assert repr(path) in caught.value.message


def test_init_makes_state_that_git_ignores_but_for_what_a_team_shares(tmp_path: Path) -> None:
    """`init` creates .dce with a .gitignore that excludes all but the shared files, and may be called again."""
    project = Project.init(tmp_path)
    ignore = project.state_dir / ".gitignore"
    lines = ignore.read_text().splitlines()
    assert lines.index("*") < lines.index("!config.toml")
    assert {"!.gitignore", "!selections.toml", "!checks.toml"} <= set(lines)
    ignore.write_text("mine")
    Project.init(tmp_path)
    assert ignore.read_text() == "mine"


def test_find_walks_up_to_the_folder_with_the_state(project: Project) -> None:
    """A workspace is found from any folder in it; outside one, the error says how to make one."""
    deep = project.root / "a" / "b"
    deep.mkdir(parents=True)
    assert Project.find(deep) == project
    with pytest.raises(DceError) as caught:
        Project.find(project.root.parent)
    assert caught.value.code == "not_a_workspace"
    assert "dce init" in caught.value.hint


def test_a_file_in_place_of_the_folder_is_refused(tmp_path: Path) -> None:
    """`init` on something that is not a folder, or whose .dce is a file, says so and creates nothing."""
    with pytest.raises(DceError, match="not a folder"):
        Project.init(tmp_path / "nowhere")
    (tmp_path / ".dce").write_text("")
    with pytest.raises(DceError, match="is a file"):
        Project.init(tmp_path)


@pytest.mark.parametrize(
    "path",
    [
        "",
        " ",
        ".",
        "./",
        "/etc/passwd",
        "//server/share",
        "~/x",
        "..",
        "../outside/secret.txt",
        "a/../../outside/secret.txt",
        "a/..",
        "C:/x",
        "c:x",
        "..\\x",
        "a\\b",
        "\\\\server\\x",
        "a\0b",
        "a\nb",
        "a\x7fb",
        ".git",
        ".git/config",
        ".GIT/config",
        "sub/.Git/hooks/pre-commit",
        ".git./config",
        ".git /config",
        ".git . ./config",
        ".git::$INDEX_ALLOCATION/config",
        ".g\u200cit/config",
        "git~1/config",
        ".dce/dce.db",
        "sub/.DCE/x",
        "./.git/config",
        "a/\ud800",
    ],
)
def test_paths_that_lead_out_or_into_closed_folders_are_refused(project: Project, path: str) -> None:
    """Absolute, parent, foreign-system and closed paths are refused, however they are spelled."""
    assert_refused(project, path)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("a.py", "a.py"),
        ("./a.py", "a.py"),
        ("a//b/", "a/b"),
        ("a/./b", "a/b"),
        (".github/x.yml", ".github/x.yml"),
        (".gitignore", ".gitignore"),
        ("prompt.md", "prompt.md"),
        ("...", "..."),
        ("a..b", "a..b"),
        ("~x", "~x"),
        ("app/[id]/(group)/page.tsx", "app/[id]/(group)/page.tsx"),
        ("日本/é.txt", "日本/é.txt"),
    ],
)
def test_ordinary_paths_pass(project: Project, path: str, name: str) -> None:
    """Names that only look odd are ordinary files, with one canonical spelling."""
    assert project.resolve(path) == project.root / name
    assert project.canonical(path) == name


def test_links_out_are_refused_and_links_that_stay_inside_are_followed(project: Project) -> None:
    """A link out is refused anywhere in the path, even if dangling or circular; a link inside gives its target."""
    root, outside = project.root, project.root.parent / "outside"
    (root / "real.txt").write_text("x")
    (root / "folder").symlink_to(outside)
    (root / "file").symlink_to(outside / "secret.txt")
    (root / "dangling").symlink_to(outside / "nothing")
    (root / "up").symlink_to("..")
    (root / "inside").symlink_to("real.txt")
    (root / "loop").symlink_to("loop")
    (root / ".git").mkdir()
    (root / "door").symlink_to(".git")
    for path in (
        "folder",
        "folder/secret.txt",
        "folder/new",
        "file",
        "dangling",
        "up/outside/secret.txt",
        "loop",
        "door/x",
    ):
        assert_refused(project, path)
    assert project.resolve("inside") == root / "real.txt"


@SETTINGS
@given(
    st.text(max_size=40)
    | st.lists(NAMES | st.sampled_from(["..", ".", "", ".git", ".dce", "link"]), max_size=5).map("/".join)
)
def test_whatever_passes_is_inside(project: Project, path: str) -> None:
    """Property: any text is either refused or gives a real path below the root and outside the closed folders."""
    link = project.root / "link"
    if not link.is_symlink():
        link.symlink_to(project.root.parent / "outside")
    try:
        real = project.resolve(path)
    except DceError as error:
        assert error.code == "outside_workspace"  # noqa: PT017 - either way is right
        return
    assert os.path.realpath(real) == str(real)
    inside = real.relative_to(project.root).parts
    assert inside
    assert not {part.lower() for part in inside} & {".git", ".dce"}


@SETTINGS
@given(st.lists(NAMES, min_size=1, max_size=4))
def test_resolve_and_relative_are_each_others_inverse(project: Project, parts: list[str]) -> None:
    """A valid canonical path is returned unchanged."""
    path = "/".join(parts)
    assume(not any(part.strip(". ") == "" or part.lower().strip(". ") in {".git", ".dce"} for part in parts))
    assume(not path.startswith("~"))
    assume(path.strip())
    try:
        real = project.resolve(path)
    except DceError:
        assume(False)
    assert project.relative(real) == project.canonical(path)


def test_relative_refuses_what_is_not_below_the_root(project: Project) -> None:
    """A path elsewhere has no name in the workspace."""
    with pytest.raises(DceError) as caught:
        project.relative(Path("/etc/passwd"))
    assert caught.value.code == "outside_workspace"
    assert project.relative(project.root / "a" / "b.py") == "a/b.py"


def test_a_project_cannot_be_changed(project: Project) -> None:
    """A project's folder cannot be changed."""
    with pytest.raises(AttributeError):
        project.root = Path("/")


@pytest.mark.parametrize("path", ["../a", "/a", ".git/config", "a\\b is refused: c"])
def test_a_refusal_gives_its_reason_alone(project: Project, path: str) -> None:
    """A caller that names the path itself gets the reason without it, whatever the path contains."""
    with pytest.raises(PathRefused) as caught:
        project.resolve(path)
    assert caught.value.message == f"{path!r} is refused: {caught.value.reason}."
    assert path not in caught.value.reason
