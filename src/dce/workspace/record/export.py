"""Exports the record of a store as the lines of a bundle."""

from collections.abc import Iterable, Iterator

import msgspec

from dce.workspace.record.archive import (
    ChecksRecord,
    CycleRecord,
    End,
    FollowUpRecord,
    GenerationRecord,
    Header,
    JudgementRecord,
    PromptRecord,
    Record,
    ResponseRecord,
)
from dce.workspace.record.store import Store


def records_of(store: Store, header: Header, only: Iterable[int] | None = None) -> Iterator[Record]:
    """The whole record of a store (or of some cycles), one text in memory at a time. Raises DceError not_found for an unknown cycle."""
    cycles = store.cycles.list() if only is None else [store.cycles.get(cycle_id) for cycle_id in sorted(set(only))]
    count = 1
    yield header
    for record in _body(store, [cycle.id for cycle in cycles]):
        count += 1
        yield record
    yield End(records=count)


def _body(store: Store, cycle_ids: list[int]) -> Iterator[Record]:
    generations = [generation for cycle_id in cycle_ids for generation in store.generations.list(cycle_id)]
    for sha256 in dict.fromkeys(generation.prompt_sha256 for generation in generations):
        yield PromptRecord(
            prompt=store.prompts.get(sha256), grammar=store.prompts.grammar(sha256), pictures=store.pictures.of(sha256)
        )
    for cycle_id in cycle_ids:
        cycle = store.cycles.get(cycle_id)
        yield CycleRecord.of(cycle, store.imports.origin_extra(cycle.id))
    for generation in generations:
        yield GenerationRecord(generation=generation)
        for slot in store.responses.slots(generation.id):
            for response in store.responses.versions(generation.id, slot):
                yield ResponseRecord(response=response)
        for slot, version, report in store.check_reports.raw(generation.id):
            yield ChecksRecord(generation=generation.id, slot=slot, version=version, report=msgspec.Raw(report))
        for judgement in store.judgements.all(generation.id):
            yield JudgementRecord(judgement=judgement)
        for follow_up in store.follow_ups.of(generation.id).values():
            yield FollowUpRecord(follow_up=follow_up)
