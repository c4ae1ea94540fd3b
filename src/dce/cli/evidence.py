"""What `dce board` says beside its table: which response to look at first and why, and how the responses behave."""

from collections.abc import Collection, Iterable, Sequence

from dce.cli.output import say
from dce.workspace.judging.behaviour_keys import Found
from dce.workspace.judging.behaviour_report import MatrixRow
from dce.workspace.judging.board import BoardRow
from dce.workspace.judging.reasons import listed

SHORT_ROWS = 3
"""How many probes are shown unless all are asked for: the whole fits on a screen beside the board."""

MAX_LINE = 76
"""Longest line of evidence, in characters, for a terminal 80 wide."""


def first_to_look_at(rows: Sequence[BoardRow], rejected: Collection[int]) -> BoardRow | None:
    """The best response that has files and that the user has not rejected, as in the panel."""
    usable = (row for row in rows if row.parse != "failed" and row.files)
    return next((row for row in usable if row.slot not in rejected), None)


def say_first(rows: Sequence[BoardRow], rejected: Collection[int]) -> None:
    """Names the response to look at first, and why."""
    best = first_to_look_at(rows, rejected)
    if best is not None:
        say(f"look at {best.slot} first: {best.why}")


def say_reasons(rows: Iterable[BoardRow]) -> None:
    """Why each response has its rank."""
    for row in rows:
        say(f"{row.rank:>3}. response {row.slot}: {row.why}")


def say_behaviour(found: Found | None, *, is_full: bool) -> None:
    """The comparison in a sentence, and the probes on which the responses differ: the most telling ones, or all that are kept."""
    if found is None:
        say("behaviour has not been compared yet: `dce run-checks` compares it, with or without checks")
        return
    report = found.report
    say(f"behaviour: {report.sentence}{f' (stale: {found.why_stale} since then)' if found.why_stale else ''}")
    for one in report.left_out:
        say(f"  not compared: {one.slot}, {one.why}")
    shown = report.matrix if is_full else report.matrix[:SHORT_ROWS]
    for row in shown:
        _say_row(row)
    if len(report.matrix) > len(shown):
        more = len(report.matrix) - len(shown)
        say(f"  {more} more probe{'s' * (more != 1)} on which they differ: `dce board --evidence`")


def _say_row(row: MatrixRow) -> None:
    """A probe, and under it what the workspace and each group of responses show."""
    say(_cut(f"  {row.probe}"))
    groups: dict[str, list[int]] = {}
    for cell in row.cells:
        groups.setdefault(cell.group, []).append(cell.slot)
    shows = {cell.group: cell.shows for cell in row.cells}
    lines = [(listed(slots), shows[group]) for group, slots in sorted(groups.items())]
    lines += [("workspace", row.base)] * bool(row.base)
    width = min(max(len(who) for who, _ in lines), 30)
    for who, what in lines:
        say(_cut(f"    {who:<{width}}  {what}"))


def _cut(line: str) -> str:
    one_line = " ".join(line.splitlines())
    return one_line if len(one_line) <= MAX_LINE else f"{one_line[: MAX_LINE - 1]}…"
