"""A prompt with its cost: how much of the model's context it uses, and the error when that is too much."""

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
"""Tokens reserved for the answer when `max_tokens` is not set: room for a few whole files and some thinking."""

CHAT_TEMPLATE_TOKENS = 64
"""Tokens reserved for the server's chat template around the prompt; real templates take 10 to 40."""

MAX_NAMED = 5
"""Maximum sections, files and served models that a message names."""


class GuessedEncoding(msgspec.Struct, frozen=True, kw_only=True):
    """A file whose encoding is only guessed. `is_doubtful`: the guess may well be wrong, and the text in the prompt garbled."""

    path: str
    encoding: str
    is_doubtful: bool


class PreparedPrompt(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt and its tokens. `counts` follow the order of `prompt.sections`; `total` counts the whole text, exactly if `is_exact`.

    `context`: the model's window in tokens; None if it is unknown, and `note` says why. `budget` is what remains for the
    prompt after `reserved` (answer and chat template). `findings`: secrets in it that nobody has allowed; they never go to another host.
    `files`: the files in the prompt. `pictures` are sent with it; their estimated cost is part of `reserved`.
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
        # asyncio formats task results in debug messages: that must be cheap and must not show the text.
        return f"PreparedPrompt(cycle {self.cycle}, {self.prompt!r}, {self.total} tokens)"

    @property
    def budget(self) -> int | None:
        """Tokens the prompt may have; None if the context is unknown."""
        return None if self.context is None else max(0, self.context - self.reserved)

    @property
    def unread(self) -> dict[str, str]:
        """The documents that could not be read, for which the prompt has only a line with the reason: path → reason."""
        extracts = (file for file in self.files if file.detail == "extract")
        return {file.path: problem for file in extracts if (problem := problem_in(file.path, file.text))}

    @property
    def guessed(self) -> tuple[GuessedEncoding, ...]:
        """The files whose encoding is only guessed."""
        return tuple(
            GuessedEncoding(path=file.path, encoding=file.guess, is_doubtful=file.is_doubtful)
            for file in self.files
            if file.guess
        )

    @property
    def is_over(self) -> bool:
        """Whether the prompt exceeds its budget."""
        return self.budget is not None and self.total > self.budget


def reserved_tokens(context: int | None, max_tokens: int | None) -> int:
    """Tokens of the context reserved for the answer and the chat template."""
    answer = max_tokens or (DEFAULT_OUTPUT_TOKENS if context is None else min(DEFAULT_OUTPUT_TOKENS, context // 4))
    return answer + CHAT_TEMPLATE_TOKENS


def too_long(prepared: PreparedPrompt, files: Sequence[tuple[str, int]]) -> DceError:
    """The error for a prompt over its budget; `files` are (path, tokens)."""
    sections = zip(prepared.prompt.sections, prepared.counts, strict=True)
    by_section = _largest([(section.name, count.tokens) for section, count in sections])
    return DceError(
        "prompt_too_long",
        f"the prompt has {prepared.total:,} tokens; {prepared.budget:,} fit: the context of {prepared.context:,}"
        f" less {prepared.reserved:,} for the answer. Largest sections: {by_section}. Largest files: {_largest(files)}",
    )


def check_served(wanted: str, served: Sequence[str]) -> None:
    """Raises DceError model_not_found if the model is not served, and suggests the nearest name that is."""
    if wanted in ANY_MODEL or wanted in served:
        return
    named = ", ".join(served[:MAX_NAMED]) + (", …" if len(served) > MAX_NAMED else "")
    raise DceError(
        "model_not_found",
        f"the gateway serves no model {wanted!r}; served: {named}",
        hint=advice(
            did_you_mean(nearest(wanted, served, MODEL_CUTOFF)),
            "Omit --model (and the setting `model`) to use the gateway's default.",
        ),
    )


def shared_chars(text: str, other: str) -> int:
    """Length of the common prefix of two texts, in characters. A binary search, because texts can have megabytes."""
    low, high = 0, min(len(text), len(other))
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if text[low:middle] == other[low:middle] else (low, middle - 1)
    return low


def _largest(items: Sequence[tuple[str, int]]) -> str:
    ranked = sorted(items, key=lambda item: -item[1])[:MAX_NAMED]
    return ", ".join(f"{name} {tokens:,}" for name, tokens in ranked) or "none"
