"""The ways of choosing that are compared."""

from collections.abc import Mapping

from bench.judging.choosing import (
    Way,
    by_chance,
    by_claims,
    by_class,
    by_dual_agreement,
    by_strict_tests,
    by_support,
    by_tests,
    by_text,
    then,
)

OWN: Mapping[str, Way] = {
    "random": by_chance,
    "same text most often": by_text,
    "tests": by_tests,
    "tests, then same text": then(by_tests, by_text),
    "largest class": by_class("made"),
    "behaviour": by_support("made"),
    "tests, then largest class": then(by_tests, by_class("made")),
    "tests, then behaviour": then(by_tests, by_support("made")),
}
"""*Largest class*: the answers that agree with most others on every probe. *Behaviour*: the share of answers that agree, averaged
over the probes. Probes are made without a model."""

BY_ORIGIN: Mapping[str, Way] = {
    f"tests, then behaviour on {origin}": then(by_tests, by_support(origin))
    for origin in ("example", "edge", "pair", "sequence", "scale", "surface")
}

RECORDED: Mapping[str, Way] = {
    "random": by_chance,
    "same text most often": by_text,
    "tests": by_tests,
    "tests, then same text": then(by_tests, by_text),
    "tests by the narrow reading": by_strict_tests,
    "tests by the narrow reading, then same text": then(by_strict_tests, by_text),
    "most of the model's asserts passed": by_claims,
    "dual agreement": by_dual_agreement,
    "tests by the narrow reading, then largest class, inputs of the model's asserts": then(
        by_strict_tests, by_class("asserts")
    ),
    "tests by the narrow reading, then behaviour, inputs of the model's asserts": then(
        by_strict_tests, by_support("asserts")
    ),
    **{
        f"{first}{name}, {what}": then(*before, way(kind))
        for kind, what in (("asserts", "inputs of the model's asserts"), ("made", "inputs made without a model"))
        for first, before in (("", ()), ("tests, then ", (by_tests,)))
        for name, way in (("largest class", by_class), ("behaviour", by_support))
    },
}
