"""`dce follow-up`: a new answer made from an earlier one: a reply, a repair, a fusion."""

import asyncio
from collections.abc import Awaitable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dce.cli.checks import agree
from dce.cli.checks_along import along, along_settings
from dce.cli.consent import sending_options, with_consent
from dce.cli.context import generation_of, generation_option, open_workspace
from dce.cli.exits import Exit
from dce.cli.output import note
from dce.cli.progress import View, open_view
from dce.cli.running import OnEvent, Run
from dce.cli.waiting import waited

if TYPE_CHECKING:
    from dce.workspace.follow_up import Ask, Round
    from dce.workspace.judging.checks_file import RunSettings
    from dce.workspace.record.generations import Generation
    from dce.workspace.record.responses import Response
    from dce.workspace.workspace import Workspace

MAX_ROUNDS = 10
"""The same as `workspace.follow_up.MAX_ROUNDS`, which `dce --help` should not import."""


class _Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """The options of the verb."""

    words: str
    is_failing: bool
    other: int | None
    rounds: int
    is_yes: bool
    is_json: bool


@click.command(name="follow-up")
@click.argument("slot", type=int)
@click.option("--message", "-m", "words", metavar="TEXT", default="", help="Your message to the model.")
@click.option(
    "--failing", "is_failing", is_flag=True, help="Send what the failing checks say, and check the new answer."
)
@click.option("--with", "other", metavar="OTHER", type=int, help="Fuse it with response OTHER.")
@click.option(
    "--rounds",
    type=click.IntRange(1, MAX_ROUNDS),
    default=1,
    show_default=True,
    help="With --failing: repair up to this many times, until an answer is repaired.",
)
@generation_option
@sending_options
@click.pass_context
def command(ctx: click.Context, /, slot: int, generation_id: int | None, directory: Path, **options: object) -> None:
    """Have the model make a new answer from one: a reply, a repair or a fusion.

    The model gets the same prompt, response SLOT as its own answer, and a message made of what you give: your words (-m), the output of
    the checks that fail with it (--failing), another answer (--with). The new answer is a complete one and becomes one more response of
    the same generation. It is read, checked and ranked like the others; the checks run on it if you have agreed to their commands. Ends
    with 1 if the new answer did not finish or, with --failing, if it is not repaired: it still breaks something or, where nothing was
    broken, a check still fails.
    """
    names = ("url", "key")
    wanted = msgspec.convert({name: value for name, value in options.items() if name not in names}, _Wanted)
    if not (wanted.words.strip() or wanted.is_failing or wanted.other is not None):
        raise click.UsageError("give -m TEXT, --failing or --with OTHER", ctx)
    if wanted.rounds > 1 and not wanted.is_failing:
        raise click.UsageError("--rounds needs --failing", ctx)
    from dce.workspace.follow_up import Ask  # noqa: PLC0415 - `dce --help` starts without it

    with open_workspace(directory, **{name: options[name] for name in names}) as workspace:
        generation = generation_of(workspace, generation_id)
        here = workspace.for_generation(generation.id)
        # A repair checks its answers itself, between its rounds.
        notes: list[str] = []  # told once the follow-up can begin
        settings = None if wanted.is_failing else along_settings(here, tell=notes.append)
        if wanted.is_failing:
            agree(here, is_yes=wanted.is_yes, may_ask=not wanted.is_json)
        ask = Ask(slot=slot, words=wanted.words, is_failing=wanted.is_failing, other=wanted.other)
        ctx.exit(asyncio.run(_follow_up(here, generation, ask, wanted, settings, notes)))


async def _follow_up(
    here: "Workspace",
    generation: "Generation",
    ask: "Ask",
    wanted: _Wanted,
    settings: "RunSettings | None",
    notes: Sequence[str],
) -> Exit:
    from dce.workspace.follow_up import begin, repair  # noqa: PLC0415

    with here.writer_lock("follow-up"):
        what = "preparing the follow-up" if not ask.is_failing else "running the checks"
        begun = await with_consent(
            here, lambda: waited(begin(here, generation.id, ask), what), is_yes=wanted.is_yes, is_json=wanted.is_json
        )
        for text in notes:
            note(text)
        runs: list[Exit] = []
        rounds: tuple[Round, ...] = ()
        with open_view(is_json=wanted.is_json) as view:

            async def run(response: "Response") -> bool:
                runs.append(await _run(here, response, view, settings))
                return runs[-1] is Exit.DONE

            if ask.is_failing:
                rounds = await repair(here, begun, ask, wanted.rounds, run, view.on_event)
            else:
                await run(begun)
    if runs[-1] is Exit.DONE and not wanted.is_json:
        _say_next(ask, begun, rounds)
    if runs[-1] is not Exit.DONE or not ask.is_failing:
        return runs[-1]
    return Exit.DONE if rounds[-1].is_repaired else Exit.NO


async def _run(here: "Workspace", response: "Response", view: View, settings: "RunSettings | None") -> Exit:
    generation = await asyncio.to_thread(here.store.generations.get, response.generation)

    def work(on_event: OnEvent) -> Awaitable[None]:
        return here.generator.follow_up(generation, response.slot, on_event)

    return await Run(here, generation, view, work, along(here, generation, settings, n=1)).to_end()


def _say_next(ask: "Ask", begun: "Response", rounds: "tuple[Round, ...]") -> None:
    slot = rounds[-1].slot if rounds else begun.slot
    if rounds and rounds[-1].is_repaired:
        note(f"response {slot} is repaired")
    elif rounds:
        times = f"{len(rounds)} rounds" if len(rounds) > 1 else "one round"
        note(f"not repaired after {times}: `dce run-checks {slot} --output` shows what fails")
    note(f"next: dce board; dce show {slot}; dce diff {slot} {ask.slot}; dce accept {slot}")
