"""What an answer does to the tests, in sentences. Pure."""

from collections.abc import Sequence

from dce.workspace.judging.check_report import OwnTests
from dce.workspace.judging.exam.test_change import WORST_FIRST, Kind, TestChange

MAX_NAMED = 3
"""How many files or tests a sentence names."""

_VERBS: dict[Kind, str] = {"weakened": "weakens tests", "changed": "changes tests", "added": "adds tests"}


def exam_words(changes: Sequence[TestChange], own: OwnTests | None) -> list[str]:
    """One sentence for each thing to know, the worst first; none for an answer that leaves the tests alone."""
    said = []
    for kind in WORST_FIRST:
        files = [f"{change.path} ({change.why})" for change in changes if change.kind == kind]
        said += [f"{_VERBS[kind]}: {_some(files)}"] if files else []
    if own is None:
        return said
    if own.problem:
        said.append(f"its own version of the tests gives no verdict: {own.problem}")
    if own.not_run:
        said.append(f"its own version leaves out {own.not_run} test{'s' * (own.not_run != 1)} of the workspace")
    if own.contradicted:
        said.append(
            f"contradicts the workspace's {_some(own.contradicted)}, and passes its own version: it is wrong, or the cycle asks for"
            " different behaviour"
        )
    if own.gained:
        said.append(
            f"passes {_some(own.gained)} in its own version only: either it bends the test, or the test itself was wrong"
        )
    if own.failures:
        said.append(f"fails in its own version of the tests only: {_some(own.failures)}")
    return said


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
