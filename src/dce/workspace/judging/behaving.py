"""Compares the behaviour of a generation's answers: probes run on the workspace and on every answer that passes, each in a fresh lane.

Invariants: nothing runs before the user has agreed; a comparison is stored before it is shown, and one of the same is not made again;
answers that do the same to the files run once.
"""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dce.workspace.context.prompt import cycle_asked
from dce.workspace.judging.behaviour.asked import Script, label_of, scripts_in
from dce.workspace.judging.behaviour.classes import FAILS, PASSES
from dce.workspace.judging.behaviour.language import Language, Place, Sources
from dce.workspace.judging.behaviour.languages import LANGUAGES
from dce.workspace.judging.behaviour.probe import Outcome, Probe, make_probe
from dce.workspace.judging.behaviour_keys import SEED, Answers, Found, answers_of, asked_scripts, entrants, find, key_of
from dce.workspace.judging.behaviour_report import BehaviourReport, Group, Ran, identical, nothing, report_of
from dce.workspace.judging.behaviour_sources import sources_of
from dce.workspace.judging.board import candidates
from dce.workspace.judging.checks_file import Check, load_checks_file
from dce.workspace.judging.command_consent import CommandConsents, Commands, commands_of
from dce.workspace.judging.lanes.choosing import lanes_of
from dce.workspace.judging.lanes.opening import Lanes, LaneUnfit, SetupFailed
from dce.workspace.judging.opened import Workspace
from dce.workspace.judging.ranking import Candidate
from dce.workspace.judging.report_keys import Current
from dce.workspace.schema.reading import Reading


class _Asked(msgspec.Struct, frozen=True, kw_only=True):
    """The probes of one language."""

    row: Language
    sources: Sources
    probes: tuple[Probe, ...]


async def compare_behaviour(workspace: Workspace, generation_id: int, *, is_fresh: bool = False) -> BehaviourReport:
    """Compares the answers that pass, unless that is known already (`is_fresh`: even then), and stores what came.

    Works without checks too: then all answers that are complete and read for sure are compared. Raises DceError not_found for no such
    generation, consent_needed before the user has agreed, invalid_input for a workspace too large to copy.
    """
    current = Current(workspace.project)
    everybody = await asyncio.to_thread(candidates, workspace, generation_id, current)
    entered = entrants(everybody)
    answers = answers_of(entered)
    if not is_fresh:
        known = await asyncio.to_thread(find, workspace, generation_id, answers, current)
        if known is not None and not known.why_stale:
            return known.report
    said = await asyncio.to_thread(asked_scripts, workspace, generation_id)
    key = await asyncio.to_thread(key_of, current, answers, said)
    report = await _compared(workspace, generation_id, entered, answers, scripts_in(said))
    await asyncio.to_thread(workspace.store.behaviours.put, generation_id, key, report, workspace.clock())
    return report


def find_comparison(workspace: Workspace, generation_id: int) -> Found | None:
    """The stored comparison of a generation, with what has changed since; None if there is none. Raises DceError not_found."""
    current = Current(workspace.project)
    return find(workspace, generation_id, answers_of(entrants(candidates(workspace, generation_id, current))), current)


async def commands_to_compare(workspace: Workspace) -> Commands:
    """What comparing would run, for the user to agree to: the same as the checks, or with no checks nothing but probes."""
    return (await _lanes(workspace))[2]


async def _lanes(workspace: Workspace) -> tuple[Lanes, tuple[Check, ...], Commands]:
    file = await asyncio.to_thread(load_checks_file, workspace.project)
    lanes = lanes_of(workspace.project, file.lane, workspace.clusters)
    kind = await lanes.find_kind()
    return lanes, file.check, commands_of(file, kind, lanes.why)


async def _compared(
    workspace: Workspace,
    generation_id: int,
    entered: Sequence[Candidate],
    answers: Answers,
    scripts: Sequence[Script],
) -> BehaviourReport:
    slots = sorted(answers)
    group = Group(slots=tuple(slots), among=_among(entered), tests={slot: came for slot, (_, came) in answers.items()})
    if not slots:
        return nothing(group, "no response passes")
    keys = {slot: answer for slot, (answer, _) in answers.items()}
    if len(set(keys.values())) == 1:
        return identical(group)
    readings = {keys[candidate.slot]: candidate.reading for candidate in entered}
    asked = await asyncio.to_thread(_asked, workspace, generation_id, tuple(readings.values()), scripts)
    if not asked:
        return nothing(group, "DCE can make no probes for the files that the responses change")
    lanes, checks, commands = await _lanes(workspace)
    await asyncio.to_thread(CommandConsents(workspace.store.meta).require, commands)
    await lanes.begin()
    base, by_answer, failed = await _run_all(lanes, checks, asked, readings)
    ran = Ran(
        probes=tuple(probe for one in asked for probe in one.probes),
        base=base,
        results={slot: by_answer[keys[slot]] for slot in slots if keys[slot] in by_answer},
        failed={slot: failed[keys[slot]] for slot in slots if keys[slot] in failed},
    )
    return await asyncio.to_thread(report_of, ran, group, [one.row.name for one in asked])


def _among(entered: Sequence[Candidate]) -> str:
    """Which answers are compared, in words."""
    reports = [candidate.report for candidate in entered]
    if not any(report and len(report.telling_nothing) < len(report.runs) for report in reports):
        return "that can be read"
    return "that pass" if all(report is not None and report.is_passed for report in reports) else "that break nothing"


def _asked(
    workspace: Workspace, generation_id: int, readings: Sequence[Reading], scripts: Sequence[Script]
) -> list[_Asked]:
    generation = workspace.store.generations.get(generation_id)
    # As it was sent: what a cycle asks for may be edited afterwards, and the comparison is of answers to this.
    asked = cycle_asked(workspace.store.prompts.get(generation.prompt_sha256), generation.cycle)
    sources = sources_of(workspace.project, readings, asked=asked)
    found = [
        _Asked(
            row=row,
            sources=sources[row.name],
            probes=(*row.make(sources[row.name], SEED), *_from_scripts(row, scripts)),
        )
        for row in LANGUAGES
        if row.name in sources
    ]
    return [one for one in found if one.probes]


def _from_scripts(row: Language, scripts: Sequence[Script]) -> Iterator[Probe]:
    """The scripts in this language as probes."""
    for script in scripts:
        snippet = row.script(script.text) if script.language in row.fences else None
        if snippet is not None:
            yield make_probe(snippet, "asked" if script.kind == "probe" else "derived", label_of(script))


def _judged(probes: Sequence[Probe], found: Mapping[str, Outcome]) -> Mapping[str, Outcome]:
    """The outcomes; of a derived check only whether it passes is compared."""
    derived = {probe.id for probe in probes if probe.origin == "derived"}
    said = {"value": PASSES, "raised": FAILS}
    return {
        name: msgspec.structs.replace(outcome, text=said[outcome.kind], shown=_check_shown(outcome))
        if name in derived and outcome.kind in said
        else outcome
        for name, outcome in found.items()
    }


def _check_shown(outcome: Outcome) -> str:
    return PASSES if outcome.kind == "value" else f"{FAILS}: {outcome.shown}"


async def _run_all(
    lanes: Lanes, checks: tuple[Check, ...], asked: Sequence[_Asked], readings: Mapping[str, Reading]
) -> tuple[Mapping[str, Outcome], Mapping[str, Mapping[str, Outcome]], Mapping[str, str]]:
    """The outcomes on the workspace, on each answer, and why nothing could be run on the others."""
    limit = asyncio.Semaphore(lanes.parallel)
    results: dict[str, Mapping[str, Outcome]] = {}
    failed: dict[str, str] = {}

    async def ask(name: str, reading: Reading | None) -> None:
        async with limit:
            try:
                results[name] = await _run(lanes, checks, asked, reading)
            except (LaneUnfit, SetupFailed) as error:
                failed[name] = str(error)

    try:
        async with asyncio.TaskGroup() as group:
            group.create_task(ask("", None))
            for name, reading in readings.items():
                group.create_task(ask(name, reading))
    except ExceptionGroup as errors:
        raise errors.exceptions[0] from errors
    return results.pop("", {}), results, {name: why for name, why in failed.items() if name}


async def _run(
    lanes: Lanes, checks: tuple[Check, ...], asked: Sequence[_Asked], reading: Reading | None
) -> Mapping[str, Outcome]:
    found: dict[str, Outcome] = {}
    for one in asked:
        async with lanes.opened(reading) as lane:
            came = await one.row.run(Place(lane=lane, sources=one.sources, checks=checks), one.probes)
            found |= _judged(one.probes, came)
    return found
