"""Finds the known name that a mistyped one probably meant. Pure."""

import difflib
from collections.abc import Iterable

MODEL_CUTOFF = 0.4
"""Minimum similarity (0 to 1) for suggesting a model name: people type a few letters of a long name."""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The name in `known` most similar to `name`, with at least the similarity `cutoff`; "" if there is none."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), "")


def did_you_mean(name: str) -> str:
    """The sentence that suggests `name`, a result of `nearest`; "" for none."""
    return f"Did you mean {name!r}?" if name else ""


def advice(*sentences: str) -> str:
    """A hint made of the non-empty sentences."""
    return " ".join(filter(None, sentences))
