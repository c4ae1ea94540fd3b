"""The judge: asks a model which of two answers is better, for the answers at the top that the board cannot tell apart.

What must always hold: it runs only when asked; each pair is asked in both orders; what is sent passes the consent and secrets checks of the
judge's own host; all comparisons are stored together or none is.
"""

import asyncio
from collections.abc import Mapping

import msgspec

from dce.wire.errors import DceError
from dce.workspace.judging.board import candidates
from dce.workspace.judging.compare import unified_diff
from dce.workspace.judging.judged import Judged, judged, preferred
from dce.workspace.judging.pairwise import Said, pairs_of, question, settled, top_class, verdict_in
from dce.workspace.judging.ranking import ranked
from dce.workspace.one_answer import one_answer
from dce.workspace.record.comparisons import Comparison
from dce.workspace.workspace import Workspace

MAX_AT_ONCE = 4
"""Requests to the judge at the same time."""

MAX_VERDICT_TOKENS = 2_000
"""Most tokens of a verdict: a reasoning model thinks before its 120 words. A card's own limit, if smaller, applies."""

TASK_SECTIONS = ("M4", "M6")
"""The sections of the prompt that say what is wanted: the project scope and the cycles."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the judge said. `preferred`: the slot that beats every other one; None: it is unsure. `slots`: those compared, best rank first."""

    card: str
    model: str
    slots: tuple[int, ...]
    preferred: int | None
    judged: Mapping[int, Judged]
    comparisons: tuple[Comparison, ...]


class Judge:
    """One judging of a generation by a model card ("": the settings' own model)."""

    def __init__(self, workspace: Workspace, generation_id: int, card: str) -> None:
        """Raises DceError not_found (no such generation or card); conflict if there is nothing to compare."""
        self._workspace = workspace
        self._generation = workspace.store.generations.get(generation_id)
        self._judge = workspace.by_card(card)
        self._model = self._judge.settings.model or ""
        self.card = card
        self.slots = top_class(ranked(candidates(workspace, generation_id)))
        if len(self.slots) < 2:
            raise DceError(
                "conflict",
                "there is nothing to compare: "
                + (
                    "what was measured tells the best response from all others"
                    if self.slots
                    else "no response has files that can be read"
                ),
                hint="`dce board` shows how the responses differ already.",
            )
        self._versions = {slot: workspace.store.responses.get(generation_id, slot).version for slot in self.slots}
        self._questions = self._written()

    def check(self) -> None:
        """Checks that everything may be sent to the judge's host. Raises DceError consent_needed, secrets_found."""
        for text in self._questions.values():
            self._judge.sending.check(text)

    async def verdict(self) -> Verdict:
        """Asks about every pair in both orders, and stores what was said. Raises the first error if no request succeeds."""
        gate = asyncio.Semaphore(MAX_AT_ONCE)
        keys = tuple(self._questions)
        replies = await asyncio.gather(*(self._asked(self._questions[key], gate) for key in keys))
        said = dict(zip(keys, replies, strict=True))
        errors = [reply for reply in replies if isinstance(reply, DceError)]
        if len(errors) == len(replies):
            raise errors[0]
        model = self._model
        comparisons = tuple(self._comparison(first, second, said, model) for first, second in pairs_of(self.slots))
        await asyncio.to_thread(self._workspace.store.comparisons.put, comparisons, self._workspace.clock())
        found = judged(comparisons)
        return Verdict(
            card=self.card,
            model=model,
            slots=self.slots,
            preferred=preferred(found),
            judged=found,
            comparisons=comparisons,
        )

    def _written(self) -> dict[tuple[int, int], str]:
        """The question for each pair in both orders, as (answer A, answer B)."""
        prompt = self._workspace.store.prompts.get(self._generation.prompt_sha256)
        sections = {section.name: prompt.text[section.start : section.end].strip() for section in prompt.sections}
        hide_in = self._judge.sending.hide_in
        task = "\n\n".join(sections[name] for name in TASK_SECTIONS if name in sections)
        changes = {slot: hide_in(self._changes(slot)) for slot in self.slots}
        return {
            (first, second): question(task, changes[first], changes[second])
            for pair in pairs_of(self.slots)
            for first, second in (pair, pair[::-1])
        }

    def _changes(self, slot: int) -> str:
        """What an answer does to the files that the prompt showed."""
        shown = self._workspace.shown(self._generation.id)
        parts = []
        for block in self._workspace.reading(self._generation.id, slot).files:
            before = shown(block.from_path or block.path) or ""
            if block.from_path:
                parts.append(f"rename {block.from_path} to {block.path}")
            if block.action in ("delete", "mode"):
                parts.append(f"{block.action} {block.path}")
            elif block.action == "write":
                diff = unified_diff(before, block.content, block.path)
                parts.append(diff or f"{block.path}: no changes")
        return "\n".join(parts)

    async def _asked(self, text: str, gate: asyncio.Semaphore) -> str | DceError:
        """The judge's words, or why there are none."""
        try:
            async with gate:
                words, model = await one_answer(self._judge, text, MAX_VERDICT_TOKENS)
        except DceError as error:
            return error
        self._model = model or self._model
        return words.strip()

    def _comparison(
        self, first: int, second: int, said: Mapping[tuple[int, int], str | DceError], model: str
    ) -> Comparison:
        replies = said[first, second], said[second, first]
        texts = tuple(reply.message if isinstance(reply, DceError) else reply for reply in replies)
        verdicts: tuple[Said, ...] = tuple(verdict_in(reply) if isinstance(reply, str) else "" for reply in replies)
        which, why = settled(verdicts[0], verdicts[1])
        has_failed = any(isinstance(reply, DceError) for reply in replies)
        return Comparison(
            generation=self._generation.id,
            slot=first,
            version=self._versions[first],
            other=second,
            other_version=self._versions[second],
            card=self.card,
            model=model,
            winner={"first": first, "second": second, "": 0}[which],
            why="failed" if has_failed else why,
            said=texts[0],
            said_swapped=texts[1],
        )
