"""Calls with more or fewer arguments, and calls that are given what another one gave.

An option that no test gives, and a function that is asked again with its own result, are where answers that pass the same tests differ.
"""

import random
from collections.abc import Iterator, Mapping, Sequence

from dce.workspace.judging.behaviour.javascript.calls import hoisted, literal_arguments, with_arguments
from dce.workspace.judging.behaviour.javascript.exports import Function, Parameter
from dce.workspace.judging.behaviour.javascript.made_up import made_up_words
from dce.workspace.judging.behaviour.javascript.reshaping import Known
from dce.workspace.judging.behaviour.javascript.varying import changed
from dce.workspace.judging.behaviour.probe import Snippet

MAX_COUNTS = 24
"""Maximum calls with another number of arguments, for one call."""

MAX_HANDED_ON = 240
"""Maximum calls that are given a result."""

CHANGED_SHARE = 0.8
"""How often the first of two calls gets another value."""

Steps = tuple[str, ...]


def other_counts(
    call: str,
    functions: Mapping[str, Function],
    seen: Mapping[str, Sequence[str]],
    rng: random.Random,
    known: Known,
) -> Iterator[Steps]:
    """The call with arguments that no test gives it, above all options; with one too many; with the last one left out."""
    given = literal_arguments(call)
    function = functions.get(call.split("(", 1)[0].rsplit(".", maxsplit=1)[-1])
    if given is None:
        return
    words = [text for text, _ in given]
    missing = function.parameters[len(words) :] if function is not None else ()
    if missing:
        for _ in range(MAX_COUNTS):
            added = [_argument(parameter, seen, rng, known) for parameter in missing[: rng.randint(1, len(missing))]]
            base = changed(call, rng, CHANGED_SHARE, known)
            varied = [text for text, _ in literal_arguments(base) or given]
            yield hoisted(with_arguments(call, [*varied, *added]))
    if words:
        yield hoisted(with_arguments(call, words[:-1]))
    yield hoisted(with_arguments(call, [*words, *(["undefined"] if missing else ["7"])]))


def handed_on(single: Sequence[Snippet], rng: random.Random, known: Known) -> Iterator[Snippet]:
    """Calls whose first argument is what a call gave: of the same function again, and of the other ones that tests call with it."""
    calls = [snippet for snippet in single if literal_arguments(snippet.steps[-1])]
    for _ in range(MAX_HANDED_ON if calls else 0):
        one = rng.choice(calls)
        like = [other for other in calls if other.header == one.header]
        other = one if rng.random() < 0.6 else rng.choice(like)
        first = changed(one.steps[-1], rng, CHANGED_SHARE, known)
        rest = [text for text, _ in literal_arguments(other.steps[-1]) or ()][1:]
        second = with_arguments(other.steps[-1], ["first", *rest])
        third = with_arguments(other.steps[-1], ["second", *rest])
        steps = (f"var first = {first}", f"var second = {second}", "__record__(second)", f"__record__({third})")
        yield Snippet(header=one.header, steps=(*one.steps[:-1], *steps))


def _argument(parameter: Parameter, seen: Mapping[str, Sequence[str]], rng: random.Random, known: Known) -> str:
    """Source of a value for a parameter: options for what is taken apart or has such a name, otherwise what is made up for it."""
    options = known.dictionary.options
    names = [name for name, _ in parameter.keys]
    if names or (parameter.name in {"options", "opts", "config", "settings", "params", "props"} and options):
        chosen = rng.sample(names, rng.randint(1, len(names))) if names else []
        pairs = dict.fromkeys(chosen, "")
        if not names or rng.random() < 0.15:
            added = known.dictionary.option(rng)
            pairs |= {added[0]: added[1]} if added else {}
        written = [f"{name}: {text or rng.choice(options.get(name) or ('1',))}" for name, text in pairs.items()]
        return f"{{ {', '.join(written)} }}"
    alone = Function("f", "f", (Parameter(parameter.name, parameter.kind, parameter.default, False, parameter.keys),))
    return rng.choice(made_up_words(alone, seen) or ["undefined"])
