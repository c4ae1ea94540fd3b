"""manifest.py and trees.py: a tree that is sent by content arrives as it is, and what is there already is not sent."""

import os
import stat
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.judging.lanes.on_ray import manifest as manifests
from dce.workspace.judging.lanes.on_ray.manifest import FILE, Manifest, Walker, decoded, encoded
from dce.workspace.judging.lanes.on_ray.ray_lanes import messages
from dce.workspace.judging.lanes.on_ray.trees import MAX_AGE_S, RECENT_S, Piece, Trees
from tests.workspace.judging import snapshot, write

NAMES = st.sampled_from(["a", "b.py", "-x", "ö", " sp ace", "new\nline", "..x", os.fsdecode(b"\xff\xfe"), "c" * 200])
KINDS = st.one_of(
    st.tuples(st.just("file"), st.binary(max_size=50), st.sampled_from([0o644, 0o755, 0o400, 0o666])),
    st.tuples(st.just("link"), st.sampled_from(["a", "../x", "/etc/passwd", "./a//b", "missing"]), st.just(0)),
    st.tuples(st.just("folder"), st.just(b""), st.sampled_from([0o755, 0o700, 0o555])),
)


def sent(root: Path, trees: Trees) -> tuple[Path, int]:
    """The tree as it was sent, and how many contents were."""
    walker = Walker(str(root))
    found = walker.manifest()
    lacking = frozenset(trees.lacking(found))
    for pieces in messages(walker.root, found, lacking):
        trees.add(pieces)
    return trees.build(decoded(encoded(found))), len(lacking)


def _made(root: Path, spec: dict[tuple[str, ...], tuple[str, str | bytes, int]]) -> None:
    modes = []
    for parts, (kind, content, mode) in spec.items():
        path = root.joinpath(*parts)
        if any(parent.is_symlink() or parent.is_file() for parent in path.parents) or os.path.lexists(path):
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "link":
            path.symlink_to(content if isinstance(content, str) else content.decode())
            continue
        if kind == "folder":
            path.mkdir()
        else:
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
        modes.append((path, mode))
    for path, mode in reversed(modes):
        path.chmod(mode)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(spec=st.dictionaries(st.lists(NAMES, min_size=1, max_size=3).map(tuple), KINDS, max_size=8))
def test_a_tree_arrives_as_it_is(
    tmp_path_factory: pytest.TempPathFactory, spec: dict[tuple[str, ...], tuple[str, str | bytes, int]]
) -> None:
    """Names, kinds, modes, contents, targets of links, empty folders and times are those of the workspace; nothing of .dce is there."""
    base = tmp_path_factory.mktemp("tree")
    root = base / "w"
    root.mkdir()
    write(root / ".dce" / "secret", "s")
    _made(root, spec)
    tree, _ = sent(root, Trees(base / "node"))
    assert snapshot(tree, skip=()) == snapshot(root)
    assert Walker(str(tree)).manifest().digest == Walker(str(root)).manifest().digest


def test_only_what_is_new_is_sent(tmp_path: Path) -> None:
    """Another run sends nothing; a changed file goes alone; a copy, another mode or another time needs no content."""
    root, trees = tmp_path / "w", Trees(tmp_path / "node")
    for name in ("a", "b", "d/c"):
        write(root / name, name)
    first, count = sent(root, trees)
    assert count == 3
    assert sent(root, trees) == (first, 0)
    write(root / "b", "changed")
    second, count = sent(root, trees)
    assert (count, second == first) == (1, False)
    write(root / "e", "a")
    (root / "a").chmod(0o755)
    os.utime(root / "d/c", (5, 5))
    third, count = sent(root, trees)
    assert count == 0
    assert snapshot(third, skip=()) == snapshot(root)
    assert (third / "d/c").stat().st_mtime == 5
    assert (first / "b").read_text() == "b"
    assert (first / "d/c").stat().st_mtime != 5


def test_a_large_file_goes_in_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No message is larger than it may be, and many small files share one."""
    monkeypatch.setattr("dce.workspace.judging.lanes.on_ray.ray_lanes.MESSAGE_BYTES", 10)
    root, trees = tmp_path / "w", Trees(tmp_path / "node")
    write(root / "large", bytes(range(35)))
    for number in range(9):
        write(root / f"small{number}", str(number))
    found = Walker(str(root)).manifest()
    found_messages = list(messages(os.fsencode(root), found, frozenset(trees.lacking(found))))
    assert max(sum(len(piece.data) for piece in message) for message in found_messages) <= 10
    assert len(found_messages) <= 6
    tree, _ = sent(root, trees)
    assert snapshot(tree, skip=()) == snapshot(root)


def test_a_file_that_changes_meanwhile_is_refused(tmp_path: Path) -> None:
    """What comes under a digest and is not that is an error, and no tree comes of it."""
    root, trees = tmp_path / "w", Trees(tmp_path / "node")
    write(root / "a", "announced")
    found = Walker(str(root)).manifest()
    (content,) = trees.lacking(found)
    with pytest.raises(DceError, match="changed while it was sent"):
        trees.add([Piece(content, 0, b"something else")])
    with pytest.raises(OSError, match="has not come"):
        trees.build(found)
    assert trees.find(found.digest) is None
    assert trees.lacking(found) == [content]


def test_the_digest_is_of_all_that_matters(tmp_path: Path) -> None:
    """Content, mode, time, link and name each make another tree; DCE's own files and what was read before do not."""
    root = tmp_path / "w"
    write(root / "a", "1")
    (root / "l").symlink_to("a")
    walker = Walker(str(root))
    seen = [walker.manifest().digest]
    write(root / ".dce" / "dce.db", "x")
    (root / ".dce" / "more").mkdir()
    assert walker.manifest().digest == seen[0]
    (root.parent / "other-link").symlink_to("b")
    steps: list[Callable[[], object]] = [
        lambda: write(root / "a", "2"),
        lambda: (root / "a").chmod(0o755),
        lambda: os.utime(root / "a", (7, 7)),
        lambda: (root.parent / "other-link").replace(root / "l"),
        lambda: (root / "a").rename(root / "c"),
        (root / "empty").mkdir,
    ]
    for step in steps:
        step()
        seen.append(walker.manifest().digest)
    assert len(set(seen)) == len(steps) + 1


def test_no_pipe_is_waited_for(tmp_path: Path) -> None:
    """Pipes and sockets are left out."""
    (tmp_path / "w").mkdir()
    os.mkfifo(tmp_path / "w" / "pipe")
    assert Walker(str(tmp_path / "w")).manifest().entries == ()


def test_a_workspace_that_is_too_large_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """There is an error with the limit, before anything is sent."""
    monkeypatch.setattr(manifests, "MAX_ENTRIES", 1)
    write(tmp_path / "w" / "a", "1")
    write(tmp_path / "w" / "b", "1")
    with pytest.raises(DceError, match="too large to send"):
        Walker(str(tmp_path / "w")).manifest()


def test_what_nobody_uses_is_removed(tmp_path: Path) -> None:
    """A tree is removed a week after its last use, with the files that only it has; an interrupted one, and parts of files, after an hour."""
    trees = Trees(tmp_path / "node")
    write(tmp_path / "w" / "both", "both")
    write(tmp_path / "w" / "old", "old")
    old, _ = sent(tmp_path / "w", trees)
    (tmp_path / "w" / "old").unlink()
    new, _ = sent(tmp_path / "w", trees)
    write(tmp_path / "node" / "trees" / ".half" / "x", "x", mode=0o400)
    write(tmp_path / "node" / "incoming-x" / "y", "y")
    now = time.time()
    os.utime(tmp_path / "node" / "trees" / f"{old.name}.used", (now - MAX_AGE_S - 9, now - MAX_AGE_S - 9))
    trees.sweep(now)
    assert (old.exists(), new.exists()) == (False, True)
    assert len(list((tmp_path / "node" / "files").glob("*/*"))) == 1
    assert (tmp_path / "node" / "trees" / ".half").exists()
    trees.sweep(now + RECENT_S + 60)
    assert sorted(path.name for path in (tmp_path / "node").iterdir()) == ["files", "lock", "trees"]
    assert not (tmp_path / "node" / "trees" / ".half").exists()


def test_trees_take_only_so_much_room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Over the limit, the trees that were not used for longest are removed, but none that was just used."""
    monkeypatch.setattr("dce.workspace.judging.lanes.on_ray.trees.MAX_STORE_BYTES", 25)
    trees = Trees(tmp_path / "node")
    made = []
    now = time.time()
    for number in range(4):
        write(tmp_path / "w" / "a", f"{number}" * 10)
        made.append(sent(tmp_path / "w", trees)[0])
        age = (4 - number) * 1000 + (RECENT_S if number < 3 else 0)
        os.utime(tmp_path / "node" / "trees" / f"{made[-1].name}.used", (now - age, now - age))
    trees.sweep(now)
    assert [tree.exists() for tree in made] == [False, False, True, True]


def test_the_folder_is_the_users_alone(tmp_path: Path) -> None:
    """Others may not read it, and a link that somebody put in its place is not followed."""
    Trees(tmp_path / "node")
    assert stat.S_IMODE((tmp_path / "node").stat().st_mode) == 0o700
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(DceError, match="belongs to another"):
        Trees(tmp_path / "link")
    assert not list((tmp_path / "elsewhere").iterdir())


def test_manifests_travel(tmp_path: Path) -> None:
    """The form in which it is sent holds every name that a file can have."""
    write(tmp_path / os.fsdecode(b"\xff"), "x")
    found = Walker(str(tmp_path)).manifest()
    assert isinstance(found, Manifest)
    assert decoded(encoded(found)) == found
    assert [entry.path for entry in found.entries if entry.kind == FILE] == [b"\xff"]
