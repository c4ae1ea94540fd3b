"""`dce judge`: a model's advice on the responses at the top that the board cannot tell apart."""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.board import judge_text
from dce.cli.consent import sending_options, with_consent
from dce.cli.context import GENERATION, generation_of, open_workspace
from dce.cli.output import note, say, say_json
from dce.cli.waiting import waited

if TYPE_CHECKING:
    from dce.workspace.judge import Verdict
    from dce.workspace.record.comparisons import Why
    from dce.workspace.workspace import Workspace

_UNSURE: "dict[Why, str]" = {
    "order": "its answer depends on the order",
    "even": "it finds them equal",
    "unclear": "it gave no clear verdict",
    "failed": "a request failed",
}


@click.command(name="judge")
@click.argument("generation_id", metavar="[GENERATION]", type=GENERATION, required=False)
@click.option(
    "--card", metavar="NAME", help="The model card of the judge (default: the setting judge_card, or the generation's)."
)
@sending_options
def command(
    generation_id: int | None, card: str | None, is_yes: bool, is_json: bool, directory: Path, **flags: object
) -> None:
    """Ask a model which of the responses at the top is best, each pair in both orders.

    Compares only responses that the board cannot tell from the one ranked first, at most four: up to twelve requests, sent only when you
    ask. A preference that changes with the order counts as unsure. The result is advice: it stands beside the rank and never changes it.
    """
    with open_workspace(directory, **flags) as workspace:
        generation = generation_of(workspace, generation_id)
        chosen = workspace.settings.judge_card or generation.card if card is None else card
        verdict = asyncio.run(_judged(workspace, generation.id, chosen, is_yes=is_yes, is_json=is_json))
    if is_json:
        say_json(verdict)
        return
    for each in verdict.comparisons:
        pair = f"{each.slot} and {each.other}"
        say(f"{pair}: {each.winner} is better" if each.winner else f"{pair}: unsure, {_UNSURE[each.why]}")
    say(judge_text(verdict.judged))
    note("this is advice: it does not change the rank")


async def _judged(workspace: "Workspace", generation_id: int, card: str, *, is_yes: bool, is_json: bool) -> "Verdict":
    from dce.workspace.judge import Judge  # noqa: PLC0415 - `dce --help` starts without it

    judge = await asyncio.to_thread(Judge, workspace, generation_id, card)
    where = workspace.by_card(card)
    await with_consent(where, lambda: asyncio.to_thread(judge.check), is_yes=is_yes, is_json=is_json)
    return await waited(judge.verdict(), "asking the judge")
