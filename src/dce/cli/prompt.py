"""`dce prompt`: writes the prompt exactly as it would be sent, and shows the tokens of each part."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dce.cli.consent import secrets_option
from dce.cli.context import (
    card_option,
    cycle_of,
    cycle_option,
    json_option,
    note_empty_selection,
    note_old_prompt,
    open_workspace,
    schema_option,
    workspace_option,
)
from dce.cli.exits import Exit
from dce.cli.output import data, note, say, say_json
from dce.cli.secrets import finding_line
from dce.cli.tables import columns
from dce.cli.waiting import waited
from dce.workspace.context.advice import Cut, FileCost, cuts
from dce.workspace.context.pictures import TOKENS_EACH
from dce.workspace.context.prompt import SECTION_TITLES
from dce.workspace.outbound.secrets import Finding
from dce.workspace.preparing.prepared_prompt import GuessedEncoding, PreparedPrompt

if TYPE_CHECKING:
    from dce.workspace.workspace import Workspace

SMALL_SHARE = 50
"""Percentage of a prompt shared with the last one sent; below it, the output says how to raise it."""


class SectionRow(msgspec.Struct, frozen=True, kw_only=True):
    """One of the prompt's seven sections and its tokens."""

    name: str
    tokens: int
    exact: bool


class PictureRow(msgspec.Struct, frozen=True, kw_only=True):
    """A picture sent with the prompt. `size` in bytes; `tokens` is an estimate: only the model knows."""

    path: str
    mime: str
    size: int
    sha256: str
    tokens: int


class PromptReport(msgspec.Struct, frozen=True, kw_only=True):
    """What `--json` prints. `budget`: tokens of the model's `context` left for a prompt; None if unknown, and `note` says why.

    `cuts`: changes to the selection that would make it fit. `pictures` are sent with the text. `shared`: about how many leading
    tokens match the prompt sent last, which the server may still have cached; None if none was sent. `left_out`: selected files left
    out because secrets were found in them (`--secrets exclude`). `unread`: documents that could not be read; for each, the prompt
    holds only a line that says why. `guessed`: files whose encoding nothing declares.
    """

    cycle: int
    path: str
    sha256: str
    schema: str
    files: int
    sections: tuple[SectionRow, ...]
    total: int
    exact: bool
    model: str
    context: int | None
    budget: int | None
    is_over: bool
    note: str
    findings: tuple[Finding, ...]
    file_costs: tuple[FileCost, ...]
    cuts: tuple[Cut, ...]
    pictures: tuple[PictureRow, ...] = ()
    shared: int | None = None
    left_out: tuple[str, ...] = ()
    unread: dict[str, str] = {}
    guessed: tuple[GuessedEncoding, ...] = ()


@click.command(name="prompt")
@cycle_option
@click.option("--out", metavar="F", help="Also write a copy to F; `-`: print it instead.")
@click.option("--force", "is_forced", is_flag=True, help="Replace F even if DCE did not write it.")
@schema_option
@click.option("--model", metavar="M", help="The model whose tokenizer and context size apply.")
@card_option
@secrets_option
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    /,
    cycle_id: int | None,
    out: str | None,
    is_forced: bool,
    is_json: bool,
    directory: Path,
    **flags: object,
) -> None:
    """Write .dce/prompt.md and show its tokens by section.

    These are the bytes that `dce generate` sends. Only you can read the file, and git ignores it: it can contain the text of files that
    git ignores. With `--out -`, a prompt with a possible secret is refused, unless it is for a server on this machine. Ends with 1 if
    the prompt does not fit into the model's context.
    """
    with open_workspace(directory, **flags) as workspace:
        cycle = cycle_of(workspace, cycle_id)
        note_empty_selection(workspace)
        note_old_prompt(workspace)
        workspace = workspace if flags.get("card") else workspace.for_cycle(cycle.id)  # noqa: PLW2901 - the same one
        prepared, costs = asyncio.run(_built(workspace, cycle.id, is_json=is_json))
        path = ""
        if out == "-":
            workspace.sending.check_copy(prepared.findings)
        if out == "-" and not is_json:
            data(prepared.prompt.text)
        elif out in (None, "-"):
            path = str(workspace.prompt_file.write(prepared.prompt))
        else:
            path = str(workspace.prompt_file.copy(prepared.prompt, Path(str(out)), is_forced=is_forced))
        report = _report(prepared, costs, path)
        report = msgspec.structs.replace(
            report,
            shared=workspace.preparation.shared_tokens(prepared),
            left_out=workspace.preparation.inputs.left_out(prepared.prompt),
        )
    if is_json:
        say_json(report)
    else:
        write = note if out == "-" else say
        for line in _lines(report, workspace.settings.section_order):
            write(line)
    ctx.exit(Exit.NO if report.is_over else Exit.DONE)


async def _built(
    workspace: "Workspace", cycle_id: int, *, is_json: bool
) -> tuple[PreparedPrompt, tuple[FileCost, ...]]:
    """The prompt and, only if they are shown, the tokens of each file: counting these takes as long as counting the whole prompt."""
    prepared = await waited(workspace.preparation.build(cycle_id), "building the prompt and counting its tokens")
    if not (is_json or prepared.is_over):
        return prepared, ()
    texts = [file.text for file in prepared.files]
    counts = await waited(workspace.counter.count(texts), "counting the tokens of its files")
    costs = (
        FileCost(path=file.path, tokens=count.tokens, exact=count.exact, detail=file.detail)
        for file, count in zip(prepared.files, counts, strict=True)
    )
    return prepared, tuple(costs)


def _report(prepared: PreparedPrompt, costs: tuple[FileCost, ...], path: str) -> PromptReport:
    rows = tuple(
        SectionRow(name=section.name, tokens=count.tokens, exact=count.exact)
        for section, count in zip(prepared.prompt.sections, prepared.counts, strict=True)
    )
    return PromptReport(
        cycle=prepared.cycle,
        path=path,
        sha256=prepared.prompt.sha256,
        schema=prepared.prompt.schema,
        files=len(prepared.files),
        sections=rows,
        total=prepared.total,
        exact=prepared.is_exact,
        model=prepared.model,
        context=prepared.context,
        budget=prepared.budget,
        is_over=prepared.is_over,
        note=prepared.note,
        findings=prepared.findings,
        file_costs=costs,
        cuts=cuts(prepared.files, costs, 0 if prepared.budget is None else prepared.total - prepared.budget),
        pictures=tuple(
            PictureRow(path=each.path, mime=each.mime, size=len(each.content), sha256=each.sha256, tokens=TOKENS_EACH)
            for each in prepared.pictures
        ),
        unread=prepared.unread,
        guessed=prepared.guessed,
    )


def _lines(report: PromptReport, section_order: str) -> list[str]:
    rows = [
        (row.name, SECTION_TITLES.get(row.name, ""), f"{'' if row.exact else '≈'}{row.tokens:,}")
        for row in report.sections
    ]
    total = f"{'' if report.exact else '≈'}{report.total:,}"
    lines = columns([*rows, ("", "all", total)], right=(2,))
    if report.path:
        lines.append(
            f"wrote {report.path}: cycle {report.cycle}, {report.files} file{'s' * (report.files != 1)}, schema {report.schema}"
        )
    lines += [
        f"sent with it: {each.path}, {each.mime}, {each.size:,} bytes, ≈{each.tokens:,} tokens"
        for each in report.pictures
    ]
    if report.budget is None:
        lines.append(f"unknown whether it fits: {report.note}")
    elif report.is_over:
        over = report.total - report.budget
        lines.append(f"too long by {over:,} tokens: the model takes {report.budget:,}; select fewer or smaller files")
        lines += [f"  saves ≈{cut.saves:,}: {cut.command}" for cut in report.cuts]
    else:
        share = 100 * report.total // max(1, report.budget)
        lines.append(f"fits: {share} % of the {report.budget:,} tokens available")
    if report.shared is not None:
        lines.append(_shared_line(report.shared, report.total, section_order))
    lines += [f"could not be read: {path}: {problem}" for path, problem in report.unread.items()]
    lines += [
        f"encoding {'in doubt' if file.is_doubtful else 'guessed'}: {file.path} is shown as {file.encoding}; `encoding` in config.toml settles it"
        for file in report.guessed
    ]
    lines += [f"left out because of a possible secret: {path}" for path in report.left_out]
    lines += [f"possible secret: {finding_line(finding)}" for finding in report.findings]
    return lines


def _shared_line(shared: int, total: int, section_order: str) -> str:
    share = 100 * shared // max(1, total)
    line = f"same as in the last one sent: the first ≈{shared:,} tokens ({share} %), which the server may still have cached"
    if share < SMALL_SHARE and section_order == "numbered":
        line += "; `dce settings set section_order stable` puts the unchanging parts first"
    return line
