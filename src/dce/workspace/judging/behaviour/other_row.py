"""The row of all other languages: tests with other values in them, run by the project's own checks. It comes last in the table."""

import re
from collections.abc import Mapping, Sequence

from dce.workspace.judging.behaviour.language import Language, Place, Sources
from dce.workspace.judging.behaviour.mutated.making import make_probes
from dce.workspace.judging.behaviour.mutated.running import run_mutated
from dce.workspace.judging.behaviour.mutated.trees import suffixes
from dce.workspace.judging.behaviour.probe import Outcome, Probe

_TEST_NAME = re.compile(
    r"(?:.*/)?(?:(?:tests?|specs?|visible)|(?:test|spec)[-_.].*|.*[-_.](?:test|spec|tests)|.*(?:Test|Tests|Spec|IT))\.\w+"
)
_TEST_FOLDER = re.compile(r"(?:^|.*/)(?:tests?|specs?|__tests__)/.*")


def has_grammar(path: str) -> bool:
    """Whether a file is in a language whose literals can be found."""
    return path.endswith(suffixes())


def is_test(path: str) -> bool:
    """Whether a file is a test or lies among tests, by the names that are usual."""
    return has_grammar(path) and bool(_TEST_NAME.fullmatch(path) or _TEST_FOLDER.fullmatch(path))


def make(sources: Sources, seed: int) -> tuple[Probe, ...]:
    """The probes; none without tests that mention what the answers change."""
    return make_probes(sources.changed, sources.tests, seed)


async def run(place: Place, probes: Sequence[Probe]) -> Mapping[str, Outcome]:
    """The outcomes of the project's checks with each changed test laid over the answer."""
    return await run_mutated(place.lane, place.checks, probes, place.sources.changed)


OTHERS = Language(
    name="other languages",
    version=3,
    runs="your checks, with other values in the workspace's tests",
    speaks_for=has_grammar,
    is_test=is_test,
    make=make,
    run=run,
)
