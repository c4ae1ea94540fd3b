"""Plans what accepting does to each file of an answer: writes, deletions and renames, refusals and doubts.

Invariants: nothing is written here; only content that the prompt showed is replaced, deleted or moved; a file with omitted text or
guessed limits is refused until the user confirms it.
"""

from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting.baseline import Write
from dce.workspace.accepting.journal import Change, PlannedWrite
from dce.workspace.accepting.merge import merge3
from dce.workspace.accepting.picking import Combined, FilePlan
from dce.workspace.judging.compare import change_of, count_lines
from dce.workspace.judging.hunks import take
from dce.workspace.project import PathRefused, Project
from dce.workspace.schema.reading import FileBlock
from dce.workspace.tree.current import (
    LEFT_OUT,
    Current,
    CurrentFiles,
    is_executable,
    is_stale,
    may_write,
    read_only_folder,
)
from dce.workspace.tree.declared import how_to_declare
from dce.workspace.tree.effects import POLICY, RUNS, effects_of, is_own_policy
from dce.workspace.tree.encodings import UTF8

NO_DOUBTS = frozenset({"outside_workspace", "stale_base", "truncated", RUNS, POLICY})
"""Flags of a file that do not count as doubts: they have refusals of their own, or only say what the file does."""

BLOCKING = {
    "elision": "text seems to be left out",
    "ambiguous_block": "its end or its meaning had to be guessed",
    "secret_moved": "it would get a secret that the prompt did not show in it",
}
"""The doubts that refuse a file until the user confirms it."""

LINKED = "hard_link"
"""Flag of a file that has other names, which change with it."""

_AGAIN = "Generate again: a new prompt shows the files as they are now."
_BY_HAND = "Check what changed since, then delete or move it by hand, or generate again."
_MOVE = "Move away what is there, or accept only the other files by name."
_UNREADABLE = "Change it by hand, or accept only the other files by name."
_CONFLICT = "Undo your edits of these lines, take only some hunks (`dce accept --hunk`), or generate again."
_CONFIRM = "Review it (`dce diff`); `dce accept --force` writes it as it is."


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """Files of another response in the same plan; no `paths`: all its files."""

    slot: int
    paths: tuple[str, ...] = ()


class Options(msgspec.Struct, frozen=True, kw_only=True):
    """What a plan may do besides writing one response's files whole.

    `merge`: a file edited since the prompt is merged if there are no conflicts. `hunks`: only these parts (`2`, `2:1-3`) of the
    one file named, numbered as by `hunks.hunks` against the file now. `also`: files of other responses, in the same acceptance.
    `plans`: files combined from parts of several responses (the other options are then ignored; the response named is the cycle's
    choice). `force`: doubtful files are written too; `confirmed`: only those with these paths are.
    """

    merge: bool = False
    hunks: tuple[str, ...] = ()
    also: tuple[Part, ...] = ()
    plans: tuple[FilePlan, ...] = ()
    force: bool = False
    confirmed: tuple[str, ...] = ()


PLAIN = Options()


class Item(msgspec.Struct, frozen=True, kw_only=True):
    """A file of the plan, and its write, if any. `hint`: the next step if it is refused."""

    shown: PlannedWrite
    write: Write | None = None
    hint: str = ""


class Shown(NamedTuple):
    """What the prompt showed: the hash of each whole file's bytes, its text, and the paths of the files shown in part."""

    hashes: dict[str, str]
    text: Callable[[str], str | None]
    in_part: frozenset[str] = frozenset()


class Refusal(Exception):
    """Why one file may not be written, and the next step."""

    def __init__(self, code: str, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.code = code
        self.reason = reason
        self.hint = hint


class Planner:
    """Plans the files of one or several answers, one after the other."""

    def __init__(self, project: Project, shown: Shown, options: Options) -> None:
        self._project = project
        self.files = CurrentFiles(project)
        self._shown = shown
        self._options = options
        self._confirmed = {name_of(project, path) for path in options.confirmed}
        self._planned: dict[str, tuple[int, FileBlock]] = {}
        self._new: set[str] = set()
        self._linked: dict[tuple[int, int], tuple[str, bytes | None]] = {}
        self._slot = 0
        self._is_first = True
        self._is_picked = False

    def begin(self, slot: int, *, is_picked: bool) -> None:
        """Begins the files of a response; `is_picked`: the user named them."""
        self._is_first = not self._slot
        self._slot, self._is_picked = slot, is_picked

    def items(self, block: FileBlock, combined: Combined | None = None, whole: Sequence[FileBlock] = ()) -> list[Item]:
        """The plan for one file, and for a renamed one also for its old name.

        `combined`: the file is combined already, from `whole` texts of responses and parts that the user picked.
        """
        path = name_of(self._project, block.path)
        try:
            current = self.files.at(path)
        except PathRefused as error:
            added, _ = count_lines("", block.content)
            change: Change = "deleted" if block.action == "delete" else "new"
            shown = PlannedWrite(path=path, change=change, added=added, refused=error.reason, code=error.code)
            return [Item(shown=shown)]
        if block.action in {"delete", "mode"} or block.from_path:
            items = self._acts(block, path, current)
        else:
            items = [self._written(block, path, current, combined)]
        sources = whole if combined is not None else (block,)
        is_hand_picked = bool(self._options.hunks) and self._is_first and combined is None
        return [self._doubted(self._with_effects(item), () if is_hand_picked else sources) for item in items]

    def _with_effects(self, item: Item) -> Item:
        """The item with the effects of the file's location; refused if it sets DCE's own policy and the user did not name it."""
        path = item.shown.path
        if item.shown.change == "same" or item.shown.code == "outside_workspace":
            return item
        current = self.files.at(path)
        target = self._project.relative(current.target)
        linked = (LINKED,) if item.write is not None and item.write.in_place else ()
        shown = msgspec.structs.replace(item.shown, flags=(*effects_of(path, target), *linked))
        if shown.refused or self._is_picked or not is_own_policy(path, target):
            return msgspec.structs.replace(item, shown=shown)
        reason = "it sets what DCE may read and send; name the file to accept it anyway"
        return Item(shown=msgspec.structs.replace(shown, refused=reason, code="invalid_input"))

    def _doubted(self, item: Item, sources: Sequence[FileBlock]) -> Item:
        """The item with the doubts about its sources; refused if one of them needs a confirmation that was not given."""
        if item.shown.change == "same":
            return item
        flags = {
            flag: None
            for block in sources
            if name_of(self._project, block.path) == item.shown.path
            for flag in change_of(self._project, self.files, block, self._shown.hashes).flags
            if flag not in NO_DOUBTS
        }
        shown = msgspec.structs.replace(item.shown, doubts=tuple(flags))
        reasons = [reason for flag, reason in BLOCKING.items() if flag in flags]
        if not reasons or self._options.force or shown.path in self._confirmed:
            return msgspec.structs.replace(item, shown=shown)
        shown = msgspec.structs.replace(shown, is_blocked=True)
        if not shown.refused:
            shown = msgspec.structs.replace(shown, refused="; ".join(reasons), code="invalid_input")
            return Item(shown=shown, hint=_CONFIRM)
        return msgspec.structs.replace(item, shown=shown)

    def _written(self, block: FileBlock, path: str, current: Current, combined: Combined | None) -> Item:
        content, is_merged, problem = self._content(block.content, path, current)
        if combined is not None:
            content, is_merged, problem = block.content, combined.is_merged, combined.problem
        data = current.form.bytes_to_write(content)
        added, removed = count_lines(current.text, current.form.text_written(data))
        executable = _new_mode(block, current)
        change: Change = "modified"
        if current.data == data:
            change = "same" if executable is None else "mode"
        elif current.data is None and not current.problem:
            change = "new"
        shown = PlannedWrite(
            path=path, change=change, added=added, removed=removed, merged=is_merged, executable=executable
        )
        target = self._project.relative(current.target)
        try:
            self._check_written(block, path, current, change, is_merged=is_merged)
            if problem:
                code, hint = ("stale_file", _CONFLICT) if is_merged else ("invalid_input", "")
                raise Refusal(code, problem, hint)
            if change != "same":
                self._check_shown_encoding(path, current)
                _check_folder(current)
            _check_encoding(target, current, content)
            self._check_linked(path, current, data)
        except Refusal as refusal:
            return _refused(shown, refusal)
        if change == "same":
            return Item(shown=shown)
        write = Write(
            path=target,
            data=data,
            before=current.data,
            mode=current.mode,
            executable=executable,
            in_place=current.inode is not None,
        )
        return self._once(Item(shown=shown, write=write), block)

    def _check_written(self, block: FileBlock, path: str, current: Current, change: Change, *, is_merged: bool) -> None:
        """Raises Refusal if the file may not be written, whatever its new text is."""
        self._check_twice(block, current)
        if block.status == "truncated" and not self._is_picked:
            raise Refusal("invalid_input", "the response was cut off inside it; name the file to accept it anyway")
        if change != "same" and not is_merged:
            self._check_base(path, current)
        elif current.problem:
            raise _in_the_way(path, current)
        if change != "same" and not may_write(current):
            raise Refusal("invalid_input", "it is read-only")
        if change == "new":
            self._check_room(self._project.relative(current.target))

    def _acts(self, block: FileBlock, path: str, current: Current) -> list[Item]:
        """The plan for a file that is deleted or renamed, or whose mode changes."""
        try:
            if self._options.hunks and self._is_first:
                raise Refusal("invalid_input", "only a changed text has hunks: it can only be accepted whole")
            self._check_twice(block, current)
            if block.action == "delete":
                return [self._deleted(block, path, current, count_lines(current.text, "")[1])]
            if block.action == "mode":
                return [self._mode(block, path, current)]
            return self._renamed(block, path, current)
        except Refusal as refusal:
            change: Change = {"delete": "deleted", "mode": "mode"}.get(block.action, "renamed")  # type: ignore[assignment]
            return [_refused(PlannedWrite(path=path, change=change, from_path=block.from_path), refusal)]

    def _deleted(self, block: FileBlock, path: str, current: Current, removed: int) -> Item:
        if current.data is None and not current.problem:
            return Item(shown=PlannedWrite(path=path, change="same"))
        self._check_movable(path, current)
        write = Write(path=path, data=None, before=current.data, mode=current.mode)
        return self._once(Item(shown=PlannedWrite(path=path, change="deleted", removed=removed), write=write), block)

    def _mode(self, block: FileBlock, path: str, current: Current) -> Item:
        if current.data is None and not current.problem:
            raise Refusal("invalid_input", "it does not exist, so its mode cannot change")
        executable = _new_mode(block, current)
        if executable is None:
            return Item(shown=PlannedWrite(path=path, change="same"))
        self._check_movable(path, current)
        write = Write(
            path=path,
            data=current.data,
            before=current.data,
            mode=current.mode,
            executable=executable,
            in_place=current.inode is not None,
        )
        return self._once(Item(shown=PlannedWrite(path=path, change="mode", executable=executable), write=write), block)

    def _renamed(self, block: FileBlock, path: str, current: Current) -> list[Item]:
        """The plan for both names: the new one is written before the old one is deleted."""
        old = name_of(self._project, block.from_path)
        try:
            source = self.files.at(old)
        except PathRefused as error:
            raise Refusal(error.code, f"{old}, which it is renamed from: {error.reason}") from error
        if current.problem:
            raise _in_the_way(path, current)
        if source.data is None and not source.problem:
            raise Refusal("stale_file", f"{old}, which it is renamed from, does not exist", _AGAIN)
        if current.data is not None:
            raise Refusal("invalid_input", f"it exists already: renaming {old} would overwrite it")
        self._check_movable(old, source)
        assert source.data is not None
        data = source.data if block.action == "rename" else source.form.bytes_to_write(block.content)
        if block.action != "rename":
            self._check_shown_encoding(old, source)
            _check_encoding(old, source, block.content)
        added, removed = (0, 0) if data == source.data else count_lines(source.text, source.form.text_written(data))
        executable = _new_mode(block, source)
        shown = PlannedWrite(
            path=path, change="renamed", added=added, removed=removed, from_path=old, executable=executable
        )
        target = self._project.relative(current.target)  # a folder on the way may be a link
        self._check_room(target)
        _check_folder(current)
        write = Write(path=target, data=data, before=None, mode=source.mode, from_path=old, executable=executable)
        gone = Write(path=old, data=None, before=source.data, mode=source.mode)
        self._check_twice(msgspec.structs.replace(block, path=old), source)
        return [
            self._once(Item(shown=shown, write=write), block),
            self._once(Item(shown=PlannedWrite(path=old, change="deleted"), write=gone), block),
        ]

    def _content(self, content: str, path: str, current: Current) -> tuple[str, bool, str]:
        """The file's new text, merged and reduced to the picked hunks; whether it was merged; why it may not be written."""
        is_merged, problem = False, ""
        base = self._shown.text(path) if self._options.merge else None
        is_text = current.data is not None and not current.problem
        if base is not None and is_text and is_stale(current, self._shown.hashes.get(path)):
            is_merged = True
            merge = merge3(base, current.text, content)
            if merge.conflicts:
                lines = ", ".join(str(line) for line in merge.conflicts)
                return content, is_merged, f"it conflicts with edits made since the prompt, at line {lines}"
            content = merge.text
        if self._options.hunks and self._is_first:
            after = current.form.text_written(current.form.bytes_to_write(content))
            content = take(current.text, after, self._options.hunks)
        return content, is_merged, problem

    def _once(self, item: Item, block: FileBlock) -> Item:
        """The item; without its write if the same write is planned already, for another name or from another response."""
        assert item.write is not None
        if item.write.path in self._planned:
            return Item(shown=item.shown)
        self._planned[item.write.path] = (self._slot, block)
        return item

    def _check_twice(self, block: FileBlock, current: Current) -> None:
        """Raises Refusal if something different is planned for the file already."""
        slot, other = self._planned.get(self._project.relative(current.target), (self._slot, block))
        if (other.content, other.action, other.from_path) == (block.content, block.action, block.from_path):
            return
        twice = "the response gives this file twice, with different text"
        raise Refusal(
            "invalid_input", twice if slot == self._slot else f"responses {slot} and {self._slot} differ in it"
        )

    def _check_room(self, target: str) -> None:
        """Raises Refusal if the plan needs a folder with the name of one of its new files."""
        above = PurePosixPath(target).parents
        if clash := next((folder for folder in map(str, above) if folder in self._new), ""):
            raise Refusal("invalid_input", f"it cannot be inside {clash}, which the same plan makes a file")
        if any(target in map(str, PurePosixPath(other).parents) for other in self._new):
            raise Refusal("invalid_input", "it cannot be a file: the same plan makes files inside it")
        self._new.add(target)

    def _check_linked(self, path: str, current: Current, data: bytes) -> None:
        """Raises Refusal if something else is planned for the same file under another of its names."""
        if current.inode is None:
            return
        other, planned = self._linked.setdefault(current.inode, (path, data))
        if planned != data:
            raise Refusal("invalid_input", f"it is the same file as {other} (a hard link), which gets another text")

    def _check_base(self, path: str, current: Current) -> None:
        """Raises Refusal if the file is not what the prompt showed."""
        if current.problem:
            raise _in_the_way(path, current)
        if not is_stale(current, self._shown.hashes.get(path)):
            return
        if path in self._shown.in_part:
            hint = f"Show it whole (`dce select show full {path}`) and generate again: only a file shown whole can be replaced."
            raise Refusal("stale_file", "the prompt showed only a part of it", hint)
        if path not in self._shown.hashes:
            hint = f"Select it (`dce select add {path}`) and generate again, or move it away first."
            raise Refusal("stale_file", "it exists, and the prompt did not show it", hint)
        if current.data is None:
            raise Refusal("stale_file", "deleted since the prompt was made", _AGAIN)
        hint = "`dce accept --merge` merges the answer's changes into files changed since."
        raise Refusal("stale_file", "changed since the prompt was made", hint)

    def _check_shown_encoding(self, path: str, current: Current) -> None:
        """Raises Refusal if the prompt showed the file in another encoding, for example because its encoding was declared since."""
        shown = "" if current.form.encoding == UTF8 else self._shown.text(path)
        if shown and current.form.lacks_words_of(shown):
            raise Refusal(
                "stale_file", f"the prompt did not show it as {current.form.encoding}, its encoding now", _AGAIN
            )

    def _check_movable(self, path: str, current: Current) -> None:
        """Raises Refusal if the file may not be deleted, renamed or made executable. Merging would not help there."""
        if current.target != self._project.root / path:
            raise Refusal("invalid_input", "it is a symbolic link or inside a linked folder: change it by hand")
        try:
            self._check_base(path, current)
        except Refusal as refusal:
            hint = _BY_HAND if "--merge" in refusal.hint else refusal.hint
            raise Refusal(refusal.code, refusal.reason, hint) from refusal
        if not may_write(current):
            raise Refusal("invalid_input", "it is read-only")
        _check_folder(current)


def name_of(project: Project, path: str) -> str:
    """The path as the workspace spells it; unchanged if it is outside the workspace."""
    try:
        return project.canonical(path)
    except DceError:
        return path


def _check_encoding(path: str, current: Current, content: str) -> None:
    """Raises Refusal if the file's encoding cannot hold the text, or is only guessed and the text has new words outside ASCII."""
    problem = current.form.unwritable(content)
    if problem and current.form.is_guessed:
        raise Refusal("invalid_input", problem, f"{how_to_declare(path, current.form.encoding)}.")
    if problem:
        raise Refusal("invalid_input", problem)


def _in_the_way(path: str, current: Current) -> Refusal:
    """The refusal for a path with something other than a text file at it. Merging would not help."""
    hint = _MOVE if current.obstacle else _UNREADABLE
    if current.obstacle == LEFT_OUT:
        folder = PurePosixPath(path).parent
        hint = f"Check it out (`git sparse-checkout add {folder}`, or `git update-index --no-skip-worktree {path}` and `git checkout {path}`), select it and generate again."
    return Refusal("stale_file", current.problem, hint)


def _check_folder(current: Current) -> None:
    """Raises Refusal if its folder is read-only: files are replaced by a rename, which needs more than a writable file."""
    if folder := read_only_folder(current.target):
        raise Refusal("invalid_input", f"the folder {folder.name} is read-only")


def _new_mode(block: FileBlock, current: Current) -> bool | None:
    """Whether the file becomes executable or stops being so; None if that does not change."""
    wanted = {"755": True, "644": False}.get(block.mode)
    return None if wanted is None or wanted == is_executable(current.mode) else wanted


def _refused(shown: PlannedWrite, refusal: Refusal) -> Item:
    return Item(shown=msgspec.structs.replace(shown, refused=refusal.reason, code=refusal.code), hint=refusal.hint)
