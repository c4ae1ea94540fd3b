"""What a prompt costs: its tokens by section, the model's context window, and the tokens reserved for the answer."""

import asyncio
from collections.abc import Sequence

import msgspec

from dce.wire.asking import ANY_MODEL
from dce.workspace.context.pictures import TOKENS_EACH
from dce.workspace.context.prompt import PromptInput, whole_files
from dce.workspace.context.served_model import Model
from dce.workspace.context.tokenizer_file import FileTokenizer
from dce.workspace.context.tokens import Count, TokenCounter
from dce.workspace.outbound.sending import Sending
from dce.workspace.preparing.prepared_prompt import PreparedPrompt, reserved_tokens
from dce.workspace.record.generations import Generation
from dce.workspace.record.pictures import Picture
from dce.workspace.record.prompts import Prompt
from dce.workspace.schema import find_schema
from dce.workspace.settings import Settings


class Room(msgspec.Struct, frozen=True, kw_only=True):
    """How much of a context a conversation takes, in tokens; `reserved` for the answer. `is_exact`: the model's own tokenizer counted."""

    total: int
    is_exact: bool
    context: int
    reserved: int

    @property
    def is_over(self) -> bool:
        """Whether it does not fit."""
        return self.total > self.context - self.reserved


class Pricing:
    """Prices prompts. `tokenizer`: the local tokenizer that `counter` uses, if there is one."""

    def __init__(
        self, settings: Settings, counter: TokenCounter, tokenizer: FileTokenizer | None, sending: Sending
    ) -> None:
        self._settings = settings
        self._counter = counter
        self._tokenizer = tokenizer
        self._sending = sending

    async def priced(
        self,
        inputs: PromptInput,
        prompt: Prompt,
        pictures: tuple[Picture, ...],
        models: Sequence[Model],
        note: str = "",
    ) -> PreparedPrompt:
        """The prompt with its cost for one of the served `models`. `note`: why the list is empty."""
        if self._tokenizer is not None:
            await self._tokenizer.prepare()
            note = " ".join(filter(None, (note, self._tokenizer.problem)))
        total, counts = await self._counted(prompt)
        wanted = self._settings.model
        model = next((model for model in models if (wanted or "") in {*ANY_MODEL, model.id}), None)
        context = self._settings.context or (model.max_model_len if model else None)
        if not note and context is None:
            note = f"the context size of {wanted or 'the model'} is unknown: the server does not report it"
        return PreparedPrompt(
            cycle=inputs.cycle.id,
            prompt=prompt,
            grammar=find_schema(inputs.schema).grammar(prompt.nonce, whole_files(inputs.files)),
            counts=tuple(counts),
            total=total.tokens,
            is_exact=total.exact,
            model=model.id if model else wanted or "",
            context=context,
            reserved=reserved_tokens(context, self._settings.max_tokens) + TOKENS_EACH * len(pictures),
            note=note,
            findings=await asyncio.to_thread(self._sending.findings, inputs),
            files=inputs.files,
            pictures=pictures,
        )

    async def by_file(self, inputs: PromptInput) -> list[tuple[str, int]]:
        """The token count of each file, as (path, tokens)."""
        counts = await self._counter.count([file.text for file in inputs.files])
        return [(file.path, count.tokens) for file, count in zip(inputs.files, counts, strict=True)]

    async def room(
        self, prompt: Prompt, texts: Sequence[str], pictures: int, models: Sequence[Model], generation: Generation
    ) -> Room | None:
        """What a conversation of a generation's prompt and further `texts` takes of its model's context; None if that is unknown."""
        if self._tokenizer is not None:
            await self._tokenizer.prepare()
        model = next((model for model in models if generation.model in {*ANY_MODEL, model.id}), None)
        context = self._settings.context or (model.max_model_len if model else None)
        if context is None:
            return None
        counts = await self._counter.count([prompt.text, *texts], first_sha256=prompt.sha256)
        return Room(
            total=sum(count.tokens for count in counts),
            is_exact=all(count.exact for count in counts),
            context=context,
            reserved=reserved_tokens(context, generation.max_tokens) + TOKENS_EACH * pictures,
        )

    async def _counted(self, prompt: Prompt) -> tuple[Count, list[Count]]:
        """The tokens of the whole prompt and of its sections. They add up: the largest section gets the remainder.

        Counting it too would cost as much as all the others, and tokens merged across section borders would spoil the sum.
        """
        largest = max(prompt.sections, key=lambda section: section.end - section.start)
        others = [prompt.text[section.start : section.end] for section in prompt.sections if section is not largest]
        total, *counts = await self._counter.count([prompt.text, *others], first_sha256=prompt.sha256)
        rest = total.tokens - sum(count.tokens for count in counts)
        is_exact = total.exact and all(count.exact for count in counts)
        counts.insert(prompt.sections.index(largest), Count(tokens=max(rest, 0), exact=is_exact))
        return total, counts
