"""Where the responses of a generation agree: which response changes which file, and how similar each pair of responses is.

Responses are compared by what they *change* in the text that the prompt showed. Whole files would say nothing: they are nearly
identical in any two answers.
"""

from collections import Counter
from collections.abc import Sequence
from itertools import combinations

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.compare import Change, changes, effect_key, letter
from dce.workspace.judging.hunks import hunks
from dce.workspace.judging.opened import Workspace
from dce.workspace.schema.reading import Reading, Shown
from dce.workspace.tree.current import CurrentFiles


class Cell(msgspec.Struct, frozen=True, kw_only=True):
    """What one response does to one file, in lines. Responses in the same `group` do the same to it."""

    slot: int
    change: Change
    added: int
    removed: int
    group: str


class FileAgreement(msgspec.Struct, frozen=True, kw_only=True):
    """A file and the responses that change it, by slot."""

    path: str
    cells: tuple[Cell, ...]


class Similarity(msgspec.Struct, frozen=True, kw_only=True):
    """How many of the lines that two responses change are the same, in percent."""

    first: int
    second: int
    percent: int


class Agreement(msgspec.Struct, frozen=True, kw_only=True):
    """`files`: most often changed first. `slots`: the responses that change anything. `likeness`: every pair of those."""

    files: tuple[FileAgreement, ...]
    slots: tuple[int, ...]
    likeness: tuple[Similarity, ...]


Lines = Counter[tuple[str, str, str]]
"""Changed lines: (path, sign or act, text) → count."""


def agreement(workspace: Workspace, generation_id: int) -> Agreement:
    """Compares the responses of a generation. Raises DceError not_found."""
    generation = workspace.store.generations.get(generation_id)
    manifest = workspace.store.prompts.get(generation.prompt_sha256).manifest
    readings = {
        response.slot: workspace.reading(generation_id, response.slot)
        for response in workspace.responses(generation_id)
    }
    files = CurrentFiles(workspace.project)
    cells: dict[str, list[tuple[Cell, str]]] = {}
    for slot, reading in readings.items():
        found = changes(workspace.project, reading, manifest, files)
        for block, change in zip(reading.files, found, strict=True):
            if change.change != "same":
                cell = Cell(slot=slot, change=change.change, added=change.added, removed=change.removed, group="")
                cells.setdefault(change.path, []).append((cell, effect_key(block)))
    shown = workspace.shown(generation_id)
    changed = {slot: _changed_lines(shown, reading, files) for slot, reading in readings.items()}
    changed = {slot: lines for slot, lines in changed.items() if lines}
    ordered = sorted(cells.items(), key=lambda item: (-len(item[1]), item[0]))
    return Agreement(
        files=tuple(FileAgreement(path=path, cells=_grouped(found)) for path, found in ordered),
        slots=tuple(changed),
        likeness=tuple(
            Similarity(first=one, second=two, percent=_percent(changed[one], changed[two]))
            for one, two in combinations(changed, 2)
        ),
    )


def _grouped(found: Sequence[tuple[Cell, str]]) -> tuple[Cell, ...]:
    """The cells of a file, with one group letter for each distinct effect; the largest group is A."""
    sizes = Counter(effect for _, effect in found)
    firsts = {effect: min(cell.slot for cell, other in found if other == effect) for effect in sizes}
    effects = sorted(sizes, key=lambda effect: (-sizes[effect], firsts[effect]))
    return tuple(msgspec.structs.replace(cell, group=letter(effects.index(effect))) for cell, effect in found)


def _changed_lines(shown: Shown, reading: Reading, files: CurrentFiles) -> Lines:
    lines: Lines = Counter()
    for block in reading.files:
        source = block.from_path or block.path
        before = shown(source)
        if before is None:
            before = _now(files, source)
        if block.action != "write" or block.from_path or block.mode:
            # One changed "line" for the act itself, so that a rename or a new mode, which changes no text, counts too.
            lines[block.path, block.action, f"{block.from_path} {block.mode}"] += 1
        after = before if block.action in {"rename", "mode"} else block.content
        for hunk in hunks(before, after):
            lines.update(
                (block.path, line.sign, line.text.rstrip()) for line in hunk.lines if line.number and line.text.strip()
            )
    return lines


def _now(files: CurrentFiles, path: str) -> str:
    try:
        return files.at(path).text
    except DceError:
        return ""


def _percent(one: Lines, two: Lines) -> int:
    """Twice the common lines over the total of both; 100 means identical changes."""
    return round(200 * (one & two).total() / (one.total() + two.total()))
