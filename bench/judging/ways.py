"""The ways of choosing that are compared."""

from collections.abc import Mapping

from bench.judging.choosing import (
    CRASHES,
    EXCEPTIONS,
    Way,
    by_chance,
    by_claims,
    by_class,
    by_dual_agreement,
    by_shows_something,
    by_strict_tests,
    by_support,
    by_tests,
    by_text,
    then,
)


def behaviours(kind: str) -> dict[str, Way]:
    """The ways that compare behaviour, on probes of this kind.

    *Largest class*: the answers that agree with most others on every probe. *Behaviour*: the share of answers that agree, averaged over the
    probes on which any two differ. *Shows something*: answers of which every probe raises or gives None come last. *Without
    crashes*, *without exceptions*: such an outcome has no support, however many share it.
    """
    return {
        "largest class": by_class(kind),
        "behaviour": by_support(kind),
        "shows something, largest class": then(by_shows_something(kind), by_class(kind)),
        "shows something, behaviour": then(by_shows_something(kind), by_support(kind)),
        "shows something, behaviour without crashes": then(by_shows_something(kind), by_support(kind, CRASHES)),
        "shows something, behaviour without exceptions": then(by_shows_something(kind), by_support(kind, EXCEPTIONS)),
    }


OWN: Mapping[str, Way] = {
    "random": by_chance,
    "same text most often": by_text,
    "tests": by_tests,
    "tests, then same text": then(by_tests, by_text),
    **behaviours("made"),
    **{f"tests, {name}": then(by_tests, way) for name, way in behaviours("made").items()},
}
"""On our own tasks. Probes are made without a model."""

BY_ORIGIN: Mapping[str, Way] = {
    f"tests, behaviour on {origin}": then(by_tests, by_support(origin))
    for origin in ("example", "edge", "pair", "sequence", "scale", "surface")
}

INPUTS: Mapping[str, str] = {"asserts": "inputs of the model's asserts", "made": "inputs made without a model"}

RECORDED: Mapping[str, Way] = {
    "random": by_chance,
    "same text most often": by_text,
    "most of the model's asserts passed": by_claims,
    "dual agreement": by_dual_agreement,
    "tests": by_tests,
    "tests, then same text": then(by_tests, by_text),
    "tests by the narrow reading": by_strict_tests,
    "tests by the narrow reading, then same text": then(by_strict_tests, by_text),
    **{
        f"{first}{name}, {what}": then(*before, way)
        for kind, what in INPUTS.items()
        for first, before in (("", ()), ("tests, ", (by_tests,)), ("tests by the narrow reading, ", (by_strict_tests,)))
        for name, way in behaviours(kind).items()
    },
}
