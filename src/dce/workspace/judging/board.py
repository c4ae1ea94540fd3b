"""The board: a generation's responses side by side, ranked by measurable facts.

Invariants: the rank is a pure function of the store and the workspace, the same for every reader; a response that could not be
parsed never ranks above one that could.
"""

from collections.abc import Sequence

import msgspec

from dce.workspace.judging.always.looking import Looking
from dce.workspace.judging.always.problem import FLAGS as PROBLEM_FLAGS
from dce.workspace.judging.always.problem import Problem
from dce.workspace.judging.behaviour_keys import with_behaviour
from dce.workspace.judging.check_report import CheckReport, OwnTests
from dce.workspace.judging.checks_file import readable_checks
from dce.workspace.judging.compare import FileChange, changes, cluster
from dce.workspace.judging.exam.exam_of import exam_of
from dce.workspace.judging.exam.test_change import TestChange
from dce.workspace.judging.judged import Judged, judged
from dce.workspace.judging.lanes.lane import Limit
from dce.workspace.judging.opened import Workspace
from dce.workspace.judging.prompt_read import FLAG as PROMPT_CUT
from dce.workspace.judging.prompt_read import PromptRead, prompt_read
from dce.workspace.judging.ranking import Candidate, ranked
from dce.workspace.judging.reasons import Evidence, evidence, why
from dce.workspace.judging.report_keys import Current, Stale
from dce.workspace.project import Project
from dce.workspace.record.estimate import ESTIMATOR
from dce.workspace.record.follow_ups import MadeFrom
from dce.workspace.record.prompts import ManifestEntry
from dce.workspace.record.responses import Response, Status, Tokens
from dce.workspace.schema.reading import Parse, Reading
from dce.workspace.schema.second_look import DOUBTS
from dce.workspace.tree.current import CurrentFiles

NO_VERDICT = "no_verdict"
CHANGES_TESTS = "changes_tests"
FLAKY = "flaky"
LIMIT_HIT = "limit_hit"

FLAGS = (
    "truncated",
    PROMPT_CUT,
    NO_VERDICT,
    "elision",
    "missing_files",
    "outside_workspace",
    "touches_secrets",
    "secret_moved",
    "runs_by_itself",
    "sets_policy",
    "ambiguous_block",
    "stale_base",
    "unapplied_edit",
    *PROBLEM_FLAGS,
    CHANGES_TESTS,
    FLAKY,
    LIMIT_HIT,
    *DOUBTS,
)
"""The flags of a row, in display order."""


class ChecksCount(msgspec.Struct, frozen=True, kw_only=True):
    """The result of a response's checks, counted in tests, compared with the workspace without any response.

    `gained`: tests that pass only with it. `fails_anyway`: what fails would fail without it too. `flaky`: tests that failed and are
    known to fail now and then. `stale`: what has changed since the checks ran. All of these are by the workspace's tests; `own`: what the
    answer's own version of them says, if it has one. `limits`: limits that a check hit.
    """

    passed: int
    failed: int
    new_failures: int
    gained: int = 0
    fails_anyway: bool = False
    flaky: tuple[str, ...] = ()
    stale: Stale = ""
    own: OwnTests | None = None
    limits: tuple[Limit, ...] = ()


class BoardRow(msgspec.Struct, frozen=True, kw_only=True):
    """One response. Times are in seconds; `checks` is None until they have run; `cluster` is "" without files; `rank` 1 is best;
    `prompt_read`: set if the server read only a part of the prompt; `made_from`: set for a follow-up; `judged`: what a judge said, which
    does not change the rank. `test_changes`: what it does to the tests and their configuration; `problems`: what does not parse, which
    imports lead nowhere, which secrets are in the code.

    `why`: why it has its rank, in a sentence. `evidence`: what it shows on the probes on which answers differ. `class`: the letter of the answers that
    behave alike; "" until they are compared. `is_stale`: something has changed since it was checked or compared. `accepted`: its files are in
    the workspace.
    """

    slot: int
    status: Status
    tokens: Tokens
    ttft_s: float | None
    tokens_per_s: float | None
    elapsed_s: float | None
    parse: Parse
    files: tuple[FileChange, ...]
    checks: ChecksCount | None
    cluster: str
    rank: int
    flags: tuple[str, ...]
    prompt_read: PromptRead | None = None
    made_from: MadeFrom | None = None
    judged: Judged | None = None
    test_changes: tuple[TestChange, ...] = ()
    problems: tuple[Problem, ...] = ()
    why: str = ""
    evidence: tuple[Evidence, ...] = ()
    class_: str = msgspec.field(default="", name="class")
    is_stale: bool = False
    accepted: bool = False


def board(workspace: Workspace, generation_id: int) -> list[BoardRow]:
    """The latest version of each response, best first, in the order of `ranking.py`. Raises DceError not_found."""
    ordered = ranked(candidates(workspace, generation_id))
    now = workspace.clock()
    said = judged(workspace.store.comparisons.latest(generation_id))
    return [
        msgspec.structs.replace(_row(candidate, rank, now, ordered), judged=said.get(candidate.slot))
        for rank, candidate in enumerate(ordered, start=1)
    ]


def candidates(workspace: Workspace, generation_id: int, current: Current | None = None) -> list[Candidate]:
    """What is known of the latest version of each response, in the order of their slots. Raises DceError not_found."""
    manifest = _manifest(workspace, generation_id)
    responses = workspace.responses(generation_id)
    readings = {response.slot: workspace.reading(generation_id, response.slot) for response in responses}
    keyed = workspace.store.check_reports.keyed(generation_id, CheckReport)
    reports = {slot: report for slot, (report, _) in keyed.items()}
    current = current or Current(workspace.project)
    letters = cluster(readings, manifest)
    checks = readable_checks(workspace.project)
    files = CurrentFiles(workspace.project)
    looking = Looking(workspace.project, files)
    sent, is_exact = _prompt_size(workspace, generation_id)
    follow_ups = workspace.store.follow_ups.of(generation_id)
    accepted = {
        (row.slot, row.version)
        for row in workspace.store.acceptances.list("applied")
        if row.generation == generation_id
    }
    found = [
        Candidate(
            response=response,
            reading=readings[response.slot],
            changes=_changes(workspace.project, readings[response.slot], manifest, files),
            report=_verdict(reports.get(response.slot)),
            has_no_verdict=response.slot in reports and bool(reports[response.slot].problem),
            stale=current.why_stale(keyed[response.slot][1], readings[response.slot]) if response.slot in keyed else "",
            cluster=letters[response.slot],
            prompt_read=prompt_read(response.prompt_tokens, sent, is_exact=is_exact),
            test_changes=exam_of(workspace.project, readings[response.slot], checks).changes,
            problems=looking.problems(readings[response.slot]),
            made_from=follow_ups[response.slot].made_from if response.slot in follow_ups else None,
            is_checked=bool(reports),
            is_accepted=(response.slot, response.version) in accepted,
        )
        for response in responses
    ]
    return with_behaviour(workspace, generation_id, found, current)


def _verdict(report: CheckReport | None) -> CheckReport | None:
    """The report, if it is a verdict on the answer."""
    return None if report is None or report.problem else report


def prompt_cut(workspace: Workspace, response: Response) -> PromptRead | None:
    """What the server read of a response's prompt, if it read only a part of it. Raises DceError not_found."""
    sent, is_exact = _prompt_size(workspace, response.generation)
    return prompt_read(response.prompt_tokens, sent, is_exact=is_exact)


def _prompt_size(workspace: Workspace, generation_id: int) -> tuple[int, bool]:
    """The tokens of a generation's prompt, and whether the model's own tokenizer counted them."""
    generation = workspace.store.generations.get(generation_id)
    tokens, sha256 = generation.prompt_tokens, generation.prompt_sha256
    return tokens, workspace.store.token_counts.is_counted(sha256, tokens, ESTIMATOR)


def _manifest(workspace: Workspace, generation_id: int) -> tuple[ManifestEntry, ...]:
    generation = workspace.store.generations.get(generation_id)
    return workspace.store.prompts.get(generation.prompt_sha256).manifest


def _changes(
    project: Project, reading: Reading, manifest: Sequence[ManifestEntry], files: CurrentFiles
) -> tuple[FileChange, ...]:
    """The actual changes: files repeated unchanged are left out."""
    return tuple(change for change in changes(project, reading, manifest, files) if change.change != "same")


def _row(candidate: Candidate, rank: int, now: float, everybody: Sequence[Candidate]) -> BoardRow:
    response, report = candidate.response, candidate.report
    return BoardRow(
        slot=response.slot,
        status=response.status,
        tokens=response.tokens,
        ttft_s=response.ttft_s,
        tokens_per_s=response.tokens_per_s_at(now),
        elapsed_s=response.elapsed_at(now),
        parse=candidate.reading.parse,
        files=candidate.changes,
        checks=_checks(report, candidate.stale) if report else None,
        cluster=candidate.cluster,
        rank=rank,
        flags=_flags(candidate),
        prompt_read=candidate.prompt_read,
        test_changes=candidate.test_changes,
        problems=candidate.problems,
        made_from=candidate.made_from,
        why=why(candidate, everybody),
        evidence=evidence(candidate),
        class_=candidate.letter,
        is_stale=bool(candidate.stale if report else "") or bool(candidate.letter and candidate.why_behaviour_stale),
        accepted=candidate.is_accepted,
    )


def _checks(report: CheckReport, stale: Stale) -> ChecksCount:
    return ChecksCount(
        passed=report.passed,
        failed=report.failed,
        new_failures=report.new_failures,
        gained=report.gained,
        fails_anyway=report.failed > 0 and report.breaks_nothing,
        flaky=report.flaky,
        stale=stale,
        own=report.own,
        limits=report.limits,
    )


def _flags(candidate: Candidate) -> tuple[str, ...]:
    """All flags of the answer and its files, each once."""
    found = set(candidate.reading.flags).union(*(change.flags for change in candidate.changes))
    if not candidate.response.text:
        found.discard("truncated")  # an empty answer was not cut off
    if candidate.response.status is Status.TRUNCATED:
        found.add("truncated")
    if candidate.prompt_read is not None:
        found.add(PROMPT_CUT)
    if candidate.has_no_verdict:
        found.add(NO_VERDICT)
    found.update(problem.flag for problem in candidate.problems)
    if candidate.test_changes:
        found.add(CHANGES_TESTS)
    report = candidate.report
    if report is not None:
        found.update(flag for flag, is_so in ((FLAKY, report.flaky), (LIMIT_HIT, report.limits)) if is_so)
    return (*(flag for flag in FLAGS if flag in found), *sorted(found - set(FLAGS)))
