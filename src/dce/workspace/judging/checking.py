"""Runs the checks of a generation: on the workspace first, then on each response that needs it.

Invariants: each report is stored before it is announced; answers that do the same to the files are checked once and share the
report; a report that is still a verdict on the same checks, files and answer is not made again. What cannot start is not cached, because the cure
(installing something) need not change a listed file.
"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec

from dce.wire.errors import DceError
from dce.workspace.events import ChecksFinished, Event
from dce.workspace.judging.base_run import require_some, run_base, verdict_of
from dce.workspace.judging.check_progress import Progress
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checks_file import Check, ChecksFile, load_checks_file, missing_checks
from dce.workspace.judging.command_consent import CommandConsents, Commands, commands_of
from dce.workspace.judging.exam.examining import examine
from dce.workspace.judging.lanes.choosing import lanes_of
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.opened import Workspace
from dce.workspace.judging.report_keys import Current, checks_key
from dce.workspace.project import Project
from dce.workspace.record.check_reports import ReportKey
from dce.workspace.record.responses import TERMINAL, Response
from dce.workspace.schema.reading import Reading


class _Job(msgspec.Struct, frozen=True, kw_only=True):
    """Responses whose answers do the same, and what a report on them is a verdict on."""

    key: ReportKey
    reading: Reading
    responses: list[Response]

    @property
    def slots(self) -> list[int]:
        """The slots of the responses."""
        return [response.slot for response in self.responses]


class Checker:
    """The checks of one workspace, ready to run: several calls of `check` share the lanes, the limit of lanes at once and the report on
    the workspace without any response. Lives in one event loop."""

    def __init__(self, workspace: Workspace, lanes: Lanes, checks: tuple[Check, ...]) -> None:
        self._workspace = workspace
        self._lanes = lanes
        self._checks = checks
        self._current = Current(workspace.project)
        self._limit: asyncio.Semaphore | None = None
        self._one_base = asyncio.Lock()
        self._one_each: dict[str, asyncio.Lock] = {}

    @classmethod
    async def agreed(cls, workspace: Workspace) -> "Checker":
        """The checks of a workspace. Raises DceError not_found if there are none, consent_needed before the user has agreed to them."""
        return cls(workspace, *await _agreed(workspace))

    async def check_base(self, *, is_fresh: bool = False) -> CheckReport:
        """The report on the workspace as it is, from the cache if it may be. Raises DceError invalid_input if no check can run here."""
        async with self._one_base:
            key = await asyncio.to_thread(self._current.key, Reading())
            base = await _base(self._workspace, self._lanes, self._checks, key, is_fresh=is_fresh)
        require_some(base)
        return base

    async def check(
        self,
        generation_id: int,
        slots: Sequence[int] | None = None,
        on_event: Callable[[Event], None] | None = None,
        *,
        is_fresh: bool = False,
        progress: Progress | None = None,
    ) -> dict[int, CheckReport]:
        """See `check_responses`. `progress`: that of a larger run, of which these responses are a part."""
        workspace = self._workspace
        responses = await asyncio.to_thread(_checkable, workspace, generation_id, slots)
        if not responses:
            return {}
        self._current = await asyncio.to_thread(self._current.refreshed)
        jobs = await asyncio.to_thread(_jobs, self._current, responses)
        reports: dict[int, CheckReport] = {}
        told = progress or Progress(generation_id, len(responses), on_event)

        async def finish(job: _Job, report: CheckReport, known: frozenset[int] = frozenset()) -> None:
            """Stores, then announces."""
            new = [response for response in job.responses if response.slot not in known]
            await asyncio.to_thread(_store, workspace, new, report, job.key)
            reports.update(dict.fromkeys(job.slots, report))
            _announce(job, reports, generation_id, on_event)
            told.finish(job.slots)

        async def take_known(jobs: Sequence[_Job]) -> list[_Job]:
            """The jobs that are left."""
            found = await asyncio.to_thread(_known, workspace, generation_id, jobs) if not is_fresh else []
            for job, report, known in found:
                await finish(job, report, known)
            done = [job.key.answer for job, _, _ in found]
            return [job for job in jobs if job.key.answer not in done]

        jobs = await take_known(jobs)
        if not jobs:
            return dict(sorted(reports.items()))
        told.check_base()
        base = await self.check_base(is_fresh=is_fresh)
        limit = await self._begun()

        async def check(job: _Job) -> None:
            # An answer that does the same may just be running for another caller: its report then holds for this one too.
            async with self._one_each.setdefault(job.key.answer, asyncio.Lock()), limit:
                if await take_known([job]):
                    told.begin(job.slots)
                    await finish(job, await examine(self._lanes, self._checks, job.reading, base))

        try:
            async with asyncio.TaskGroup() as group:
                for job in jobs:
                    group.create_task(check(job))
        except ExceptionGroup as errors:
            raise errors.exceptions[0] from errors
        return dict(sorted(reports.items()))

    async def _begun(self) -> asyncio.Semaphore:
        """The limit of lanes at once, known when lanes can be opened."""
        await self._lanes.begin()
        self._limit = self._limit or asyncio.Semaphore(self._lanes.parallel)
        return self._limit


async def check_responses(
    workspace: Workspace,
    generation_id: int,
    slots: Sequence[int] | None = None,
    on_event: Callable[[Event], None] | None = None,
    *,
    is_fresh: bool = False,
) -> dict[int, CheckReport]:
    """Runs the workspace's checks on the finished responses that have files (only `slots`, unless None), `[lane] parallel` at a time.

    The unchanged workspace is checked first, so that existing failures do not count against a response. `is_fresh`: run everything
    again, even where nothing has changed. Raises DceError not_found if there are no checks, or no such generation or slot; conflict
    for a named slot that is still running; invalid_input if no check can run here; consent_needed before the user has agreed to the commands.
    """
    return await (await Checker.agreed(workspace)).check(generation_id, slots, on_event, is_fresh=is_fresh)


async def check_workspace(
    workspace: Workspace, *, is_fresh: bool = False, file: ChecksFile | None = None
) -> CheckReport:
    """Runs the checks on the workspace as it is; those of `file`, which need not be saved, instead of the workspace's own.

    Raises DceError not_found if there are none, consent_needed as `check_responses`.
    """
    lanes, checks = await _agreed(workspace, file)
    key = await asyncio.to_thread(Current(workspace.project).key, Reading())
    if file is not None:
        key = msgspec.structs.replace(key, checks=checks_key(file))
    return await _base(workspace, lanes, checks, key, is_fresh=is_fresh)


async def commands_to_run(workspace: Workspace, file: ChecksFile | None = None) -> Commands:
    """What `check_responses` would run, for the user to agree to, or what `file` would. Raises DceError not_found if there are no checks."""
    return (await _prepared(workspace, file))[2]


async def _agreed(workspace: Workspace, file: ChecksFile | None = None) -> tuple[Lanes, tuple[Check, ...]]:
    """The lanes and the checks. Raises DceError consent_needed unless the user has agreed to the commands."""
    lanes, checks, commands = await _prepared(workspace, file)
    await asyncio.to_thread(CommandConsents(workspace.store.meta).require, commands)
    return lanes, checks


async def _prepared(workspace: Workspace, file: ChecksFile | None) -> tuple[Lanes, tuple[Check, ...], Commands]:
    if file is None:
        file = await asyncio.to_thread(required_checks, workspace.project)
    elif not file.check:
        raise missing_checks()
    lanes = lanes_of(workspace.project, file.lane, workspace.clusters)
    kind = await lanes.find_kind()
    return lanes, file.check, commands_of(file, kind, lanes.why)


def required_checks(project: Project) -> ChecksFile:
    """The workspace's checks. Raises DceError not_found if there are none."""
    file = load_checks_file(project)
    if not file.check:
        raise missing_checks()
    return file


async def _base(
    workspace: Workspace, lanes: Lanes, checks: Sequence[Check], key: ReportKey, *, is_fresh: bool
) -> CheckReport:
    """The report on the unchanged workspace, from the cache if it may be."""
    cache = workspace.store.base_reports
    known = await asyncio.to_thread(cache.find, key.checks, key.base, CheckReport)
    if known is not None and not is_fresh:
        return known
    report = await run_base(lanes, checks)
    if known is not None and verdict_of(known) != verdict_of(report):
        # Something that is not listed has changed (a dependency): what was compared with the earlier report holds no longer.
        await asyncio.to_thread(workspace.store.check_reports.outdate, key.checks, key.base)
        await asyncio.to_thread(cache.drop, key.checks, key.base)
    if not report.cannot_start and not report.problem:
        await asyncio.to_thread(cache.put, key.checks, key.base, report, workspace.clock())
    return report


def _announce(
    job: _Job, reports: dict[int, CheckReport], generation_id: int, on_event: Callable[[Event], None] | None
) -> None:
    if on_event is None or reports[job.responses[0].slot].problem:
        return
    for response in job.responses:
        report = reports[response.slot]
        on_event(
            ChecksFinished(
                generation=generation_id,
                slot=response.slot,
                version=response.version,
                passed=report.passed,
                failed=report.failed,
                new_failures=report.new_failures,
            )
        )


def _jobs(current: Current, responses: Sequence[tuple[Response, Reading]]) -> list[_Job]:
    jobs: dict[str, _Job] = {}
    for response, reading in responses:
        key = current.key(reading)
        jobs.setdefault(key.answer, _Job(key=key, reading=reading, responses=[])).responses.append(response)
    return list(jobs.values())


def _store(workspace: Workspace, responses: Sequence[Response], report: CheckReport, key: ReportKey) -> None:
    for response in responses:
        workspace.store.check_reports.put(response.generation, response.slot, response.version, report, key)


def _known(
    workspace: Workspace, generation_id: int, jobs: Sequence[_Job]
) -> list[tuple[_Job, CheckReport, frozenset[int]]]:
    """The jobs that need not run: a response that does the same has a report that still is a verdict. With the slots that have it."""
    keyed = workspace.store.check_reports.keyed(generation_id, CheckReport)
    found = []
    for job in jobs:
        known = frozenset(slot for slot, (_, key) in keyed.items() if key == job.key)
        if known:
            found.append((job, keyed[min(known)][0], known))
    return found


def _checkable(workspace: Workspace, generation_id: int, slots: Sequence[int] | None) -> list[tuple[Response, Reading]]:
    """The responses to check, with their readings."""
    workspace.store.generations.get(generation_id)
    responses = {response.slot: response for response in workspace.responses(generation_id)}
    for slot in slots or ():
        if slot not in responses:
            raise DceError("not_found", f"generation {generation_id} has no response {slot}")
        if responses[slot].status not in TERMINAL:
            raise DceError("conflict", f"response {slot} is still {responses[slot].status}")
    chosen = [
        response
        for slot, response in responses.items()
        if response.status in TERMINAL and (slots is None or slot in slots)
    ]
    read = [(response, workspace.reading(generation_id, response.slot)) for response in chosen]
    return [(response, reading) for response, reading in read if reading.files]
