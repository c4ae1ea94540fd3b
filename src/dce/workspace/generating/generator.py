"""Runs generations and follow-ups, regenerates slots and stops them.

What must always hold: when `run` ends, all its slots are terminal; a regenerated slot gets the next version and the same messages,
and keeps its older versions; a stop goes through the gateway, so that it works from any process.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.events import Event, GenerationStarted
from dce.workspace.generating.continuing import ContinuingProvider, continuable
from dce.workspace.generating.conversations import Turns, by_conversation, first_slot, turns_before
from dce.workspace.generating.generation_run import GenerationRun, Sleep
from dce.workspace.generating.live_response import LiveResponse
from dce.workspace.generating.provider import GenerationRequest, Provider
from dce.workspace.generating.sampling import slot_seed, slot_temperature
from dce.workspace.record.estimate import ESTIMATOR, estimate
from dce.workspace.record.generations import Generation
from dce.workspace.record.progress import StreamTarget
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.responses import Response, Status
from dce.workspace.record.store import Store


class Generator:
    """Runs generations of one workspace; several may run at the same time."""

    def __init__(
        self, store: Store, provider: Provider, clock: Callable[[], float], sleep: Sleep = asyncio.sleep
    ) -> None:
        self._store = store
        self._provider = provider
        self._clock = clock
        self._sleep = sleep
        self._runs: set[GenerationRun] = set()

    async def run(
        self, generation: Generation, on_event: Callable[[Event], None], slots: Sequence[int] | None = None
    ) -> None:
        """Runs all slots of a new generation, or regenerates `slots`; returns when all have ended, in whatever status.

        Raises DceError not_found or invalid_input for slots that do not exist and conflict for slots that are running, before
        anything begins. A failed request does not raise: it becomes the error of every slot. Cancellation stops the
        backend and leaves the slots `stopped`, with the text that has arrived.
        """
        claims = await asyncio.to_thread(self._claim, generation.id, slots)
        try:
            async with asyncio.TaskGroup() as runs:
                for request, responses in claims:
                    lives = [LiveResponse(response, estimate) for response in responses]
                    runs.create_task(self._execute(generation, self._provider, request, lives, on_event))
        except BaseExceptionGroup as group:
            raise group.exceptions[0] from None

    async def follow_up(self, generation: Generation, slot: int, on_event: Callable[[Event], None]) -> None:
        """Runs the queued follow-up in a slot. Returns and raises like `run`; conflict if it has already run."""
        request, response = await asyncio.to_thread(self._claim_follow_up, generation.id, slot)
        await self._execute(generation, self._provider, request, [LiveResponse(response, estimate)], on_event)

    async def continue_response(self, generation: Generation, slot: int, on_event: Callable[[Event], None]) -> None:
        """Continues a cut response as its next version, which begins with the existing text.

        Raises DceError like `run`, and before anything begins for a response that is complete or has no text to continue from.
        """
        request, response, earlier = await asyncio.to_thread(self._claim_cut, generation.id, slot)
        provider = ContinuingProvider(self._provider, earlier)
        live = LiveResponse(response, estimate, earlier)
        await self._execute(generation, provider, request, [live], on_event)

    async def _execute(
        self,
        generation: Generation,
        provider: Provider,
        request: GenerationRequest,
        lives: Sequence[LiveResponse],
        on_event: Callable[[Event], None],
    ) -> None:
        is_exact = await asyncio.to_thread(
            self._store.token_counts.is_counted, generation.prompt_sha256, generation.prompt_tokens, ESTIMATOR
        )
        started = GenerationStarted(
            generation=generation.id,
            cycle=generation.cycle,
            n=generation.n,
            slots=tuple(live.slot for live in lives),
            model=generation.model,
            max_tokens=generation.max_tokens,
            prompt_tokens=generation.prompt_tokens,
            prompt_is_exact=is_exact,
        )
        run = GenerationRun(self._store, provider, request, lives, on_event, self._clock, self._sleep)
        self._runs.add(run)
        try:
            await run.execute(started)
        finally:
            self._runs.discard(run)

    async def stop(self, generation_id: int, slot: int | None = None) -> None:
        """Stops one slot (None: all running ones). Raises DceError not_found if none is running."""
        targets = await asyncio.to_thread(self._running, generation_id, slot)
        waiting = [target for target in targets if not target.stream_id]
        for target in waiting:
            runs = [run for run in self._runs if run.generation_id == generation_id]
            if not any(run.stop_on_open(target.slot) for run in runs):
                raise DceError("conflict", f"response {target.slot} has not reached the gateway yet; try again")
        index = None if slot is None else targets[0].index
        for stream_id in sorted({target.stream_id for target in targets if target.stream_id}):
            try:
                await self._provider.stop(stream_id, index)
            except DceError as error:
                if error.code != "conflict":
                    raise
                # Another process has the connections: its run checks for stop requests once a second.
                await asyncio.to_thread(self._store.stop_requests.leave, stream_id, index)

    def _claim(
        self, generation_id: int, slots: Sequence[int] | None
    ) -> list[tuple[GenerationRequest, Sequence[Response]]]:
        """The requests of a run, each with the queued responses it fills: one, unless follow-ups are regenerated too."""
        generation = self._store.generations.get(generation_id)
        prompt = self._prompt_of(generation)
        responses: Sequence[Response]
        if slots is None:
            responses = self._store.responses.latest(generation_id)
            if any(response.status is not Status.QUEUED for response in responses):
                raise DceError("conflict", f"generation {generation_id} has already run", hint="Regenerate its slots.")
        else:
            if not slots or len(set(slots)) != len(slots):
                raise DceError("invalid_input", f"each slot to regenerate must be named once: {list(slots)}")
            responses = self._store.responses.insert_versions(generation_id, slots)
        groups = by_conversation(self._store, generation_id, responses)
        return [(self._request(generation, prompt, found, turns), found) for turns, found in groups]

    def _claim_follow_up(self, generation_id: int, slot: int) -> tuple[GenerationRequest, Response]:
        """The request of a follow-up and the queued response it fills."""
        generation = self._store.generations.get(generation_id)
        response = self._store.responses.get(generation_id, slot)
        turns = turns_before(self._store, generation_id, slot)
        if response.status is not Status.QUEUED or not turns:
            raise DceError(
                "conflict", f"response {slot} of generation {generation_id} has already run", hint="Regenerate it."
            )
        return self._request(generation, self._prompt_of(generation), [response], turns), response

    def _claim_cut(self, generation_id: int, slot: int) -> tuple[GenerationRequest, Response, Response]:
        """The request that continues a cut response, the queued version it fills, and the version it continues."""
        generation = self._store.generations.get(generation_id)
        prompt = self._prompt_of(generation)
        earlier = continuable(self._store, generation_id, slot)
        response = self._store.responses.insert_continued(earlier)
        # A grammar describes a complete answer: it would force the continuation to begin like one.
        turns = turns_before(self._store, generation_id, slot)
        request = msgspec.structs.replace(self._request(generation, prompt, [response], turns), grammar=None)
        return request, response, earlier

    def _prompt_of(self, generation: Generation) -> Prompt:
        prompt = self._store.prompts.get(generation.prompt_sha256)
        if not prompt.text:
            raise DceError(
                "invalid_input",
                f"the prompt of generation {generation.id} is missing: the tool it was imported from did not keep it",
                hint="Start a new generation: dce generate.",
            )
        return prompt

    def _request(
        self, generation: Generation, prompt: Prompt, responses: Sequence[Response], turns: Turns
    ) -> GenerationRequest:
        asked = max(1, generation.n - len(self._store.follow_ups.of(generation.id)))
        firsts = [first_slot(self._store, generation.id, response.slot) for response in responses]
        seeds = tuple(slot_seed(generation.seed, response.slot, response.version) for response in responses)
        return GenerationRequest(
            prompt=prompt.text,
            turns=turns,
            n=len(responses),
            model=generation.model or None,
            max_tokens=generation.max_tokens or None,
            temperature=generation.temperature,
            # A gateway gives choice i its own seed, counted from this one; a follow-up is the only choice of its request.
            seed=seeds[0] if turns else generation.seed,
            temperatures=tuple(
                slot_temperature(generation.temperature, generation.temperature_spread, slot, asked) for slot in firsts
            ),
            seeds=seeds,
            reasoning_effort=generation.reasoning_effort,
            grammar=self._store.prompts.grammar(generation.prompt_sha256),
            pictures=self._store.pictures.of(generation.prompt_sha256),
        )

    def _running(self, generation_id: int, slot: int | None) -> Sequence[StreamTarget]:
        self._store.generations.get(generation_id)
        status = "" if slot is None else f" (it is {self._store.responses.get(generation_id, slot).status})"
        targets = self._store.progress.targets(generation_id, slot)
        if not targets:
            what = f"generation {generation_id}" if slot is None else f"response {slot} of generation {generation_id}"
            raise DceError("not_found", f"{what} is not running{status}")
        return targets
