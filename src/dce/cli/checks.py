"""`dce checks`: proposes the project's checks and tries them on the workspace as it is."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from dce.cli.context import json_option, open_workspace, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json, visible
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.judging.check_report import CheckReport, CheckRun
    from dce.workspace.workspace import Workspace

Verb = TypeVar("Verb", bound=Callable[..., Any])

MAX_NAMED = 10
"""How many names of tests are printed for one check."""

MAX_LINES = 8
"""How many lines are printed of the end of a failed check's output, where no test says what is wrong."""


def yes_option(verb: Verb) -> Verb:
    """`--yes`: consent to the commands."""
    return click.option(
        "--yes", "-y", "is_yes", is_flag=True, help="Agree to the commands in .dce/checks.toml as they are now."
    )(verb)


def agree(workspace: "Workspace", *, is_yes: bool, may_ask: bool) -> None:
    """Stores consent to the commands, if the user gives it now; otherwise running them raises consent_needed."""
    from dce.workspace.judging.behaving import commands_to_compare  # noqa: PLC0415
    from dce.workspace.judging.command_consent import CommandConsents  # noqa: PLC0415

    commands, consents = asyncio.run(commands_to_compare(workspace)), CommandConsents(workspace.store.meta)
    if consents.covers(commands) or not (is_yes or (may_ask and sys.stdin.isatty())):
        return
    if commands.commands:
        note("these commands from .dce/checks.toml will run on code that a model wrote:")
    for command in commands.commands:
        note(f"  {visible(command)}")
    note(f"to compare how responses behave, DCE runs {commands.probes}")
    note(visible(commands.containment()))
    if is_yes or click.confirm("Run them?", err=True):
        consents.give(commands)


@click.group(name="checks")
def command() -> None:
    """Propose checks (.dce/checks.toml) from the project's files."""


@command.command()
@click.option("--force", "is_forced", is_flag=True, help="Replace an existing .dce/checks.toml.")
@click.option("--no-run", "is_dry", is_flag=True, help="Only write the file; run nothing.")
@yes_option
@json_option
@workspace_option
@click.pass_context
def init(ctx: click.Context, is_forced: bool, is_dry: bool, is_yes: bool, is_json: bool, directory: Path) -> None:
    """Propose checks from the project's files, write them to .dce/checks.toml, and run them on the workspace as it is.

    Recognises pytest, unittest, tox, nox, vitest, jest, mocha, node, npm, cargo, go, ctest, gradle, maven, rspec, phpunit, dotnet and make.
    The checks run three times if that is cheap, to find flaky tests. You are asked before they run for the first time. Ends with 1 if a
    check cannot run here.
    """
    from dce.workspace.judging.checking import check_workspace  # noqa: PLC0415
    from dce.workspace.judging.checks_file import CHECKS_FILE, write_checks  # noqa: PLC0415
    from dce.workspace.judging.proposing import propose_all  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        path = workspace.project.state_dir / CHECKS_FILE
        if path.exists() and not is_forced:
            raise DceError(
                "conflict",
                f"{path} already exists",
                hint="`dce run-checks --workspace` runs its checks; --force replaces it with a new proposal.",
            )
        proposed = propose_all(workspace.project)
        proposals = proposed.proposals
        if not proposals:
            raise DceError(
                "not_found",
                "no test runner that DCE knows is configured here",
                hint='Write the command in .dce/checks.toml: [[check]], name = "tests", command = ["…"].',
            )
        write_checks(workspace.project, [proposal.check for proposal in proposals])
        if not is_json:
            for proposal in proposals:
                say(f"{proposal.check.name:<12} {' '.join(proposal.check.command)}   ({proposal.why})")
            for name in proposed.left_out[:MAX_NAMED]:
                note(f"not proposed, because there are too many: {name}")
            if len(proposed.left_out) > MAX_NAMED:
                note(f"not proposed, because there are too many: {len(proposed.left_out) - MAX_NAMED} more")
            note(f"written to {path}")
        if not is_dry:
            agree(workspace, is_yes=is_yes, may_ask=not is_json)
        report = None if is_dry else asyncio.run(check_workspace(workspace, is_fresh=True))
    if is_json:
        say_json({"file": str(path), "checks": [proposal.check for proposal in proposals], "report": report})
    elif report is not None:
        print_base(report)
    ctx.exit(Exit.NO if report is not None and report.cannot_start else Exit.DONE)


def print_base(report: "CheckReport", *, is_verbose: bool = False) -> None:
    """What came of the checks on the workspace as it is."""
    for run in report.runs:
        _print_base_run(run, is_verbose=is_verbose)
    if report.problem:
        say(f"✗ no verdict: {report.problem}")
    if report.lane == "copy":
        note(f"the checks ran in a plain copy, not in a sandbox: {report.lane_why}")
    if report.on:
        note(f"the checks ran on {report.node or 'a node'} of {report.on}")
    for problem in report.cannot_start:
        say(f"✗ cannot run here: {problem}")
    if report.cannot_start:
        note("next: install what is missing, then `dce run-checks --workspace`")


def _print_base_run(run: "CheckRun", *, is_verbose: bool) -> None:
    say(f"{'✓' if run.ok else '✗'} {run.name}: {summary(run)}, {run.duration_s:.1f} s")
    for word, names in (("fails without any response", run.failures), ("flaky", run.flaky)):
        for name in names[:MAX_NAMED]:
            say(f"    {word}: {name}")
        if len(names) > MAX_NAMED:
            say(f"    {word}: {len(names) - MAX_NAMED} more")
    if run.note:
        say(f"    note: {run.note}")
    if run.stop == "broken" and not run.passed:
        say("    next: install what is missing in the project's environment (.venv, node_modules, …), then")
        say("          `dce run-checks --workspace`; until then no test runs")
    elif run.state == "ran" and not run.ok and not run.runner:
        say(
            "    note: it already fails and reports no tests by name, so it cannot tell what a response breaks; if it runs several"
        )
        say("          commands, make each one a check of its own in .dce/checks.toml")
    if is_verbose and not run.ok:
        say(run.output.rstrip())
    elif not run.ok and not run.failures:
        for line in run.output.rstrip().splitlines()[-MAX_LINES:]:
            say(f"    | {line}")


def summary(run: "CheckRun") -> str:
    """The counts of a run in words."""
    if run.state == "killed":
        return f"killed at a limit ({', '.join(run.limits)})"
    if not run.runner:
        return "passes" if run.ok else f"fails with exit code {run.exit_code}"
    words = (
        [f"{run.passed} passed"]
        + [f"{run.failed} failed"] * bool(run.failed)
        + [f"{run.skipped} skipped"] * bool(run.skipped)
    )
    return f"{', '.join(words)} ({run.runner})"
