"""The judge: a model's advice on the responses at the top that nothing measured tells apart."""

import asyncio

import msgspec

from dce.panel.route import Call, Route
from dce.workspace.judge import Judge, Verdict
from dce.workspace.workspace import Workspace


class JudgeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The model card that judges; None: the setting `judge_card`, or the generation's own card."""

    card: str | None = None


async def ask_judge(call: Call) -> Verdict:
    """Asks about each pair in both orders; responds when all is said. Raises conflict if there is nothing to compare, and consent_needed or
    secrets_found before anything is sent."""
    request: JudgeRequest = call.body
    judge = await asyncio.to_thread(_judge, call.panel.workspace, call.path["generation"], request.card)
    return await judge.verdict()


def _judge(here: Workspace, generation_id: int, card: str | None) -> Judge:
    """A judge that may be sent what it needs. Blocks."""
    generation = here.store.generations.get(generation_id)
    judge = Judge(here, generation_id, (here.settings.judge_card or generation.card) if card is None else card)
    judge.check()
    return judge


ROUTES: tuple[Route, ...] = (
    Route(
        "POST",
        "/api/generations/{generation:int}/judge",
        ask_judge,
        takes=JudgeRequest,
        gives=Verdict,
        changes=("judgements",),
    ),
)
