"""Ways to choose one of ten answers, and how good each is: the share of the way from a random pick to the best possible one.

Every way gives each answer a key; the answers with the highest key are the choice, and its worth is the share of them that are
right. So chance never favours a way: a tie is worth its average.
"""

import json
import random
import statistics
from collections import Counter
from collections.abc import Callable, Container, Mapping, Sequence
from pathlib import Path

import msgspec

RESAMPLES = 4_000
SHOWS, NOTHING = "shows", "nothing"
CRASHES = frozenset(
    {
        *(
            "NameError",
            "UnboundLocalError",
            "TypeError",
            "AttributeError",
            "IndexError",
            "RecursionError",
            "ImportError",
        ),
        *(
            "ModuleNotFoundError",
            "SyntaxError",
            "IndentationError",
            "TabError",
            "timeout",
            "died",
            "not run",
            "MemoryError",
        ),
    }
)
"""Exceptions that hardly anybody raises on purpose, and outcomes that are no result."""


class _Exceptions(Container[str]):
    """Every outcome that is an exception or no result."""

    def __contains__(self, said: object) -> bool:
        return said not in (SHOWS, NOTHING)


EXCEPTIONS = _Exceptions()

INTERVAL = (0.025, 0.975)


class Judged(msgspec.Struct, frozen=True):
    """What is known of one answer. `probes`: by kind of probe ("asserts", "made"), the outcome of each probe ("" if not run).
    `strict_passed`: the tests that a narrower reading of examples finds too. `claims`: how often a model's tests made each of the
    claims that `probes["claims"]` checks."""

    is_right: bool
    text: str
    tests_passed: int
    tests: int
    probes: Mapping[str, Mapping[str, str]]
    strict_passed: int = 0
    claims: Mapping[str, int] = {}
    shown: Mapping[str, Mapping[str, str]] = {}
    """Like `probes`: the name of the exception, NOTHING for None or no result, SHOWS for anything else."""


Key = tuple[float, ...]
Way = Callable[[Sequence[Judged]], list[Key]]


def worth(way: Way, pool: Sequence[Judged]) -> float:
    """The share of right answers among those that this way puts first."""
    keys = way(pool)
    best = max(keys)
    return statistics.fmean(answer.is_right for answer, key in zip(pool, keys, strict=True) if key == best)


def pairs_right(way: Way, pool: Sequence[Judged]) -> tuple[float, int]:
    """Of all pairs of a right and a wrong answer, how many have the right one above (a tie counts a half), and how many there are."""
    keys = way(pool)
    right = [key for answer, key in zip(pool, keys, strict=True) if answer.is_right]
    wrong = [key for answer, key in zip(pool, keys, strict=True) if not answer.is_right]
    above = sum((one > other) + (one == other) / 2 for one in right for other in wrong)
    return above, len(right) * len(wrong)


def by_chance(pool: Sequence[Judged]) -> list[Key]:
    """All alike."""
    return [() for _ in pool]


def by_truth(pool: Sequence[Judged]) -> list[Key]:
    """The best possible."""
    return [(float(answer.is_right),) for answer in pool]


def by_tests(pool: Sequence[Judged]) -> list[Key]:
    """The visible tests that pass."""
    return [(answer.tests_passed,) for answer in pool]


def by_text(pool: Sequence[Judged]) -> list[Key]:
    """How many answers have the same text."""
    counted = Counter(answer.text for answer in pool)
    return [(counted[answer.text],) for answer in pool]


def by_class(kind: str) -> Way:
    """How many answers have the same outcome for every probe."""

    def way(pool: Sequence[Judged]) -> list[Key]:
        whole = [tuple(sorted(answer.probes.get(kind, {}).items())) for answer in pool]
        counted = Counter(whole)
        return [(counted[key],) for key in whole]

    return way


def by_strict_tests(pool: Sequence[Judged]) -> list[Key]:
    """The visible tests that a narrower reading finds."""
    return [(answer.strict_passed,) for answer in pool]


def by_claims(pool: Sequence[Judged]) -> list[Key]:
    """The claims of a model's own tests that hold, each as often as it was made."""
    return [(_claimed(answer),) for answer in pool]


def by_dual_agreement(pool: Sequence[Judged]) -> list[Key]:
    """CodeT: answers that satisfy the same claims are a group; its size times the claims that it satisfies."""
    groups = [
        tuple(sorted(name for name, said in answer.probes["claims"].items() if said == "holds")) for answer in pool
    ]
    counted = Counter(groups)
    return [(counted[group] ** 0.5 * _claimed(answer),) for group, answer in zip(groups, pool, strict=True)]


def _claimed(answer: Judged) -> float:
    return sum(answer.claims[name] for name, said in answer.probes["claims"].items() if said == "holds")


def by_shows_something(kind: str) -> Way:
    """Whether any probe shows more than an exception, the end of its process or None. A broken answer shows the same as other broken
    ones, so that they are many."""

    def way(pool: Sequence[Judged]) -> list[Key]:
        return [(float(not found or any(said == SHOWS for said in found.values())),) for found in _shown(pool, kind)]

    return way


def by_support(kind: str, silent: Container[str] = ()) -> Way:
    """The share of answers that agree, averaged over the probes on which any two differ. What is in `silent` (see `shown`) has no
    support."""

    def way(pool: Sequence[Judged]) -> list[Key]:
        totals, ran = [0.0] * len(pool), [0] * len(pool)
        shown = _shown(pool, kind)
        for probe in pool[0].probes.get(kind, ()):
            outcomes = [answer.probes[kind][probe] for answer in pool]
            counted = Counter(outcome for outcome in outcomes if outcome != "not run")
            if len(counted) > 1 and 2 * counted["unstable"] <= len(pool):
                for number, outcome in enumerate(outcomes):
                    ran[number] += outcome != "not run"
                    if not silent or shown[number].get(probe) not in silent:
                        totals[number] += counted[outcome] / counted.total()
        return [(round(total / count, 6) if count else 0.0,) for total, count in zip(totals, ran, strict=True)]

    return way


def _shown(pool: Sequence[Judged], kind: str) -> list[Mapping[str, str]]:
    return [answer.shown.get(kind, {}) for answer in pool]


def then(*ways: Way) -> Way:
    """The first way; where it ties, the next, which sees only the answers that the first puts equal."""

    def way(pool: Sequence[Judged]) -> list[Key]:
        keys: list[Key] = [() for _ in pool]
        for one in ways:
            groups: dict[Key, list[int]] = {}
            for number, key in enumerate(keys):
                groups.setdefault(key, []).append(number)
            for members in groups.values():
                for number, key in zip(members, one([pool[member] for member in members]), strict=True):
                    keys[number] = (*keys[number], *key)
        return keys

    return way


class Share(msgspec.Struct, frozen=True):
    """How often a way was right, the share of the gap that it closes, with the interval over tasks, and pairs in the right order."""

    right: float
    share: float
    low: float
    high: float
    pairs: float


def shares(
    pools: Mapping[str, Sequence[Sequence[Judged]]], ways: Mapping[str, Way], *, seed: int = 0
) -> dict[str, Share]:
    """Every way measured on the same pools. `pools`: by task, its draws. The interval is over tasks, drawn with replacement."""
    worths = {
        name: [statistics.fmean(worth(way, pool) for pool in draws) for draws in pools.values()]
        for name, way in {"chance": by_chance, "truth": by_truth, **ways}.items()
    }
    rng = random.Random(seed)
    count = len(pools)
    drawn = [[rng.randrange(count) for _ in range(count)] for _ in range(RESAMPLES)]
    out = {}
    for name, way in ways.items():
        resampled = sorted(
            _share(*(statistics.fmean(worths[key][at] for at in sample) for key in (name, "chance", "truth")))
            for sample in drawn
        )
        low, high = (resampled[int(end * (RESAMPLES - 1))] for end in INTERVAL)
        means = [statistics.fmean(worths[key]) for key in (name, "chance", "truth")]
        above, total = map(
            sum, zip(*(pairs_right(way, pool) for draws in pools.values() for pool in draws), strict=True)
        )
        out[name] = Share(means[0], _share(*means), low, high, above / total if total else 0.0)
    return out


def _share(value: float, chance: float, best: float) -> float:
    return (value - chance) / (best - chance) if best > chance else 0.0


def write_rows(path: Path, pools: Mapping[str, Sequence[Sequence[Judged]]], ways: Mapping[str, Way]) -> None:
    """JSON lines: the names of the columns, then for each task and draw how many answers are right and what each way was worth."""
    rows: list[list[object]] = [["task", "draw", "right", "of", *ways]]
    for name, draws in pools.items():
        for number, pool in enumerate(draws):
            worths = [round(worth(way, pool), 4) for way in ways.values()]
            rows.append([name, number, sum(answer.is_right for answer in pool), len(pool), *worths])
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), "utf-8")
