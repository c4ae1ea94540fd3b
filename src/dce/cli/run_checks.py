"""`dce run-checks`: runs the project's own checks on responses, each in a scratch copy of the workspace."""

import asyncio
from pathlib import Path

import click

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json
from dce.cli.progress import checks_text
from dce.workspace.events import ChecksFinished, Event
from dce.workspace.judging.check_report import CheckReport


@click.command(name="run-checks")
@click.argument("slots", metavar="[SLOT]...", type=int, nargs=-1)
@click.option("--output", "is_verbose", is_flag=True, help="Show what failing checks printed.")
@generation_option
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    slots: tuple[int, ...],
    is_verbose: bool,
    generation_id: int | None,
    is_json: bool,
    directory: Path,
) -> None:
    """Run the project's checks (.dce/checks.toml) on responses, in isolation; without SLOT, on all that contain files.

    The workspace itself is only read. Ends with 1 if a named response fails or, without SLOT, if none passes.
    """
    from dce.workspace.judging.checking import check_responses  # noqa: PLC0415

    def tell(event: Event) -> None:
        if isinstance(event, ChecksFinished) and not is_json:
            new = f", {event.new_failures} new" if event.new_failures else ""
            say(f"[{event.slot:>2}] {checks_text(event)}{new}")

    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        reports = asyncio.run(check_responses(workspace, generation.id, slots or None, tell))
    if is_json:
        say_json({str(slot): report for slot, report in reports.items()})
    elif is_verbose:
        _print_output(reports)
    passed = sum(report.is_passed for report in reports.values())
    if not is_json:
        if reports:
            note(f"{passed} of {len(reports)} response{'s' * (len(reports) != 1)} pass every check")
        else:
            note("nothing to check: no finished response here contains files (`dce board`)")
    is_well = passed == len(set(slots)) if slots else passed > 0
    ctx.exit(Exit.DONE if is_well else Exit.NO)


def _print_output(reports: dict[int, CheckReport]) -> None:
    for slot, report in reports.items():
        for run in report.runs:
            if not run.ok:
                say(f"\n[{slot:>2}] {run.name}, exit {run.exit_code}:\n{run.output.rstrip()}")
