"""`dce run-checks`: runs the project's own checks on responses, each in a lane of its own."""

import asyncio
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import generation_of, generation_option, json_option, open_workspace, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json, visible
from dce.cli.progress import checks_text
from dce.workspace.events import ChecksFinished, Event
from dce.workspace.judging.check_report import CheckReport

if TYPE_CHECKING:
    from dce.workspace.workspace import Workspace


@click.command(name="run-checks")
@click.argument("slots", metavar="[SLOT]...", type=int, nargs=-1)
@click.option("--output", "is_verbose", is_flag=True, help="Show what failing checks printed.")
@click.option("--yes", "-y", "is_yes", is_flag=True, help="Agree to the commands in .dce/checks.toml as they are now.")
@generation_option
@json_option
@workspace_option
@click.pass_context
def command(
    ctx: click.Context,
    slots: tuple[int, ...],
    is_verbose: bool,
    is_yes: bool,
    generation_id: int | None,
    is_json: bool,
    directory: Path,
) -> None:
    """Run the project's checks (.dce/checks.toml) on responses, in isolation; without SLOT, on all that contain files.

    The workspace itself is only read. Before commands run for the first time, and whenever they have changed, you are asked. Ends with 1
    if a named response fails or, without SLOT, if none passes.
    """
    from dce.workspace.judging.board import check_responses  # noqa: PLC0415

    def tell(event: Event) -> None:
        if isinstance(event, ChecksFinished) and not is_json:
            new = f", {event.new_failures} new" if event.new_failures else ""
            say(f"[{event.slot:>2}] {checks_text(event)}{new}")

    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, generation_id)
        asyncio.run(_agree(workspace, is_yes=is_yes, may_ask=not is_json and sys.stdin.isatty()))
        reports = asyncio.run(check_responses(workspace, generation.id, slots or None, tell))
    if not is_json and any(report.lane == "copy" for report in reports.values()):
        note(f"the checks ran in plain copies, which contain nothing: {next(iter(reports.values())).lane_why}")
    for slot, report in reports.items():
        if report.problem:
            note(f"[{slot:>2}] no verdict: {visible(report.problem)}")
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


async def _agree(workspace: "Workspace", *, is_yes: bool, may_ask: bool) -> None:
    """Stores consent to the commands, if the user gives it now; otherwise running them raises consent_needed."""
    from dce.workspace.judging.board import commands_to_run  # noqa: PLC0415
    from dce.workspace.judging.command_consent import CommandConsents  # noqa: PLC0415

    commands, consents = await commands_to_run(workspace), CommandConsents(workspace.store.meta)
    if consents.covers(commands) or not (is_yes or may_ask):
        return
    note("these commands of .dce/checks.toml run on code that a model wrote:")
    for command in commands.commands:
        note(f"  {visible(command)}")
    note(visible(commands.containment()))
    if is_yes or click.confirm("Run them?", err=True):
        consents.give(commands)


def _print_output(reports: dict[int, CheckReport]) -> None:
    for slot, report in reports.items():
        for run in report.runs:
            if not run.ok:
                say(f"\n[{slot:>2}] {run.name}, exit {run.exit_code}:\n{run.output.rstrip()}")
