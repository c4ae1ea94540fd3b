"""One file put together from parts of several responses: whole texts, hunks or lines of each, and the file as it is now.

What must always hold: nothing is written here; where two parts change the same lines differently, a person decides, and until then
the file may not be written.
"""

from collections.abc import Callable, Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.accepting.merge import Conflict, Merge, Side, conflicts_of, merge3, resolved
from dce.workspace.judging.hunks import Hunk, hunks, take
from dce.workspace.tree.current import Current


class Pick(msgspec.Struct, frozen=True, kw_only=True):
    """A response's part in a file: these hunks (`2`) and lines (`2:1-3`), as `hunks.hunks` counts them; none: its whole text."""

    slot: int
    hunks: tuple[str, ...] = ()


class FilePlan(msgspec.Struct, frozen=True, kw_only=True):
    """A file and whose parts make it, in order. `choices` decide its conflicts, in order."""

    path: str
    picks: tuple[Pick, ...]
    choices: tuple[Side, ...] = ()


class Clash(msgspec.Struct, frozen=True, kw_only=True):
    """A conflict between what was there before (`first_slot` 0: the file as it is now; else a response) and a response's part."""

    first_slot: int
    second_slot: int
    conflict: Conflict
    choice: Side


class Combined(msgspec.Struct, frozen=True, kw_only=True):
    """What a file would become. `is_merged`: edits made since the prompt are in it. `problem` forbids writing it."""

    text: str
    is_merged: bool
    clashes: tuple[Clash, ...]
    problem: str


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """Where parts come from: the file now, the prompt's own copy of it if the file is stale, and each response's text."""

    current: Current
    stale_base: str | None
    answers: Callable[[int], str]


def combine(plan: FilePlan, sources: Sources) -> Combined:
    """Puts a file together. Raises DceError not_found (no such hunk), invalid_input (no pick; hunks of what conflicts)."""
    if not plan.picks:
        raise DceError("invalid_input", f"nothing is picked of {plan.path}")
    now = sources.current.text
    text, clashes, is_merged = now, list[Clash](), False
    earlier = 0
    for pick in plan.picks:
        merge = _merged(sources, pick.slot)
        is_merged = is_merged or sources.stale_base is not None
        if pick.hunks and merge.conflicts:
            raise DceError("invalid_input", f"response {pick.slot} conflicts with the file now: take {plan.path} whole")
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
    """What can be picked of a response's text, against the file now. Raises DceError invalid_input where they conflict."""
    merge = _merged(sources, slot)
    if merge.conflicts:
        raise DceError("invalid_input", "it conflicts with edits made since the prompt: it can only be taken whole")
    return tuple(hunks(sources.current.text, _as_written(merge.text, sources.current)))


def _merged(sources: Sources, slot: int) -> Merge:
    """A response's text, with the edits made since the prompt."""
    answer = sources.answers(slot)
    if sources.stale_base is None:
        return Merge(text=answer)
    return merge3(sources.stale_base, sources.current.text, answer)


def _as_written(text: str, current: Current) -> str:
    """With the line ends and byte-order mark that the file keeps."""
    return current.form.text_written(current.form.bytes_to_write(text))


def _decide(merge: Merge, first: int, second: int, choices: Sequence[Side], clashes: list[Clash]) -> str:
    """The merge with its conflicts decided by those choices that are still unused; notes them in `clashes`."""
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
