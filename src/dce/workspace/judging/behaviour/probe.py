"""A probe: a few lines of Python that show how an answer behaves, and what came of running them."""

import hashlib
import re
from collections.abc import Sequence
from typing import Literal

import msgspec

Origin = Literal["example", "edge", "pair", "sequence", "scale", "surface", "asked", "derived"]
"""Where a probe comes from: a visible test or example as it stands; one value changed; several values changed; calls added, dropped or
reordered; long inputs; a function that no visible test calls. `asked`: a script that a model wrote when asked; `derived`: a check that it
derived from the cycle's text."""

Kind = Literal["value", "raised", "timeout", "died", "unstable", "not run"]
"""How a probe ended. `died`: its process ended by itself. `unstable`: two runs gave different results. `not run`: the answer's time
was used up."""

_RECORDED = re.compile(r"__record__\((.*)\)$", re.MULTILINE)

MAX_LABEL = 100
"""Longest label, in characters: it is the head of a row in a table."""


class Snippet(msgspec.Struct, frozen=True, kw_only=True):
    """Source that a probe is made from. `header`: imports and definitions; `steps`: one statement or expression each."""

    header: tuple[str, ...]
    steps: tuple[str, ...]


class Probe(msgspec.Struct, frozen=True, kw_only=True):
    """A snippet to run. `label` is the short form that people read. The value of a step that is an expression is recorded."""

    id: str
    label: str
    origin: Origin
    header: tuple[str, ...]
    steps: tuple[str, ...]


class Outcome(msgspec.Struct, frozen=True, kw_only=True):
    """What a probe showed of one answer. `text` holds everything that is compared; `shown` is the last value, for people."""

    kind: Kind
    text: str
    shown: str
    cpu_s: float = 0.0


def make_probe(snippet: Snippet, origin: Origin, label: str = "") -> Probe:
    """A probe whose id depends on its source only, so that the same probe has the same id in every run."""
    source = "\n".join((*snippet.header, "---", *snippet.steps))
    return Probe(
        id=hashlib.sha256(source.encode()).hexdigest()[:12],
        label=_shortened(label or _label(snippet.steps)),
        origin=origin,
        header=snippet.header,
        steps=snippet.steps,
    )


def _label(steps: Sequence[str]) -> str:
    """The steps on one line, without what only records or defines."""
    shown = [step for step in steps if not step.startswith(("def ", "async def ", "self = __"))]
    return "; ".join(" ".join(_RECORDED.sub(r"\1", step).split()) for step in shown)


def _shortened(label: str) -> str:
    return label if len(label) <= MAX_LABEL else f"{label[: MAX_LABEL // 2]} … {label[-MAX_LABEL // 2 + 3 :]}"
