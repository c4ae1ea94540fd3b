"""What a row of the table of languages is: the files it speaks for, how it makes probes, and how it runs them.

A new language is a new row (`languages.py`), never a condition somewhere else: what compares answers knows only this module, the label
and id of a probe, and the text of an outcome.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.probe import Outcome, Probe, Snippet
from dce.workspace.judging.behaviour.running import Limits
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Lane

MAX_WHY = 200
"""Longest reason why nothing runs, in characters."""


class Sources(msgspec.Struct, frozen=True, kw_only=True):
    """What the probes of one language are made from. Paths are relative to the workspace's root, with `/`.

    `changed`: each file that some answer changes and the row speaks for, tests left out, with its versions: the workspace's text first
    ("" if it is new), then the different texts that the answers give it ("" if one deletes it). `tests`: the texts of the workspace's
    own test files, by path; no answer's. `documents`: likewise the other files that the row reads. `paths`: every listed file of the workspace. `asked`: what the cycle asks for, in
    the curator's words.
    """

    changed: Mapping[str, Sequence[str]]
    tests: Mapping[str, str]
    documents: Mapping[str, str] = {}
    paths: frozenset[str] = frozenset()
    asked: str = ""


class Place(msgspec.Struct, frozen=True, kw_only=True):
    """Where and how probes run: a fresh lane with one answer in it (or the workspace as it is), open for this language alone.

    `checks`: the project's own, for a row that uses their commands; there may be none.
    """

    lane: Lane
    sources: Sources
    checks: tuple[Check, ...] = ()
    limits: Limits = Limits()


class Language(msgspec.Struct, frozen=True, kw_only=True):
    """A row. `version` counts changes of what its probes are and how they run: results of another one are not shown as current.

    `speaks_for` and `is_test` are asked with paths; the first row that speaks for a changed file has it. `make` is given a seed and must
    be deterministic; it runs nothing. `run` gives an outcome for each probe, by id, and may raise nothing but what lanes raise; where nothing can run
    here it gives `none_run`. `runs`: what runs, in a few words, for the user who is asked to agree. `is_document`: which other files of the
    workspace hold examples, or say what the tests mean. `fences`: words for a fence with a script in this language, the plainest first;
    `script`: a script as a snippet that `run` can run, None if it cannot be parsed.
    """

    name: str
    version: int
    runs: str
    speaks_for: Callable[[str], bool]
    is_test: Callable[[str], bool]
    make: Callable[[Sources, int], Sequence[Probe]]
    run: Callable[[Place, Sequence[Probe]], Awaitable[Mapping[str, Outcome]]]
    is_document: Callable[[str], bool] = lambda _: False
    fences: tuple[str, ...] = ()
    script: Callable[[str], Snippet | None] = lambda _: None


def none_run(probes: Sequence[Probe], why: str) -> dict[str, Outcome]:
    """The outcomes where nothing can run: they say nothing about any answer, and show why."""
    return {probe.id: Outcome(kind="not run", text="not run", shown=why[:MAX_WHY]) for probe in probes}
