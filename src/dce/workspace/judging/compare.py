"""Compares an answer with the workspace as it is now, with the prompt's manifest, and with other answers.

Invariants: nothing here writes; the counts and flags are of exactly what `accept` would write (including line ends and BOM of the
replaced file), so that the board never shows a change other than the one made.
"""

import difflib
import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Literal, cast

import msgspec

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.record.prompts import ManifestEntry
from dce.workspace.schema.doubts import placeholder
from dce.workspace.schema.omissions import omission
from dce.workspace.schema.reading import FileBlock, Reading
from dce.workspace.tree.current import CurrentFiles, is_stale
from dce.workspace.tree.effects import effects_of
from dce.workspace.tree.lines import split_lines
from dce.workspace.tree.secret_names import touches_secrets

Change = Literal["new", "modified", "deleted", "renamed", "mode", "same"]
Opcode = tuple[Literal["replace", "delete", "insert", "equal"], int, int, int, int]

MAX_DIFF_LINES = 10_000
"""Maximum differing lines (both sides together, without common head and tail) compared one by one; more take difflib seconds."""


SHRUNK_FILE_MIN_LINES = 20
"""A file of at most this many lines may shrink freely: small files are often rewritten for good reasons."""

SHRUNK_SHARE = 0.6
"""A file reduced to less than this share of its lines counts as elided."""

_BOM = b"\xef\xbb\xbf"


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What an answer does to one file, in lines. `flags`: outside_workspace, stale_base, elision, touches_secrets, runs_by_itself and the like.

    `written_path`: the path as the answer writes it, if it was read as a different one; else "".
    """

    path: str
    change: Change
    added: int
    removed: int
    flags: tuple[str, ...] = ()
    written_path: str = ""


def changes(
    project: Project, reading: Reading, manifest: Sequence[ManifestEntry], files: CurrentFiles | None = None
) -> list[FileChange]:
    """What each file of an answer would change in the workspace as it is now, in the answer's order.

    `files`: shared by a caller with several answers, so that each file is read once.
    """
    files = files or CurrentFiles(project)
    shown = {entry.path: entry.sha256 for entry in manifest}
    return [
        msgspec.structs.replace(change_of(project, files, block, shown), written_path=block.written_path)
        for block in reading.files
    ]


def unified_diff(before: str, after: str, path: str) -> str:
    """A unified diff that `git apply` and `patch` can read; "" if nothing differs."""
    old, new = split_lines(before), split_lines(after)
    parts = []
    for group in grouped_opcodes(old, new):
        parts.append(f"@@ -{_span(group[0][1], group[-1][2])} +{_span(group[0][3], group[-1][4])} @@\n")
        for tag, i1, i2, j1, j2 in group:
            if tag == "equal":
                parts += [_diff_line(" ", line) for line in old[i1:i2]]
            else:
                parts += [_diff_line("-", line) for line in old[i1:i2]]
                parts += [_diff_line("+", line) for line in new[j1:j2]]
    return f"--- a/{path}\n+++ b/{path}\n{''.join(parts)}" if parts else ""


def grouped_opcodes(old: Sequence[str], new: Sequence[str]) -> list[Sequence[Opcode]]:
    """The difference of two lists of lines, grouped as in a unified diff: hunks of opcodes with three lines of context."""
    return [cast("list[Opcode]", group) for group in _Matcher(old, new).get_grouped_opcodes(3)]


def count_lines(before: str, after: str) -> tuple[int, int]:
    """Lines added and removed. Beyond `MAX_DIFF_LINES`, moved lines count as unchanged: a lower bound, in linear time."""
    old, new = split_lines(before), split_lines(after)
    head, tail = _common(old, new)
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(old) + len(new) > MAX_DIFF_LINES:
        lines_before, lines_after = Counter(old), Counter(new)
        return (lines_after - lines_before).total(), (lines_before - lines_after).total()
    added = removed = 0
    for tag, i1, i2, j1, j2 in _opcodes(old, new):
        if tag != "equal":
            added, removed = added + j2 - j1, removed + i2 - i1
    return added, removed


def cluster(readings: Mapping[int, Reading], manifest: Sequence[ManifestEntry] = ()) -> dict[int, str]:
    """Slot → letter. Answers share a letter if they produce the same files, apart from trailing white space and blank lines.

    "A" is the largest group (ties: the one with the lowest slot). Answers without a file to compare get "". With the prompt's
    manifest, a file repeated unchanged counts as not written.
    """
    shown = {entry.path: entry.sha256 for entry in manifest}
    groups: dict[tuple[tuple[str, str], ...], list[int]] = {}
    letters = {}
    for slot in sorted(readings):
        signature = _signature(readings[slot], shown)
        letters[slot] = ""
        if signature is not None:
            groups.setdefault(signature, []).append(slot)
    ordered = sorted(groups.values(), key=lambda slots: (-len(slots), slots[0]))
    return letters | {slot: letter(number) for number, slots in enumerate(ordered) for slot in slots}


def change_of(project: Project, files: CurrentFiles, block: FileBlock, shown: Mapping[str, str]) -> FileChange:
    """What one file of an answer would change. A text with a placeholder, or an empty text in place of some, is flagged."""
    flags = ["touches_secrets"] if touches_secrets(block.path) else []
    flags += [
        f for f, status in (("truncated", "truncated"), ("ambiguous_block", "ambiguous")) if block.status == status
    ]
    flags += block.flags
    try:
        path = project.canonical(block.path)
        current = files.at(path)
    except DceError:
        added, _ = count_lines("", block.content)
        flags += effects_of(block.path)
        return FileChange(path=block.path, change="new", added=added, removed=0, flags=("outside_workspace", *flags))
    if block.action != "write" or block.from_path:
        return _act_of(project, files, block, path, shown, flags)
    if placeholder(block.content) and "elision" not in flags:
        flags.append("elision")
    if not block.content.strip() and current.text.strip() and "ambiguous_block" not in flags:
        flags.append("ambiguous_block")  # an empty block: meant as a deletion, or cut
    after = current.form.bytes_to_write(block.content)
    if current.data == after and not current.problem:
        return FileChange(path=path, change="same", added=0, removed=0, flags=tuple(flags))
    flags += effects_of(path, project.relative(current.target))
    before_text, after_text = current.text, current.form.text_written(after)
    added, removed = count_lines(before_text, after_text)
    if is_stale(current, shown.get(path)):
        flags.append("stale_base")
    if "elision" not in flags and _is_elided(before_text, after_text, path):
        flags.append("elision")
    is_new = current.data is None and not current.problem
    return FileChange(
        path=path, change="new" if is_new else "modified", added=added, removed=removed, flags=tuple(flags)
    )


def _act_of(
    project: Project, files: CurrentFiles, block: FileBlock, path: str, shown: Mapping[str, str], flags: list[str]
) -> FileChange:
    """What a deletion, a rename or a new mode would change."""
    source, current = path, files.at(path)
    if block.from_path:
        try:
            source = project.canonical(block.from_path)
            old = files.at(source)
        except DceError:
            return FileChange(path=path, change="renamed", added=0, removed=0, flags=("outside_workspace", *flags))
    else:
        old = current
    flags += dict.fromkeys((*effects_of(path, project.relative(current.target)), *effects_of(source)))
    is_there = old.data is not None or bool(old.obstacle)
    is_other = is_stale(old, shown.get(source)) and (is_there or block.action != "delete")
    if is_other or (block.from_path and current.obstacle):
        flags.append("stale_base")
    if block.action == "delete":
        is_gone = old.data is None and not old.problem
        _, removed = count_lines(old.text, "")
        return FileChange(
            path=path, change="same" if is_gone else "deleted", added=0, removed=removed, flags=tuple(flags)
        )
    if block.action == "mode":
        return FileChange(path=path, change="mode", added=0, removed=0, flags=tuple(flags))
    added, removed = (0, 0) if block.action == "rename" else count_lines(old.text, block.content)
    may_be_elided = block.action == "write" and "elision" not in flags
    if may_be_elided and (placeholder(block.content) or _is_elided(old.text, block.content, path)):
        flags.append("elision")
    return FileChange(path=path, change="renamed", added=added, removed=removed, flags=tuple(flags))


def _is_elided(before: str, after: str, path: str) -> bool:
    """Whether much of the text is gone, or a remark stands in for some of it."""
    return _has_shrunk(before, after) or omission(before, after, path) != ""


def _has_shrunk(before: str, after: str) -> bool:
    lines = len(split_lines(before))
    return lines > SHRUNK_FILE_MIN_LINES and len(split_lines(after)) < SHRUNK_SHARE * lines


def _plain(data: bytes) -> bytes:
    return data.removeprefix(_BOM).replace(b"\r\n", b"\n")


def _common(old: Sequence[str], new: Sequence[str]) -> tuple[int, int]:
    """How many lines the two share at the start, and how many more at the end."""
    most = min(len(old), len(new))
    head = tail = 0
    while head < most and old[head] == new[head]:
        head += 1
    most -= head
    while tail < most and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    return head, tail


def _opcodes(old: Sequence[str], new: Sequence[str]) -> list[Opcode]:
    return difflib.SequenceMatcher(None, old, new).get_opcodes()


class _Matcher(difflib.SequenceMatcher[str]):
    """difflib's grouping into hunks over our own opcodes: common head and tail are removed first, and the work is bounded."""

    def __init__(self, old: Sequence[str], new: Sequence[str]) -> None:
        super().__init__(None, (), ())
        self._old, self._new = old, new

    def get_opcodes(self) -> list[Opcode]:
        old, new = self._old, self._new
        head, tail = _common(old, new)
        middle_old, middle_new = old[head : len(old) - tail], new[head : len(new) - tail]
        if len(middle_old) + len(middle_new) > MAX_DIFF_LINES:
            middle: list[Opcode] = [("replace", 0, len(middle_old), 0, len(middle_new))]
        else:
            middle = _opcodes(middle_old, middle_new)
        shifted = [(tag, i1 + head, i2 + head, j1 + head, j2 + head) for tag, i1, i2, j1, j2 in middle]
        first: list[Opcode] = [("equal", 0, head, 0, head)] if head else []
        last: list[Opcode] = [("equal", len(old) - tail, len(old), len(new) - tail, len(new))] if tail else []
        return first + shifted + last


def _span(start: int, stop: int) -> str:
    length = stop - start
    if length == 1:
        return str(start + 1)
    return f"{start + 1 if length else start},{length}"


def _diff_line(sign: str, line: str) -> str:
    return sign + (line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n")


def _signature(reading: Reading, shown: Mapping[str, str]) -> tuple[tuple[str, str], ...] | None:
    if reading.parse == "failed" or not reading.files:
        return None
    resulting = {
        block.path.removeprefix("./"): effect_key(block)
        for block in reading.files
        if not _is_echo(block, shown.get(block.path.removeprefix("./")))
    }
    return tuple(sorted(resulting.items()))


def effect_key(block: FileBlock) -> str:
    """A key for what a block does to its file; equal for blocks with the same result, apart from white space as in `normalised`."""
    text = normalised(block.content)
    return (
        text
        if block.action == "write" and not block.from_path and not block.mode
        else (f"\0{block.action}\0{block.from_path}\0{block.mode}\0{text}")
    )


def _is_echo(block: FileBlock, shown_sha256: str | None) -> bool:
    """Whether a block repeats the file that the prompt showed, whatever line ends and BOM the file has on disk."""
    if shown_sha256 is None or block.action != "write" or block.mode:
        return False
    plain = _plain(block.content.encode("utf-8", "surrogatepass"))
    for text in (plain, plain.removesuffix(b"\n")):
        for form in (text, text.replace(b"\n", b"\r\n")):
            if shown_sha256 in {hashlib.sha256(data).hexdigest() for data in (form, _BOM + form)}:
                return True
    return False


def normalised(content: str) -> str:
    """A text without trailing white space and blank lines: texts that are equal in this form count as identical."""
    return "\n".join(line.rstrip() for line in content.splitlines() if line.strip())


def letter(number: int) -> str:
    """The name of a group: 0 → A, 25 → Z, 26 → AA."""
    letters = ""
    number += 1
    while number:
        number, rest = divmod(number - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
