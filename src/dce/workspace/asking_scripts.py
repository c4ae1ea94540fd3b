"""Asks the model of a generation for short scripts that show how answers behave: one more request after the same prompt, so that the
server's prefix cache serves most of it.

What must always hold: it runs only when asked; what is sent passes the consent and secrets checks; the question and the whole answer are
stored before any of it is run; the scripts run where and as probes run, never here.
"""

import asyncio

from dce.wire.errors import DceError
from dce.workspace.judging.behaviour.asked import Script, question, scripts_in
from dce.workspace.judging.behaviour.languages import LANGUAGES
from dce.workspace.judging.behaviour_sources import sources_of
from dce.workspace.one_answer import one_answer
from dce.workspace.record.asked_scripts import AskedScripts
from dce.workspace.workspace import Workspace

MAX_SCRIPTS_TOKENS = 6_000
"""Most tokens of the answer: fourteen short scripts, and the thinking of a reasoning model before. A card's own limit, if smaller, applies."""


class ScriptAsking:
    """One request for scripts for a generation, to the model that answered it."""

    def __init__(self, workspace: Workspace, generation_id: int) -> None:
        """Reads files. Raises DceError not_found (no such generation), conflict if no answer changes a language that scripts can be in."""
        self._workspace = workspace
        self._generation = workspace.store.generations.get(generation_id)
        self._asked = workspace.by_card(self._generation.card)
        readings = [workspace.reading(generation_id, response.slot) for response in workspace.responses(generation_id)]
        changed = sources_of(workspace.project, readings)
        rows = [row for row in LANGUAGES if row.name in changed and row.fences]
        if not rows:
            raise DceError(
                "conflict",
                "a model can be asked for scripts only where answers change Python, JavaScript or TypeScript",
                hint="Run the checks without --ask-model; the board shows how the responses differ otherwise.",
            )
        self._question = question([row.name for row in rows], rows[0].fences[0])
        prompt = workspace.store.prompts.get(self._generation.prompt_sha256)
        self._prompt = f"{prompt.text}{self._question}"

    def check(self) -> None:
        """Checks that the request may be sent. Raises DceError consent_needed, secrets_found."""
        self._asked.sending.check(self._prompt)

    async def scripts(self) -> list[Script]:
        """Asks, stores what was said, and returns the scripts in it. Raises DceError if the request fails."""
        words, model = await one_answer(self._asked, self._prompt, MAX_SCRIPTS_TOKENS)
        said = AskedScripts(
            generation=self._generation.id,
            card=self._generation.card,
            model=model,
            question=self._question,
            said=words,
        )
        await asyncio.to_thread(self._workspace.store.asked_scripts.put, said, self._workspace.clock())
        return scripts_in(said.said)
