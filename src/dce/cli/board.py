"""`dce board`: a generation's responses, ranked."""

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dce.cli.context import GENERATION, generation_of, json_option, open_workspace, workspace_option
from dce.cli.evidence import say_behaviour, say_first, say_reasons
from dce.cli.output import say, say_json, visible
from dce.cli.progress import STYLES, rate, seconds, token_text
from dce.cli.tables import change_text, columns
from dce.workspace.judging.behaving import find_comparison
from dce.workspace.judging.board import BoardRow, ChecksCount, board
from dce.workspace.judging.exam.words import exam_words
from dce.workspace.judging.judged import Judged, preferred
from dce.workspace.judging.reasons import STALE
from dce.workspace.record.follow_ups import Kind, MadeFrom
from dce.workspace.record.responses import TERMINAL
from dce.workspace.schema.look_alikes import printable

MAX_PROBLEMS = 3
"""How many problems of one response are printed."""
_MADE: dict[Kind, str] = {"reply": "reply to", "repair": "repair of", "fuse": "fusion of"}

_HEAD = ("rank", "#", "status", "parse", "checks", "class", "tokens", "tok/s", "TTFT", "time", "files", "flags")
_RIGHT = (0, 1, 6, 7, 8, 9)
_LEAVE_OUT = ("TTFT", "tok/s", "rank", "time", "tokens", "parse", "class")
"""Columns that a narrow terminal drops, in this order. The order of the rows still shows the rank."""
_GAP = 2
"""Blanks between two columns."""


@click.command(name="board")
@click.argument("generation_id", metavar="[GENERATION]", type=GENERATION, required=False)
@click.option(
    "--evidence", "is_full", is_flag=True, help="Show why each has its rank, and every probe on which they differ."
)
@json_option
@workspace_option
def command(generation_id: int | None, is_full: bool, is_json: bool, directory: Path) -> None:
    """The ranked table of a generation's responses (default: the latest).

    Best first: those that are complete, read with certainty and break nothing that worked before; then the fewest new failures, the most
    tests gained, the fewest failures; then those that behave like most others. Responses in one class behave alike on every probe. Below
    the table, DCE says which one to look at first, why, and where the responses differ. Identical responses share a line.
    """
    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        rows = board(workspace, generation.id)
        found = find_comparison(workspace, generation.id)
        rejected = {one.slot for one in workspace.store.judgements.latest(generation.id) if one.mark == "rejected"}
    if is_json and is_full:
        report, why_stale = (found.report, found.why_stale) if found else (None, "")
        say_json({"generation": generation.id, "report": report, "why_stale": why_stale, "rows": rows})
        return
    if is_json:
        say_json(rows)
        return
    print_board(rows, f"generation {generation.id} · cycle {generation.cycle} · {generation.model or 'default model'}")
    say_first(rows, rejected)
    if is_full:
        say_reasons(rows)
    say_behaviour(found, is_full=is_full)


def print_board(rows: list[BoardRow], title: str) -> None:
    """Prints the board for people: a table fitted to the terminal's width, or aligned text elsewhere."""
    say(title)
    if not sys.stdout.isatty():
        for line in columns([_HEAD, *(_cells(row, same) for row, same in folded(rows))], right=_RIGHT):
            say(line)
        _say_notes(rows)
        return
    console = Console()
    lines = folded(rows)
    rows_of_cells = [[visible(cell) for cell in _cells(row, same, "\n")] for row, same in lines]
    kept = fitting([_HEAD, *rows_of_cells], console.width)
    table = Table(box=None, pad_edge=False, padding=(0, _GAP, 0, 0), header_style="dim")
    for at in kept:
        table.add_column(
            _HEAD[at],
            justify="right" if at in _RIGHT else "left",
            no_wrap=at < len(_HEAD) - 2,
            overflow="fold" if at == len(_HEAD) - 2 else "ellipsis",
        )
    for (row, _), texts in zip(lines, rows_of_cells, strict=True):
        cells = [Text(text) for text in texts]
        cells[2].stylize(STYLES[row.status])
        cells[4].stylize(_checks_style(row.checks))
        table.add_row(*(cells[at] for at in kept))
    console.print(table)
    _say_notes(rows)


def _say_notes(rows: list[BoardRow]) -> None:
    """What does not fit in the table."""
    _say_lineage(rows)
    _say_judged(rows)
    _say_cuts(rows)
    _say_stale(rows)
    for row in rows:
        for problem in row.problems[:MAX_PROBLEMS]:
            say(visible(f"{row.slot}: {problem.describe()}"))
        if len(row.problems) > MAX_PROBLEMS:
            more = len(row.problems) - MAX_PROBLEMS
            say(f"{row.slot}: {more} more problem{'s' * (more != 1)}: `dce board --json` lists all of them")
        for text in exam_words(row.test_changes, row.checks.own if row.checks else None):
            say(visible(f"{row.slot}: {text}"))


def _say_stale(rows: list[BoardRow]) -> None:
    """Names the responses whose verdict may no longer hold, and why."""
    for why, text in STALE.items():
        slots = sorted(row.slot for row in rows if row.checks is not None and row.checks.stale == why)
        if slots:
            say(f"the checks of {', '.join(map(str, slots))} are stale: {text}; `dce run-checks` runs them again")


def made_text(made: MadeFrom) -> str:
    """Where a response comes from: `repair of 3`."""
    other = f" with {made.other}" if made.other else ""
    return f"{_MADE[made.kind]} {made.slot}{f' v{made.version}' if made.version > 1 else ''}{other}"


def _say_lineage(rows: list[BoardRow]) -> None:
    """Names the answer that each follow-up was made from."""
    made = [(row.slot, row.made_from) for row in sorted(rows, key=lambda row: row.slot) if row.made_from is not None]
    if made:
        say(f"follow-ups: {', '.join(f'{slot} ({made_text(found)})' for slot, found in made)}")


def judge_text(found: Mapping[int, Judged]) -> str:
    """What the judge advises, in a few words."""
    best, judge = preferred(found), next(iter(found.values()))
    slots = sorted(found)
    named = f"{', '.join(str(slot) for slot in slots[:-1])} and {slots[-1]}"
    who = judge.card or judge.model or "default model"
    if best is None:
        return f"the judge ({who}) is unsure which of {named} is best"
    others = ", ".join(str(slot) for slot in slots if slot != best)
    return f"the judge ({who}) prefers {best} to {others}"


def _say_judged(rows: list[BoardRow]) -> None:
    """What the judge advises, if one was asked."""
    found = {row.slot: row.judged for row in rows if row.judged is not None}
    if found:
        say(f"{judge_text(found)}; this does not change the rank")


def _say_cuts(rows: list[BoardRow]) -> None:
    """Names the responses whose server read only a part of the prompt, with the figures."""
    slots: dict[str, list[int]] = {}
    for row in rows:
        if row.prompt_read is not None:
            slots.setdefault(row.prompt_read.describe(), []).append(row.slot)
    for text, numbers in slots.items():
        say(
            f"{', '.join(map(str, sorted(numbers)))}: {text}. Raise the server's context length, or select fewer files."
        )


def fitting(rows: Sequence[Sequence[str]], width: int) -> list[int]:
    """The columns of a table (whose first row is the head) to show on a terminal `width` characters wide: all if they fit."""
    widths = [max(len(line) for row in rows for line in row[at].split("\n")) for at in range(len(rows[0]))]
    kept = list(range(len(widths)))
    for name in _LEAVE_OUT:
        if sum(widths[at] + _GAP for at in kept) - _GAP <= width:
            break
        kept.remove(_HEAD.index(name))
    return kept


def folded(rows: Sequence[BoardRow]) -> list[tuple[BoardRow, tuple[int, ...]]]:
    """The rows to show: the best of those that say the same of the same files, with the slots of the others."""
    found: dict[tuple[object, ...], tuple[BoardRow, list[int]]] = {}
    for row in rows:
        verdict = (row.cluster, row.status, row.parse, row.checks, row.class_, row.flags, row.is_stale)
        key = (*verdict, row.files) if row.cluster and row.status in TERMINAL and not row.accepted else (row.slot,)
        if key in found:
            found[key][1].append(row.slot)
        else:
            found[key] = (row, [])
    return [(row, tuple(same)) for row, same in found.values()]


def _cells(row: BoardRow, same: Sequence[int], between_files: str = ", ") -> tuple[str, ...]:
    files = between_files.join(
        change_text(file.path, file.change, file.added, file.removed)
        + (f" (written as {printable(file.written_path)})" if file.written_path else "")
        for file in row.files
    )
    return (
        str(row.rank),
        ", ".join(str(slot) for slot in (row.slot, *same)),
        f"{row.status}, accepted" if row.accepted else str(row.status),
        row.parse,
        checks_cell(row.checks),
        (row.class_ or "-") + " (stale)" * (row.is_stale and bool(row.class_)),
        token_text(row.tokens),
        rate(row.tokens_per_s),
        seconds(row.ttft_s),
        seconds(row.elapsed_s),
        files or "-",
        ", ".join(row.flags) or "-",
    )


def checks_cell(checks: ChecksCount | None) -> str:
    """The checks in a few words; `new` counts failures that the current workspace does not have, `gained` tests that pass only here."""
    if checks is None:
        return "-"
    is_good = not checks.failed and not checks.new_failures  # tests may be missing although none fails
    words = [f"✓ {checks.passed}" if is_good else f"✗ {checks.failed} of {checks.passed + checks.failed}"]
    words += [f"{checks.new_failures} new"] * bool(checks.new_failures)
    words += ["fails anyway"] * checks.fails_anyway
    words += [f"{checks.gained} gained"] * bool(checks.gained)
    words += ["flaky"] * bool(checks.flaky)
    return ", ".join(words) + " (stale)" * bool(checks.stale)


def _checks_style(checks: ChecksCount | None) -> str:
    if checks is None or checks.stale:
        return "dim"
    return "green" if not checks.failed else "yellow" if checks.fails_anyway else "red"
