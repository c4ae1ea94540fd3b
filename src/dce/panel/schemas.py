"""What the panel's API takes and gives, as structs. Names are the same in Python, JSON and TypeScript (which is generated from here).

Records of the workspace (cycles, board rows, acceptances, events) go out as they are; a struct here is a view that a screen
needs and the workspace does not.
"""

from typing import Literal

import msgspec

from dce.workspace.accepting.accept import Acceptance, PlannedWrite
from dce.workspace.accepting.picking import FilePlan
from dce.workspace.context.tokens import Count
from dce.workspace.events import SlotProgress
from dce.workspace.judging.board import BoardRow
from dce.workspace.record.cycles import Cycle, CycleHead
from dce.workspace.record.records_judging import Judgement
from dce.workspace.schema.reading import BlockStatus, Parse


class Health(msgspec.Struct, frozen=True, kw_only=True):
    """Who answers on this port."""

    ok: bool
    service: str
    version: str


class GenerationSummary(msgspec.Struct, frozen=True, kw_only=True):
    """A generation in a list."""

    id: int
    cycle: int
    n: int
    model: str
    created_at: float
    ended_at: float | None
    is_running: bool


class WorkspaceView(msgspec.Struct, frozen=True, kw_only=True):
    """The snapshot a window starts from; events after `cursor` carry it on. `restorable`: what restore would put back.

    `cycles` hold no texts, so that hundreds of them cost no more than a screen.
    """

    name: str
    root: str
    url: str
    model: str | None
    n: int
    max_n: int
    version: str
    cursor: str
    cycles: tuple[CycleHead, ...]
    selection: tuple[str, ...]
    checks: tuple[str, ...]
    restorable: Acceptance | None


class SelectionChange(msgspec.Struct, frozen=True, kw_only=True):
    """The whole selection: what it shall be, and what it then is."""

    paths: tuple[str, ...]


class CycleNew(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A new cycle's texts."""

    title: str = ""
    context: str = ""
    ephemeral: str = ""


class CycleEdit(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """An edit of what was read at `rev`; another revision is a conflict."""

    rev: int
    title: str
    context: str
    ephemeral: str


class CycleView(msgspec.Struct, frozen=True, kw_only=True):
    """One cycle, as it now is, with its generations, the oldest first."""

    cycle: Cycle
    generations: tuple[GenerationSummary, ...]


class CyclesView(msgspec.Struct, frozen=True, kw_only=True):
    """All cycles, by id, without their texts."""

    cycles: tuple[CycleHead, ...]


class SectionView(msgspec.Struct, frozen=True, kw_only=True):
    """A section of the prompt: its place in the text (code points) and its tokens."""

    name: str
    start: int
    end: int
    count: Count


class PromptFileView(msgspec.Struct, frozen=True, kw_only=True):
    """A file as the prompt shows it, and what that costs. `start`: where its block begins in the text (code points); -1: not found."""

    path: str
    detail: str
    start: int
    count: Count


class PromptView(msgspec.Struct, frozen=True, kw_only=True):
    """The exact prompt as it would be sent now. `budget`: tokens the model leaves for it; None if unknown, for which `note` says why.

    `findings`: secrets in it that nobody looked at; `is_blocked`: because of them, or its length, it cannot go out.
    `shared`: about how many tokens at its beginning are those of the one sent last, which the server may have cached; None if none was.
    """

    text: str
    sha256: str
    sections: tuple[SectionView, ...]
    files: tuple[PromptFileView, ...]
    findings: int
    is_blocked: bool
    total: int
    is_exact: bool
    model: str
    note: str
    budget: int | None
    is_over: bool
    shared: int | None


class GenerationOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What Generate asks for."""

    cycle: int
    n: int


class GenerationView(msgspec.Struct, frozen=True, kw_only=True):
    """A generation and where each slot stands. `max_tokens` 0: the backend's own limit."""

    id: int
    cycle: int
    n: int
    model: str
    schema: str
    max_tokens: int
    prompt_tokens: int
    created_at: float
    ended_at: float | None
    is_running: bool
    cursor: str
    slots: tuple[SlotProgress, ...]


class BlockView(msgspec.Struct, frozen=True, kw_only=True):
    """A file of an answer. `change` and the counts are against the workspace as it is now."""

    path: str
    content: str
    status: BlockStatus
    change: Literal["new", "modified", "deleted", "same"] | None
    added: int
    removed: int
    flags: tuple[str, ...]


class ReadingView(msgspec.Struct, frozen=True, kw_only=True):
    """An answer taken apart."""

    summary: str
    plan: str
    activity: str
    parse: Parse
    flags: tuple[str, ...]
    notes: tuple[str, ...]
    files: tuple[BlockView, ...]


class SlotView(msgspec.Struct, frozen=True, kw_only=True):
    """One response whole. `reading` is None while it runs."""

    progress: SlotProgress
    thinking: str
    text: str
    reading: ReadingView | None
    cursor: str


class BoardView(msgspec.Struct, frozen=True, kw_only=True):
    """The ranked table. `judgements`: what a person thinks of some of the rows."""

    generation: int
    rows: tuple[BoardRow, ...]
    judgements: tuple[Judgement, ...]
    is_checking: bool


class AcceptOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which files of a response to write; no paths: all. `plans`: files put together from parts of several instead.

    `merge`: files edited since the prompt are merged where that is clean. A dry run only says what would happen.
    """

    generation: int
    slot: int
    paths: tuple[str, ...] = ()
    plans: tuple[FilePlan, ...] = ()
    merge: bool = False
    dry_run: bool = False


class AcceptView(msgspec.Struct, frozen=True, kw_only=True):
    """What accepting did, or would do (`acceptance` None)."""

    writes: tuple[PlannedWrite, ...]
    acceptance: Acceptance | None


class RestoreOrder(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which acceptance to take back; None: the last one of the current cycle. `redo`: make a restored one again instead.

    `keep_edited`: files edited since stay as they are, instead of stopping it.
    """

    acceptance: int | None = None
    redo: bool = False
    dry_run: bool = False
    keep_edited: bool = False


class RestoreView(msgspec.Struct, frozen=True, kw_only=True):
    """What restoring did, or would do, to each file of the acceptance.

    `is_last`: it is the last one of the current cycle. `committed`: the files that git's HEAD held as accepted before.
    """

    writes: tuple[PlannedWrite, ...]
    acceptance: Acceptance
    is_last: bool
    committed: tuple[str, ...]
