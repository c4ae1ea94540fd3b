"""The cache of clean scan results: it saves work, and can never let a secret through."""

import asyncio
import hashlib
import os
import shutil
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.outbound import clean_texts
from dce.workspace.outbound.allowlist import ALLOW_FILE, allow
from dce.workspace.outbound.clean_texts import FOLDER, RULES, CleanTexts, rules_version
from dce.workspace.outbound.secrets import Finding
from dce.workspace.project import STATE_DIR, Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider

VALUE = "k7Qp2vXz9LmW4rTy8NbC"
SECRET = f'API_TOKEN = "{VALUE}"\n'
HARMLESS = SECRET.replace(VALUE, "x" * len(VALUE))
DIGEST = hashlib.sha256(b"a text").digest()


def _open(root: Path, *paths: str) -> Workspace:
    """A workspace with these files selected, opened as by a new process; its prompts would go to another machine."""
    workspace = Workspace.open(
        Project.init(root), Settings(url="https://models.example.org"), Clock(), ScriptedProvider([])
    )
    workspace.selection.replace(paths)
    if len(workspace.cycles.list()) == 1:
        workspace.cycles.create("t", "Do it.")
    workspace.sending.agree()
    return workspace


def _found(root: Path, *paths: str) -> tuple[Finding, ...]:
    with _open(root, *paths) as workspace:
        return asyncio.run(workspace.preparation.build(1)).findings


def _kept(root: Path) -> list[Path]:
    return sorted((root / STATE_DIR / FOLDER).glob("clean-*"))


def test_a_clean_text_is_kept_once(tmp_path: Path) -> None:
    """Another process finds the clean results, and adds nothing for the same texts."""
    (tmp_path / "a.py").write_text(HARMLESS, "utf-8")
    assert _found(tmp_path, "a.py") == ()
    before = _kept(tmp_path)[0].read_bytes()
    assert hashlib.sha256(HARMLESS.encode()).digest() in before
    assert _found(tmp_path, "a.py") == ()
    assert [path.read_bytes() for path in _kept(tmp_path)] == [before]


@pytest.mark.parametrize("is_replaced", [False, True], ids=["written over", "another file in its place"])
def test_a_change_that_leaves_size_and_time_is_seen(tmp_path: Path, is_replaced: bool) -> None:
    """A secret added without changing the clean file's size and time is found and refused."""
    path = tmp_path / "a.py"
    path.write_text(HARMLESS, "utf-8")
    assert _found(tmp_path, "a.py") == ()
    status = path.stat()
    target = tmp_path / "new" if is_replaced else path
    target.write_text(SECRET, "utf-8")
    os.utime(target, ns=(status.st_atime_ns, status.st_mtime_ns))
    target.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert [finding.path for finding in _found(tmp_path, "a.py")] == ["a.py"]
    with _open(tmp_path, "a.py") as workspace, pytest.raises(DceError, match=r"a\.py:1"):
        asyncio.run(workspace.preparation.begin(1, 1))


def test_a_renamed_file_is_judged_by_its_new_name(tmp_path: Path) -> None:
    """A text that is clean as code is scanned again as configuration, where values need no quotes."""
    text = "DB_PASSWORD: qTz48vKw!2x\n"
    (tmp_path / "a.py").write_text(text, "utf-8")
    assert _found(tmp_path, "a.py") == ()
    (tmp_path / "a.py").rename(tmp_path / "a.yaml")
    assert [finding.path for finding in _found(tmp_path, "a.yaml")] == ["a.yaml"]


def test_the_allow_list_counts_as_it_is_now(tmp_path: Path) -> None:
    """A finding that is no longer allowed is found again; allowed findings are not cached as clean."""
    (tmp_path / "a.py").write_text(SECRET, "utf-8")
    (found,) = _found(tmp_path, "a.py")
    allow(Project.init(tmp_path), [found.fingerprint])
    assert _found(tmp_path, "a.py") == ()
    (tmp_path / ALLOW_FILE).unlink()
    assert _found(tmp_path, "a.py") == (found,)


def test_what_other_rules_called_clean_is_scanned(tmp_path: Path) -> None:
    """Changed rules have a new key with an empty cache; the entries of the old rules are deleted."""
    rules = tmp_path / "rules"
    rules.mkdir()
    for name in RULES:
        shutil.copy(Path(clean_texts.__file__).with_name(name), rules)
    assert rules_version(rules) == rules_version() != ""
    with (rules / "secret_rules.py").open("a") as file:
        file.write("# one more\n")
    assert rules_version(rules) != rules_version()

    def keep(version: str) -> None:
        texts = CleanTexts(tmp_path, version)
        assert not texts.has(DIGEST, "code")
        texts.add(DIGEST, "code")
        texts.keep()

    keep("old")
    keep("new")
    assert [path.name for path in (tmp_path / FOLDER).iterdir()] == ["clean-new"]
    assert CleanTexts(tmp_path, "new").has(DIGEST, "code")
    assert not CleanTexts(tmp_path, "new").has(DIGEST, "configuration")


def test_rules_that_cannot_be_read_keep_nothing(tmp_path: Path) -> None:
    """If the rules' source is missing, nothing is written, and an existing file is not read."""
    assert rules_version(tmp_path) == ""
    texts = CleanTexts(tmp_path, "")
    texts.add(DIGEST, "code")
    texts.keep()
    assert texts.has(DIGEST, "code")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", [b"", b"\0" * 64, b"torn", b"\xff" * 33], ids=["empty", "zeros", "torn", "off"])
def test_a_damaged_file_hides_nothing(tmp_path: Path, damage: bytes) -> None:
    """Whatever the file contains, a secret is found, and the next prompt is made as usual."""
    (tmp_path / "a.py").write_text(HARMLESS, "utf-8")
    (tmp_path / "b.py").write_text(SECRET, "utf-8")
    assert len(_found(tmp_path, "a.py", "b.py")) == 1
    _kept(tmp_path)[0].write_bytes(damage)
    assert [finding.path for finding in _found(tmp_path, "a.py", "b.py")] == ["b.py"]
    content = _kept(tmp_path)[0].read_bytes()
    assert hashlib.sha256(HARMLESS.encode()).digest() in [content[at : at + 32] for at in range(0, len(content), 32)]
    assert [finding.path for finding in _found(tmp_path, "a.py", "b.py")] == ["b.py"]


def test_a_folder_in_its_place_costs_a_scan(tmp_path: Path) -> None:
    """A file that can be neither read nor written causes no error."""
    (tmp_path / FOLDER / "clean-1").mkdir(parents=True)
    texts = CleanTexts(tmp_path, "1")
    assert not texts.has(DIGEST, "code")
    texts.add(DIGEST, "code")
    texts.keep()


def test_it_does_not_grow_without_end(tmp_path: Path) -> None:
    """A file with more than `MAX_KEPT` texts is started again from empty."""
    (tmp_path / FOLDER).mkdir()
    (tmp_path / FOLDER / "clean-1").write_bytes(DIGEST * (clean_texts.MAX_KEPT + 1))
    assert not CleanTexts(tmp_path, "1").has(DIGEST, "code")
    assert not (tmp_path / FOLDER / "clean-1").exists()
