"""The record as a bundle: one JSON document per line, to move a workspace's history to another machine and back.

Lines in order: a header (with the selection and the named sets, including levels of detail), prompts with their manifests, cycles,
generations, responses in all versions, check reports, judgements, follow-ups, and an end line with the number of lines before it. What must
always hold: a bundle is checked completely before any of it is stored (`Checker`); a truncated bundle is refused, never mistaken for
a short one. The journal of accepted files is not included: it belongs to the files of one folder.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.cycles import Cycle
from dce.workspace.record.follow_ups import FollowUp
from dce.workspace.record.generations import Generation
from dce.workspace.record.judgements import MAX_NOTE_CHARS, MAX_RATING, Judgement
from dce.workspace.record.pictures import Picture, note_of
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.responses import Response
from dce.workspace.record.selected_files import SetFile

FORMAT = "dce-history"
VERSION = 3
"""Increased when an older DCE could misread a bundle; all versions up to this one can be read. 2: judgements, levels of detail, pictures. 3: follow-ups."""

MAX_LINE_BYTES = 256 * 1024 * 1024
"""Longest line read: many times the size of any model's prompt."""


class Header(msgspec.Struct, frozen=True, kw_only=True, tag="header"):
    """The first line. `selection`: the selected files; `sets`: the named selections. `shown` and `sets_shown`: the files among them that
    are not shown whole (absent in version 1). The first fields keep their types, so that every reader can get as far as `version`.
    """

    format: str = FORMAT
    version: int = VERSION
    created_at: float = 0
    selection: tuple[str, ...] = ()
    sets: Mapping[str, tuple[str, ...]] = {}
    shown: tuple[SetFile, ...] = ()
    sets_shown: Mapping[str, tuple[SetFile, ...]] = {}

    def selected(self) -> tuple[SetFile, ...]:
        """The selection with its levels of detail."""
        return _as_shown(self.selection, self.shown)

    def named_sets(self) -> dict[str, tuple[SetFile, ...]]:
        """The named selections with their levels of detail."""
        return {name: _as_shown(paths, self.sets_shown.get(name, ())) for name, paths in self.sets.items()}


def header_of(selection: Iterable[SetFile], sets: Mapping[str, tuple[SetFile, ...]], created_at: float = 0) -> Header:
    """The header for a selection and named sets."""
    selection = tuple(selection)
    partly = {name: _not_whole(files) for name, files in sets.items()}
    return Header(
        created_at=created_at,
        selection=tuple(file.path for file in selection),
        sets={name: tuple(file.path for file in files) for name, files in sets.items()},
        shown=_not_whole(selection),
        sets_shown={name: files for name, files in partly.items() if files},
    )


def _not_whole(files: Iterable[SetFile]) -> tuple[SetFile, ...]:
    return tuple(file for file in files if file != SetFile(file.path))


def _as_shown(paths: Iterable[str], shown: Iterable[SetFile]) -> tuple[SetFile, ...]:
    by_path = {file.path: file for file in shown}
    return tuple(by_path.get(path) or SetFile(path) for path in paths)


class PromptRecord(msgspec.Struct, frozen=True, kw_only=True, tag="prompt"):
    """The exact prompt, its manifest, and the grammar and pictures sent with it."""

    prompt: Prompt
    grammar: str | None = None
    pictures: tuple[Picture, ...] = ()
    created_at: float = 0


class CycleRecord(msgspec.Struct, frozen=True, kw_only=True, tag="cycle"):
    """A cycle. `extra` holds fields of another tool for which DCE has no column."""

    id: int
    title: str = ""
    context: str = ""
    ephemeral: str = ""
    chosen_generation: int | None = None
    chosen_slot: int | None = None
    card: str = ""
    created_at: float = 0
    updated_at: float = 0
    extra: Mapping[str, Any] = {}

    @classmethod
    def of(cls, cycle: Cycle, extra: Mapping[str, Any]) -> "CycleRecord":
        """A cycle as stored in a bundle: everything except its revision, which counts the edits in one store."""
        return cls(**{name: getattr(cycle, name) for name in _CYCLE_FIELDS}, extra=extra)

    def cycle(self) -> Cycle:
        """The recorded cycle, at revision 1."""
        return Cycle(rev=1, **{name: getattr(self, name) for name in _CYCLE_FIELDS})


_CYCLE_FIELDS = tuple(name for name in Cycle.__struct_fields__ if name != "rev")


class GenerationRecord(msgspec.Struct, frozen=True, kw_only=True, tag="generation"):
    """A generation; its prompt and cycle precede it."""

    generation: Generation


class ResponseRecord(msgspec.Struct, frozen=True, kw_only=True, tag="response"):
    """One version of a response; its generation precedes it."""

    response: Response


class ChecksRecord(msgspec.Struct, frozen=True, kw_only=True, tag="checks"):
    """The check report of one version of a response, as stored."""

    generation: int
    slot: int
    version: int
    report: msgspec.Raw


class JudgementRecord(msgspec.Struct, frozen=True, kw_only=True, tag="judgement"):
    """A person's judgement of one version of a response; the response precedes it."""

    judgement: Judgement


class FollowUpRecord(msgspec.Struct, frozen=True, kw_only=True, tag="follow_up"):
    """Which answer a response was made from, and what was asked; both responses precede it."""

    follow_up: FollowUp


class End(msgspec.Struct, frozen=True, kw_only=True, tag="end"):
    """The last line: the number of lines before it."""

    records: int


Body = PromptRecord | CycleRecord | GenerationRecord | ResponseRecord | ChecksRecord | JudgementRecord | FollowUpRecord
Record = Header | Body | End

_DECODER = msgspec.json.Decoder(Record)


def write_bundle(path: Path, records: Iterable[Record]) -> int:
    """Writes a bundle to `path`; returns the number of lines."""
    lines = 0
    with path.open("wb") as file:
        for record in records:
            file.write(msgspec.json.encode(record) + b"\n")
            lines += 1
    return lines


def read_bundle(path: Path) -> Iterator[Record]:
    """The records of a bundle, read line by line. Raises DceError invalid_input, naming the line."""
    with path.open("rb") as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES):
            number += 1
            try:
                yield _DECODER.decode(line)
            except (msgspec.MsgspecError, RecursionError) as error:
                raise DceError("invalid_input", f"{path}, line {number}: {error}") from error


class Checker:
    """Checks the rules between records: references point backwards, nothing occurs twice, the end line has the right count."""

    def __init__(self) -> None:
        self._count = 0
        self._is_ended = False
        self._prompts: set[str] = set()
        self._cycles: set[int] = set()
        self._generations: dict[int, int] = {}
        self._responses: set[tuple[int, int, int]] = set()
        self._judged: set[tuple[int, int, int]] = set()
        self._followed: set[tuple[int, int]] = set()
        self._chosen: list[CycleRecord] = []

    def check_all(self, records: Iterable[Record]) -> None:
        """Checks all records and the end. Raises DceError invalid_input."""
        for record in records:
            self.take(record)
        self.finish()

    def take(self, record: Record) -> None:
        """Checks the next record. Raises DceError invalid_input."""
        if self._is_ended:
            raise _wrong("there is data after its end line")
        if isinstance(record, Header) != (self._count == 0):
            raise _wrong("it must begin with exactly one header")
        if isinstance(record, Header):
            self._header(record)
        elif isinstance(record, End):
            if record.records != self._count:
                raise _wrong(f"its end line says {record.records} lines, but there are {self._count}")
            self._is_ended = True
        else:
            self._body(record)
        self._count += 1

    def finish(self) -> None:
        """Call after the last record. Raises DceError invalid_input if something is missing."""
        if not self._is_ended:
            raise _wrong("it has no end line: it was cut off")
        for cycle in self._chosen:
            if self._generations.get(cycle.chosen_generation or 0) != cycle.id:
                raise _wrong(
                    f"the chosen response of cycle {cycle.id} is in generation {cycle.chosen_generation}, which is not its own"
                )

    def _header(self, header: Header) -> None:
        if header.format != FORMAT:
            raise _wrong(f"its format is {header.format!r}")
        if not all(name.strip() and name.isprintable() for name in header.sets):
            raise _wrong("a selection set has an invalid name")
        if header.version > VERSION:
            raise DceError(
                "invalid_input",
                f"the bundle has version {header.version}, but this DCE reads only up to {VERSION}",
                hint="Update DCE.",
            )

    def _body(self, record: Body) -> None:
        if isinstance(record, PromptRecord):
            self._prompt(record)
        elif isinstance(record, CycleRecord):
            _new(self._cycles, record.id, f"cycle {record.id}")
            if record.id < 0:
                raise _wrong(f"a cycle has the negative number {record.id}")
            if record.chosen_generation is not None:
                self._chosen.append(record)
        elif isinstance(record, GenerationRecord):
            self._generation(record.generation)
        elif isinstance(record, ResponseRecord):
            response = record.response
            _known(self._generations, response.generation, "generation")
            key = (response.generation, response.slot, response.version)
            _new(
                self._responses,
                key,
                f"response {response.slot} v{response.version} of generation {response.generation}",
            )
            if response.slot < 1 or response.version < 1:
                raise _wrong(f"a response has slot {response.slot} and version {response.version}, but both start at 1")
        elif isinstance(record, JudgementRecord):
            self._judgement(record.judgement)
        elif isinstance(record, FollowUpRecord):
            self._follow_up(record.follow_up)
        else:
            _known(self._responses, (record.generation, record.slot, record.version), "response")

    def _judgement(self, judgement: Judgement) -> None:
        key = (judgement.generation, judgement.slot, judgement.version)
        _known(self._responses, key, "response")
        _new(self._judged, key, f"a judgement of response {judgement.slot} v{judgement.version}")
        if not 0 <= judgement.rating <= MAX_RATING or len(judgement.note) > MAX_NOTE_CHARS:
            raise _wrong(f"a judgement of response {judgement.slot} has an invalid rating or too long a note")

    def _follow_up(self, given: FollowUp) -> None:
        _known(self._responses, (given.generation, given.slot, 1), "response")
        _known(self._responses, (given.generation, given.from_slot, given.from_version), "response")
        _new(self._followed, (given.generation, given.slot), f"the follow-up in slot {given.slot}")
        if given.from_slot >= given.slot:
            raise _wrong(
                f"response {given.slot} is a follow-up of response {given.from_slot}, which is not an earlier one"
            )

    def _prompt(self, record: PromptRecord) -> None:
        prompt = record.prompt
        _new(self._prompts, prompt.sha256, f"prompt {prompt.sha256}")
        if hashlib.sha256(prompt.text.encode()).hexdigest() != prompt.sha256:
            raise _wrong(f"the text of prompt {prompt.sha256} does not have that hash")
        if any(note_of(picture) not in prompt.text for picture in record.pictures):
            raise _wrong(f"prompt {prompt.sha256} has a picture that its text does not name")

    def _generation(self, generation: Generation) -> None:
        _known(self._cycles, generation.cycle, "cycle")
        _known(self._prompts, generation.prompt_sha256, "prompt")
        _new(self._generations.keys(), generation.id, f"generation {generation.id}")
        self._generations[generation.id] = generation.cycle


def _known(known: Any, key: Any, what: str) -> None:
    if key not in known:
        raise _wrong(f"it refers to {what} {key}, which does not precede the reference")


def _new(known: Any, key: Any, what: str) -> None:
    if key in known:
        raise _wrong(f"{what} occurs twice")
    if isinstance(known, set):
        known.add(key)


def _wrong(why: str) -> DceError:
    return DceError("invalid_input", f"this is not a complete history: {why}", hint="Nothing was changed.")
