"""Prepares a generation for a cycle: validate, build the prompt, check the budget, write .dce/prompt.md, then create the rows.

What must always hold: the bytes written to .dce/prompt.md are the bytes stored and sent; nothing is stored for a generation that
cannot begin (bad input, over budget, gateway unreachable).
"""

import asyncio
from collections.abc import Callable, Sequence
from typing import Protocol

from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.workspace.context.prompt import PromptInput, build
from dce.workspace.context.served_model import Model
from dce.workspace.outbound.sending import Sending
from dce.workspace.preparing.inputs import Inputs
from dce.workspace.preparing.prepared_prompt import PreparedPrompt, check_served, shared_chars, too_long
from dce.workspace.preparing.pricing import Pricing
from dce.workspace.preparing.prompt_file import PromptOnDisk
from dce.workspace.record.backups import Backups
from dce.workspace.record.generations import Generation
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.store import Store
from dce.workspace.settings import Settings


class Server(Protocol):
    """What preparation needs from the model server."""

    async def models(self) -> list[Model]:
        """The served models, the default first. Raises DceError."""


class Storage(Protocol):
    """Where a prepared generation is stored."""

    @property
    def store(self) -> Store:
        """The workspace's store."""

    @property
    def backups(self) -> Backups:
        """The store's backups."""

    @property
    def prompt_file(self) -> PromptOnDisk:
        """The workspace's .dce/prompt.md."""

    @property
    def clock(self) -> Callable[[], float]:
        """Seconds since the epoch."""


class Preparation:
    """Prepares the prompts of a workspace under one set of settings."""

    def __init__(
        self,
        settings: Settings,
        inputs: Inputs,
        pricing: Pricing,
        sending: Sending,
        server: Server,
        storage: Storage,
    ) -> None:
        self._settings = settings
        self.inputs = inputs
        self._pricing = pricing
        self._sending = sending
        self._server = server
        self._storage = storage

    async def build(self, cycle_id: int) -> PreparedPrompt:
        """The prompt of a cycle as it would be sent now, with its cost. Without a gateway the counts are estimates.

        Raises DceError not_found (no such cycle), invalid_input (a selected file cannot be included; an unknown schema).
        """
        inputs = await asyncio.to_thread(self.inputs.of, cycle_id)
        try:
            return await self._priced(inputs, await self._server.models())
        except DceError as error:
            if error.code in {"not_found", "invalid_input"}:
                raise
            return await self._priced(inputs, [], note=error.message)

    async def begin(self, cycle_id: int, n: int) -> Generation:
        """Creates a generation with N queued responses and writes its prompt to .dce/prompt.md; `generator.run` starts it. Hold the writer lock.

        Raises like `build`, and also connection errors such as gateway_unreachable, no_healthy_backend, model_not_found,
        prompt_too_long, secrets_found, consent_needed. After an error nothing was stored or written.
        """
        if not 1 <= n <= MAX_RESPONSES:
            raise DceError("invalid_input", f"{n} responses requested; choose 1 to {MAX_RESPONSES}")
        inputs = await asyncio.to_thread(self.inputs.of, cycle_id)
        # Without consent, refuse here and name what would be sent: not even the list of models is requested first.
        if not await asyncio.to_thread(lambda: self._sending.is_agreed):
            await self._clear(inputs, await asyncio.to_thread(build, inputs))
        models = await self._server.models()
        if not models:
            raise DceError("no_healthy_backend", "the gateway serves no model")
        if self._settings.provider == "gateway":  # other servers may accept model names that they do not list
            check_served(self._settings.model or "", [model.id for model in models])
        prepared = await self._priced(inputs, models)
        # An estimate can be off by a third, so an estimated excess is left to the model server to refuse.
        if prepared.is_over and prepared.is_exact:
            raise too_long(prepared, await self._pricing.by_file(inputs))
        await self._clear(inputs, prepared.prompt)
        return await asyncio.to_thread(self._keep, prepared, n)

    async def check_turns(self, generation: Generation, texts: Sequence[str]) -> None:
        """Checks that `texts` may be sent after a generation's prompt and that the model's context holds them.

        Raises DceError invalid_input (the prompt is missing), secrets_found, consent_needed, prompt_too_long, no_healthy_backend and
        connection errors.
        """
        store = self._storage.store
        prompt = await asyncio.to_thread(store.prompts.get, generation.prompt_sha256)
        if not prompt.text:
            raise DceError(
                "invalid_input",
                f"the prompt of generation {generation.id} is missing: the tool it was imported from did not keep it",
                hint="Start a new generation: dce generate.",
            )
        await asyncio.to_thread(self._sending.check_after, prompt.text, texts)
        models = await self._server.models()
        if not models:
            raise DceError("no_healthy_backend", "the gateway serves no model")
        pictures = len(await asyncio.to_thread(store.pictures.of, generation.prompt_sha256))
        room = await self._pricing.room(prompt, texts, pictures, models, generation)
        if room is not None and room.is_over and room.is_exact:
            raise DceError(
                "prompt_too_long",
                f"the prompt, the answer and the follow-up have {room.total:,} tokens; {room.context - room.reserved:,} fit:"
                f" the context of {room.context:,} less {room.reserved:,} for the new answer",
                hint="Start a new cycle from the answer instead: accept it, then `dce cycle new` with fewer files.",
            )

    def shared_tokens(self, prepared: PreparedPrompt) -> int | None:
        """Estimated number of leading tokens shared with the last prompt, which the server may still have cached.

        None if no prompt was sent yet.
        """
        store = self._storage.store
        last = store.generations.latest()
        before = store.prompts.get(last.prompt_sha256).text if last else ""
        text = prepared.prompt.text
        return prepared.total * shared_chars(text, before) // len(text) if before else None

    async def _clear(self, inputs: PromptInput, prompt: Prompt) -> None:
        """Raises secrets_found or consent_needed if the prompt may not be sent."""
        pictures = await asyncio.to_thread(self.inputs.pictures, inputs)
        size = sum(len(picture.content) for picture in pictures)
        await asyncio.to_thread(self._sending.clear, inputs, prompt.text, size)

    async def _priced(self, inputs: PromptInput, models: Sequence[Model], note: str = "") -> PreparedPrompt:
        prompt = await asyncio.to_thread(build, inputs)
        pictures = await asyncio.to_thread(self.inputs.pictures, inputs)
        return await self._pricing.priced(inputs, prompt, pictures, models, note)

    def _keep(self, prepared: PreparedPrompt, n: int) -> Generation:
        """Writes .dce/prompt.md first: a prompt file without a generation is harmless, a generation without its prompt file is not."""
        store, settings = self._storage.store, self._settings
        self._storage.backups.roll()
        self._storage.prompt_file.write(prepared.prompt)
        now = self._storage.clock()
        store.prompts.put(prepared.prompt, prepared.grammar, now)
        store.pictures.put(prepared.prompt.sha256, prepared.pictures)
        return store.generations.insert(
            Generation(
                id=0,
                cycle=prepared.cycle,
                prompt_sha256=prepared.prompt.sha256,
                model=settings.model or "",
                n=n,
                schema=prepared.prompt.schema,
                nonce=prepared.prompt.nonce,
                max_tokens=settings.max_tokens or 0,
                temperature=settings.temperature,
                temperature_spread=settings.temperature_spread,
                seed=settings.seed,
                card=settings.card,
                reasoning_effort=settings.reasoning_effort,
                created_at=now,
                prompt_tokens=prepared.total,
            )
        )
