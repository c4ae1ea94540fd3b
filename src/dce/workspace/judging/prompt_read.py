"""Whether the server read the whole prompt. Some cut a prompt that is longer than the context they were started with, and answer the rest
without a word; only their own count of the prompt's tokens shows it. Pure.
"""

import msgspec

MIN_MISSING_TOKENS = 64
"""A smaller difference is a chat template, or a tokenizer of another version."""

ESTIMATE_ERROR = 0.25
"""An estimate is within 15 % for most texts, and never counts as more than this share too high."""

FLAG = "prompt_cut"


class PromptRead(msgspec.Struct, frozen=True, kw_only=True):
    """A prompt that the server read only in part: the tokens that it `read`, and those that were `sent` (estimated unless `is_exact`)."""

    read: int
    sent: int
    is_exact: bool

    def describe(self) -> str:
        """In one line."""
        return f"the server read {self.read:,} of {'' if self.is_exact else '≈'}{self.sent:,} tokens of the prompt"


def prompt_read(read: int | None, sent: int, *, is_exact: bool) -> PromptRead | None:
    """The part of a prompt that was read, if it is less than half. None if it is more, or if nobody knows. `read`: as the server counted;
    `is_exact`: whether `sent` was counted by the model's own tokenizer."""
    least = sent if is_exact else int(sent * (1 - ESTIMATE_ERROR))
    is_cut = read is not None and read > 0 and 2 * read < least and least - read >= MIN_MISSING_TOKENS
    return PromptRead(read=read or 0, sent=sent, is_exact=is_exact) if is_cut else None
