"""Follow-ups: a new answer made from an earlier one and a message: the user's words, the output of failing checks, another answer.

What must always hold: the request is the generation's exact prompt, the answer and one message, so that a server's prefix cache has
most of it; nothing is stored for a follow-up that cannot begin; a follow-up is a complete answer to the same prompt, read, checked and
ranked like the others.
"""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec

from dce.wire.errors import DceError
from dce.workspace.events import Event
from dce.workspace.generating.conversations import turns_of
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checking import check_responses
from dce.workspace.judging.failing import badness, failing_runs, failing_text, is_repaired
from dce.workspace.record.follow_ups import FollowUp, Kind
from dce.workspace.record.generations import Generation
from dce.workspace.record.responses import ACTIVE, Response
from dce.workspace.workspace import Workspace

MAX_ROUNDS = 10
"""Most rounds of repair: an answer that ten did not mend is better asked again."""

MAX_WORDS_CHARS = 100_000
"""Longest message of the user: far more than anyone writes; a file belongs in the selection."""

WHOLE_AGAIN = """\
Answer again in full, in the same form as before and with every file that your change needs. The new answer replaces the one above: \
files and edits refer to the project as the prompt shows it, not to the answer above."""

REPAIR = """\
The project's checks ran on the answer above. This is what fails:

{failing}

Find the cause and correct the answer. What fails without the answer too counts only if the task asks for it. Do not weaken or remove tests."""

FUSE = """\
This is another answer to the same prompt:

<other_answer>
{other}
</other_answer>

Compare both and write one answer that has the better solution of each part and the faults of neither."""


class Ask(msgspec.Struct, frozen=True, kw_only=True):
    """What to make from response `slot`. `words`: the user's; `is_failing`: with the output of its failing checks; `other`: the slot of
    an answer to fuse it with. `version`: what the user saw; None: the latest."""

    slot: int
    words: str = ""
    is_failing: bool = False
    other: int | None = None
    version: int | None = None

    @property
    def kind(self) -> Kind:
        """What is made; an answer that is fused may have words and failing checks as well."""
        if self.other is not None:
            return "fuse"
        return "repair" if self.is_failing else "reply"


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round of repair: the slot of its answer, and what the checks say of it; None if it has no files or did not finish.

    `is_repaired`: it breaks nothing, or, if the answer that was to be repaired broke nothing either, every check passes.
    """

    slot: int
    report: CheckReport | None
    is_repaired: bool


async def begin(
    workspace: Workspace, generation_id: int, ask: Ask, on_event: Callable[[Event], None] | None = None
) -> Response:
    """Adds the queued response of a follow-up; `generator.follow_up` runs it. Hold the writer lock. With `is_failing`, the checks run first
    unless their verdict still holds; `on_event` is told of it.

    Raises DceError not_found, conflict (the answer is still running, was replaced, or passes every check), invalid_input (nothing to ask, or to
    make an answer from), what `check_responses` and `Preparation.check_turns` raise. After an error nothing was stored.
    """
    generation = await asyncio.to_thread(workspace.store.generations.get, generation_id)
    earlier, other = await asyncio.to_thread(_answers, workspace, generation, ask)
    report = await _failing(workspace, earlier, on_event) if ask.is_failing else None
    draft = FollowUp(
        generation=generation.id,
        slot=0,
        kind=ask.kind,
        from_slot=earlier.slot,
        from_version=earlier.version,
        other_slot=other.slot if other else 0,
        other_version=other.version if other else 0,
        request=await asyncio.to_thread(_request, workspace, ask.words.strip(), other, report),
    )
    turns = await asyncio.to_thread(turns_of, workspace.store, draft)
    await workspace.preparation.check_turns(generation, [turn.text for turn in turns])
    return await asyncio.to_thread(workspace.store.follow_ups.insert, draft, workspace.clock())


async def repair(
    workspace: Workspace,
    begun: Response,
    ask: Ask,
    rounds: int,
    run: Callable[[Response], Awaitable[bool]],
    on_event: Callable[[Event], None],
) -> tuple[Round, ...]:
    """Runs up to `rounds` rounds of repair, the first of which has `begun`, and stops at the first answer that is repaired.

    Each further round starts from the answer that is nearest to that so far. `run` generates a queued response and says whether it
    finished; a response that did not, or has no files, ends the repair. Raises what `begin` raises.
    """
    generation = begun.generation
    before = (await check_responses(workspace, generation, [ask.slot]))[ask.slot]
    best = (ask.slot, badness(before))
    done = list[Round]()
    response = begun
    while True:
        report = None
        if await run(response):
            report = (await check_responses(workspace, generation, [response.slot], on_event)).get(response.slot)
        is_done = report is not None and is_repaired(report, before)
        done.append(Round(slot=response.slot, report=report, is_repaired=is_done))
        if report is None or report.problem or is_done or len(done) == rounds:
            return tuple(done)
        if badness(report) <= best[1]:
            best = (response.slot, badness(report))
        ask = msgspec.structs.replace(ask, slot=best[0], version=None, other=None)
        response = await begin(workspace, generation, ask, on_event)


def _answers(workspace: Workspace, generation: Generation, ask: Ask) -> tuple[Response, Response | None]:
    """The answer to start from, and the one to fuse it with."""
    if not (ask.words.strip() or ask.is_failing or ask.other is not None):
        raise DceError("invalid_input", "a follow-up needs words, failing checks or another answer")
    if len(ask.words) > MAX_WORDS_CHARS:
        raise DceError("invalid_input", f"the message has {len(ask.words):,} characters; at most {MAX_WORDS_CHARS:,}")
    earlier = _answer(workspace, generation.id, ask.slot)
    if ask.version not in (None, earlier.version):
        raise DceError(
            "conflict",
            f"response {ask.slot} has a newer version, {earlier.version}",
            hint="Read that version, then decide again.",
        )
    if ask.other == ask.slot:
        raise DceError("invalid_input", f"response {ask.slot} cannot be fused with itself: name another one")
    return earlier, None if ask.other is None else _answer(workspace, generation.id, ask.other)


def _answer(workspace: Workspace, generation_id: int, slot: int) -> Response:
    """The latest version of a response, if a follow-up can use it."""
    response = workspace.store.responses.get(generation_id, slot)
    what = f"response {slot} of generation {generation_id}"
    if response.status in ACTIVE:
        raise DceError("conflict", f"{what} is still {response.status}", hint="Wait for it, or stop it: `dce stop`.")
    if not response.text.strip():
        raise DceError("invalid_input", f"{what} has no text to start from", hint="Regenerate it: `dce regenerate`.")
    return response


async def _failing(workspace: Workspace, earlier: Response, on_event: Callable[[Event], None] | None) -> CheckReport:
    """What the checks say of the answer now."""
    reports = await check_responses(workspace, earlier.generation, [earlier.slot], on_event)
    what = f"response {earlier.slot} of generation {earlier.generation}"
    report = reports.get(earlier.slot)
    if report is None:
        raise DceError("invalid_input", f"{what} has no files, so no checks run on it", hint="Reply to it: -m TEXT.")
    if report.problem:
        raise DceError("conflict", f"the checks gave no verdict on {what}: {report.problem}")
    if not failing_runs(report):
        raise DceError(
            "conflict",
            f"nothing fails with {what}",
            hint="Say what to change: `dce follow-up SLOT -m TEXT`.",
        )
    return report


def _request(workspace: Workspace, words: str, other: Response | None, report: CheckReport | None) -> str:
    """The message after the answer, as the secrets policy lets it be sent."""
    hide_in = workspace.sending.hide_in
    parts = []
    if report is not None:
        parts.append(REPAIR.format(failing=hide_in(failing_text(report, str(workspace.project.root)))))
    if other is not None:
        # As the model wrote it: it has placeholders already, and `check_turns` refuses a secret put into it by hand.
        parts.append(FUSE.format(other=other.text.strip()))
    parts += [hide_in(words)] * bool(words)
    return "\n\n".join([*parts, WHOLE_AGAIN])
