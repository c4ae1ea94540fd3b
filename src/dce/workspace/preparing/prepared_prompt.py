"""A prompt with its cost: what it takes of the model's context, and what to say when that is too much."""

from collections.abc import Sequence

import msgspec

from dce.wire.asking import ANY_MODEL
from dce.wire.errors import DceError
from dce.wire.nearest import MODEL_CUTOFF, advice, did_you_mean, nearest
from dce.workspace.context.tokens import Count
from dce.workspace.outbound.secrets import Finding
from dce.workspace.record.pictures import Picture
from dce.workspace.record.prompts import Prompt
from dce.workspace.schema.reading import PromptFile
from dce.workspace.tree.extract import problem_in

DEFAULT_OUTPUT_TOKENS = 4096
"""Tokens kept free for the answer when `max_tokens` is not set: room for a few whole files and some thinking."""

CHAT_TEMPLATE_TOKENS = 64
"""Tokens kept free for what the server's chat template puts around the prompt; real templates take 10 to 40."""

MAX_NAMED = 5
"""How many of the largest sections and files, and of the served models, a message names."""


class PreparedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt and its tokens. `counts` are of `prompt.sections`, in order; `total` of the whole text, exact if `is_exact`.

    `context`: the model's window in tokens; None if it is not known, for which `note` says why. `budget` is what is left for the
    prompt after `reserved` (answer and chat template). `findings`: secrets in it that nobody has allowed; they never go to another host.
    `files`: what M7 shows. `pictures` go along; what they are taken to cost is part of `reserved`.
    """

    cycle: int
    prompt: Prompt
    grammar: str | None
    counts: tuple[Count, ...]
    total: int
    is_exact: bool
    model: str
    context: int | None
    reserved: int
    note: str = ""
    findings: tuple[Finding, ...] = ()
    files: tuple[PromptFile, ...] = ()
    pictures: tuple[Picture, ...] = ()

    def __repr__(self) -> str:
        # asyncio writes a task's result into messages that nobody sees: that must not cost a second, nor show the text.
        return f"PreparedPrompt(cycle {self.cycle}, {self.prompt!r}, {self.total} tokens)"

    @property
    def budget(self) -> int | None:
        """Tokens the prompt may have; None if the context is not known."""
        return None if self.context is None else max(0, self.context - self.reserved)

    @property
    def unread(self) -> dict[str, str]:
        """The documents of which only a line stands in it that says why they could not be read: path → why."""
        extracts = (file for file in self.files if file.detail == "extract")
        return {file.path: problem for file in extracts if (problem := problem_in(file.path, file.text))}

    @property
    def is_over(self) -> bool:
        """Whether it has more."""
        return self.budget is not None and self.total > self.budget


def reserved_tokens(context: int | None, max_tokens: int | None) -> int:
    """What must stay free of a context window: the answer, and the chat template."""
    answer = max_tokens or (DEFAULT_OUTPUT_TOKENS if context is None else min(DEFAULT_OUTPUT_TOKENS, context // 4))
    return answer + CHAT_TEMPLATE_TOKENS


def too_long(prepared: PreparedPrompt, files: Sequence[tuple[str, int]]) -> DceError:
    """The refusal of a prompt that is over its budget; `files` are (path, tokens)."""
    sections = zip(prepared.prompt.sections, prepared.counts, strict=True)
    by_section = _largest([(section.name, count.tokens) for section, count in sections])
    return DceError(
        "prompt_too_long",
        f"the prompt has {prepared.total:,} tokens; {prepared.budget:,} fit: the context of {prepared.context:,}"
        f" less {prepared.reserved:,} for the answer. Largest sections: {by_section}. Largest files: {_largest(files)}",
    )


def check_served(wanted: str, served: Sequence[str]) -> None:
    """Raises DceError model_not_found for a model that is not among those served, naming the nearest of them."""
    if wanted in ANY_MODEL or wanted in served:
        return
    named = ", ".join(served[:MAX_NAMED]) + (", …" if len(served) > MAX_NAMED else "")
    raise DceError(
        "model_not_found",
        f"the gateway serves no model {wanted!r}; served: {named}",
        hint=advice(
            did_you_mean(nearest(wanted, served, MODEL_CUTOFF)),
            "Without --model (or the setting `model`) its default is used.",
        ),
    )


def shared_chars(text: str, other: str) -> int:
    """How many characters two texts have in common at their beginning. Halves what is left at each look: texts have megabytes."""
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _largest(items: Sequence[tuple[str, int]]) -> str:
    ranked = sorted(items, key=lambda item: -item[1])[:MAX_NAMED]
    return ", ".join(f"{name} {tokens:,}" for name, tokens in ranked) or "none"
