"""Combines one file from parts of several responses: whole texts, hunks or lines of each, and the file as it is now.

Invariants: nothing is written here; if two parts change the same lines differently, the user decides, and until then the file may
not be written.
"""

from collections.abc import Callable, Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting.merge import Conflict, Merge, Side, conflicts_of, merge3, resolved
from dce.workspace.judging.hunks import Hunk, hunks, take
from dce.workspace.tree.current import Current


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """A response's part in a file: these hunks (`2`) or lines (`2:1-3`), numbered as by `hunks.hunks`; none: its whole text."""

    slot: int
    hunks: tuple[str, ...] = ()


class FilePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A file and the parts to combine, in order. `choices` resolve its conflicts, in order."""

    path: str
    picks: tuple[Pick, ...]
    choices: tuple[Side, ...] = ()


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict between a response's part and the text so far (`first_slot` 0: the file as it is now; else a response)."""

    first_slot: int
    second_slot: int
    conflict: Conflict
    choice: Side


class Combined(msgspec.Struct, frozen=True, kw_only=True):
    """The combined text of a file. `is_merged`: it includes edits made since the prompt. `problem`: why it may not be written."""

    text: str
    is_merged: bool
    clashes: tuple[Clash, ...]
    problem: str


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """The sources of a file's parts: the file now, the prompt's copy if the file is stale, and each response's text."""

    current: Current
    stale_base: str | None
    answers: Callable[[int], str]


def combine(plan: FilePlan, sources: Sources) -> Combined:
    """Combines a file. Raises DceError not_found (no such hunk), invalid_input (nothing picked; hunks of a conflicting text)."""
    if not plan.picks:
        raise DceError("invalid_input", f"nothing is picked from {plan.path}")
    now = sources.current.text
    text, clashes, is_merged = now, list[Clash](), False
    earlier = 0
    for pick in plan.picks:
        merge = _merged(sources, pick.slot)
        is_merged = is_merged or sources.stale_base is not None
        if pick.hunks and merge.conflicts:
            raise DceError(
                "invalid_input", f"response {pick.slot} conflicts with the current file: take {plan.path} whole"
            )
        part = _decide(merge, 0, pick.slot, plan.choices, clashes)
        if pick.hunks:
            part = take(now, _as_written(part, sources.current), pick.hunks)
        if earlier:
            part = _decide(merge3(now, text, part), earlier, pick.slot, plan.choices, clashes)
        text, earlier = part, pick.slot
    open_lines = [str(clash.conflict.line) for clash in clashes if not clash.choice]
    problem = f"not decided yet: the conflict at line {', '.join(open_lines)}" if open_lines else ""
    return Combined(text=text, is_merged=is_merged, clashes=tuple(clashes), problem=problem)


def hunks_of(sources: Sources, slot: int) -> tuple[Hunk, ...]:
    """The hunks of a response's text against the file now. Raises DceError invalid_input if they conflict."""
    merge = _merged(sources, slot)
    if merge.conflicts:
        raise DceError("invalid_input", "it conflicts with edits made since the prompt: it can only be taken whole")
    return tuple(hunks(sources.current.text, _as_written(merge.text, sources.current)))


def _merged(sources: Sources, slot: int) -> Merge:
    """A response's text, merged with the edits made since the prompt."""
    answer = sources.answers(slot)
    if sources.stale_base is None:
        return Merge(text=answer)
    return merge3(sources.stale_base, sources.current.text, answer)


def _as_written(text: str, current: Current) -> str:
    """The text with the line ends and byte-order mark of the present file."""
    return current.form.text_written(current.form.bytes_to_write(text))


def _decide(merge: Merge, first: int, second: int, choices: Sequence[Side], clashes: list[Clash]) -> str:
    """The merge with its conflicts resolved by the choices not used yet; appends the conflicts to `clashes`."""
    if not merge.conflicts:
        return merge.text
    found = conflicts_of(merge)
    mine: list[Side] = [*choices[len(clashes) : len(clashes) + len(found)]]
    mine += [""] * (len(found) - len(mine))
    clashes += [
        Clash(first_slot=first, second_slot=second, conflict=conflict, choice=choice)
        for conflict, choice in zip(found, mine, strict=True)
    ]
    return resolved(merge, mine)
