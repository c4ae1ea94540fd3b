"""`dce run-checks`: runs the project's own checks on responses, each in a lane of its own."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import msgspec

from dce.cli.checks import agree, print_base, yes_option
from dce.cli.consent import with_consent
from dce.cli.context import generation_of, generation_option, json_option, open_workspace
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json, visible
from dce.cli.progress import checks_text
from dce.cli.waiting import waited
from dce.workspace.events import ChecksFinished, Event
from dce.workspace.judging.behaviour_report import BehaviourReport
from dce.workspace.judging.check_report import CheckReport, CheckRun
from dce.workspace.judging.exam.words import exam_words
from dce.workspace.workspace import Workspace

_AS_IT_IS = "(as it is)"
"""What `--workspace` without a folder stands for."""


class _Folder(click.Path):
    """An existing folder, or what stands for none."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        return value if value == _AS_IT_IS else super().convert(value, param, ctx)


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The arguments of the verb."""

    slots: tuple[int, ...]
    is_verbose: bool
    is_fresh: bool
    is_asking: bool
    is_yes: bool
    is_json: bool
    generation_id: int | None


MAX_NAMED = 3
"""How many names of tests are printed for one response."""


@click.command(name="run-checks")
@click.argument("slots", metavar="[SLOT]...", type=int, nargs=-1)
@click.option("--output", "is_verbose", is_flag=True, help="Show what failing checks printed.")
@click.option("--fresh", "is_fresh", is_flag=True, help="Run everything again, even where nothing has changed.")
@click.option(
    "--ask-model",
    "is_asking",
    is_flag=True,
    help="Ask the generation's model once for scripts to compare the responses with: one more request after the same prompt.",
)
@yes_option
@generation_option
@json_option
@click.option(
    "--workspace",
    "-C",
    "directory",
    metavar="[DIR]",
    type=_Folder(path_type=Path, file_okay=False, exists=True),
    is_flag=False,
    flag_value=_AS_IT_IS,
    default=".",
    help="Without DIR: run the checks on the workspace as it is, on no response. With DIR: the workspace, or a folder in it.",
)
@click.pass_context
def command(ctx: click.Context, /, directory: Path | str, **options: object) -> None:
    """Run the project's checks (.dce/checks.toml) on responses, in isolation; without SLOT, on all that contain files.

    The workspace itself is only read. It is checked first: what fails without any response is no response's fault. Without SLOT, the
    responses that pass are then compared by what they do with the same inputs; without checks, all that could be read. With --ask-model,
    also by scripts that the model writes, and by checks that it derives from the cycle; both stay for later comparisons. Before anything
    runs for the first time, and whenever the commands have changed, you are asked. Ends with 1 if a named response fails or, without
    SLOT, if none passes; with --workspace, if a check fails or cannot run.
    """
    wanted = msgspec.convert(options, _Wanted)
    if wanted.is_asking and (wanted.slots or isinstance(directory, str)):
        raise click.UsageError("--ask-model takes no SLOT, and a generation to compare.", ctx)
    if not isinstance(directory, str):
        ctx.exit(_on_responses(directory, wanted))
    if wanted.slots:
        raise click.UsageError("--workspace without DIR takes no SLOT.", ctx)
    ctx.exit(_on_workspace(wanted))


def _on_workspace(wanted: _Wanted) -> Exit:
    from dce.workspace.judging.checking import check_workspace  # noqa: PLC0415

    with open_workspace(Path()) as workspace:
        agree(workspace, is_yes=wanted.is_yes, may_ask=not wanted.is_json)
        report = asyncio.run(check_workspace(workspace, is_fresh=wanted.is_fresh))
    if wanted.is_json:
        say_json(report)
    else:
        print_base(report, is_verbose=wanted.is_verbose)
    return Exit.DONE if report.is_passed and not report.cannot_start else Exit.NO


def _on_responses(directory: Path, wanted: _Wanted) -> Exit:
    def tell(event: Event) -> None:
        if isinstance(event, ChecksFinished) and not wanted.is_json:
            say(f"[{event.slot:>2}] {checks_text(event)}")

    with open_workspace(directory) as workspace:
        generation = generation_of(workspace, wanted.generation_id)
        agree(workspace, is_yes=wanted.is_yes, may_ask=not wanted.is_json)
        if wanted.is_asking:
            asyncio.run(_ask(workspace, generation.id, is_yes=wanted.is_yes, is_json=wanted.is_json))
        reports, behaviour = asyncio.run(_judge(workspace, generation.id, wanted, tell))
    if wanted.is_json:
        say_json({str(slot): report for slot, report in (reports or {}).items()})
    else:
        _print_details(reports, is_verbose=wanted.is_verbose)
        if behaviour is not None:
            say(f"{behaviour.sentence} `dce board` ranks them and shows why.")
    passed = sum(report.is_passed for report in (reports or {}).values())
    is_well = passed == len(set(wanted.slots)) if wanted.slots else passed > 0 or (reports is None and bool(behaviour))
    return Exit.DONE if is_well else Exit.NO


async def _ask(workspace: Workspace, generation_id: int, *, is_yes: bool, is_json: bool) -> None:
    """Asks the generation's model for scripts, which the comparison then uses."""
    from dce.workspace.asking_scripts import ScriptAsking  # noqa: PLC0415

    asking = await asyncio.to_thread(ScriptAsking, workspace, generation_id)
    where = workspace.by_card(workspace.store.generations.get(generation_id).card)
    await with_consent(where, lambda: asyncio.to_thread(asking.check), is_yes=is_yes, is_json=is_json)
    scripts = await waited(asking.scripts(), "asking the model for scripts")
    checks = sum(script.kind == "check" for script in scripts)
    note(f"the model wrote {len(scripts) - checks} scripts and {checks} checks")


async def _judge(
    workspace: Workspace, generation_id: int, wanted: _Wanted, tell: Callable[[Event], None]
) -> tuple[dict[int, CheckReport] | None, BehaviourReport | None]:
    """The reports of the checks (None if the workspace has none), and the comparison of all responses unless some are named."""
    from dce.workspace.judging.behaving import compare_behaviour  # noqa: PLC0415
    from dce.workspace.judging.checking import check_responses  # noqa: PLC0415
    from dce.workspace.judging.checks_file import load_checks  # noqa: PLC0415

    slots, is_fresh = wanted.slots, wanted.is_fresh
    reports = None
    if slots or load_checks(workspace.project):
        reports = await check_responses(workspace, generation_id, slots or None, tell, is_fresh=is_fresh)
    return reports, None if slots else await compare_behaviour(workspace, generation_id, is_fresh=is_fresh)


def _print_details(reports: dict[int, CheckReport] | None, *, is_verbose: bool) -> None:
    if reports is None:
        note("this workspace has no checks: `dce checks init` proposes some; only how responses behave is compared")
        return
    if not reports:
        note("nothing to check: no finished response here contains files (`dce board`)")
        return
    for slots, report in _distinct(reports):
        if report.problem:
            say(f"[{slots}] no verdict: {report.problem}")
        for text in exam_words(report.test_changes, report.own):
            say(visible(f"[{slots}]   {text}"))
        for run in report.runs:
            _print_run(slots, run)
            if is_verbose and not run.ok and run.state != "not_run":
                say(f"\n[{slots}] {run.name}, exit {run.exit_code}:\n{run.output.rstrip()}")
    _note_where(reports)
    first = next(iter(reports.values()))
    for name in dict.fromkeys(name for report in reports.values() for name in report.telling_nothing):
        note(
            f"`{name}` fails without any response too, and no test runs, so it cannot tell what a response breaks: "
            "`dce run-checks --workspace` shows why"
        )
    for problem in first.cannot_start:
        note(f"cannot run here, with or without a response: {problem}")
    passed = sum(report.is_passed for report in reports.values())
    note(f"{passed} of {len(reports)} response{'s' * (len(reports) != 1)} pass every check")
    harmless = sum(report.breaks_nothing and not report.telling_nothing for report in reports.values()) - passed
    if harmless > 0:
        note(f"{harmless} more break{'s' * (harmless == 1)} nothing: what fails there fails without any response too")


def _note_where(reports: dict[int, CheckReport]) -> None:
    """Where the checks ran, unless it was in overlay lanes on this machine."""
    first = next(iter(reports.values()))
    if first.lane == "copy":
        note(f"the checks ran in plain copies, which contain nothing: {first.lane_why}")
    if first.on:
        count = len({report.node for report in reports.values() if report.node})
        note(f"the checks ran on {count} node{'s' * (count != 1)} of {first.on}")


def _distinct(reports: dict[int, CheckReport]) -> list[tuple[str, CheckReport]]:
    """Each report once, with the slots that share it."""
    found: list[tuple[list[int], CheckReport]] = []
    for slot, report in reports.items():
        same = next((slots for slots, other in found if other == report), None)
        if same is None:
            found.append(([slot], report))
        else:
            same.append(slot)
    return [(", ".join(f"{slot:>2}" for slot in slots), report) for slots, report in found]


def _print_run(slots: str, run: CheckRun) -> None:
    """What differs from the workspace without a response, by name."""
    is_unloaded = run.stop == "broken" and bool(run.missing)
    for word, names in (
        ("fails only here", run.newly_failing),
        ("missing", () if is_unloaded else run.missing),
        ("now passes", run.newly_passing),
        ("flaky, failed", run.flaky),
    ):
        for name in names[:MAX_NAMED]:
            say(f"[{slots}]   {run.name}: {word}: {name}")
        if len(names) > MAX_NAMED:
            say(f"[{slots}]   {run.name}: {word}: {len(names) - MAX_NAMED} more")
    if is_unloaded:
        say(f"[{slots}]   {run.name}: {len(run.missing)} tests are missing")
    if run.not_run:
        say(f"[{slots}]   {run.name}: {run.not_run} not run: the runner ended at the first failure")
    if run.note:
        say(f"[{slots}]   {run.name}: {run.note}")
