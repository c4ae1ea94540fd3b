"""The known name that a mistyped one was probably meant to be. Pure."""

import difflib
from collections.abc import Iterable

MODEL_CUTOFF = 0.4
"""Likeness (0 to 1) from which a model's name is suggested: people type a few letters of a long name."""


def nearest(name: str, known: Iterable[str], cutoff: float = 0.6) -> str:
    """The one of `known` most like `name`, at least as like as `cutoff`; "" if there is none."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1, cutoff=cutoff)), "")


def did_you_mean(name: str) -> str:
    """The sentence that suggests `name`, as `nearest` found it; "" for none."""
    return f"Did you mean {name!r}?" if name else ""


def advice(*sentences: str) -> str:
    """A hint of those sentences that are not empty."""
    return " ".join(filter(None, sentences))
