"""Events for user interfaces: one tagged, frozen record per kind.

What must always hold: a terminal status is durable before it is announced; text is sent as deltas with offsets, never whole; a slot
sends at most ten `SlotProgress` and ten `SlotText` events per second, plus those of its end.
"""

import msgspec

from dce.wire.errors import ErrorBody
from dce.workspace.record.responses import News, Response, Status, Tokens


class GenerationStarted(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="generation_started"):
    """A run of all slots, or of regenerated ones, begins. `max_tokens` 0: the backend's own limit.

    `prompt_is_exact`: the model's own tokenizer counted the prompt; otherwise `prompt_tokens` is an estimate.
    """

    generation: int
    cycle: int
    n: int
    slots: tuple[int, ...]
    model: str
    max_tokens: int
    prompt_tokens: int
    prompt_is_exact: bool = False


class Wait(msgspec.Struct, frozen=True):
    """Why a response waits for its server, and the seconds until the server is asked again."""

    why: str
    retry_in_s: float


class SlotProgress(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="slot_progress"):
    """The state of one response. `position`: its place in the gateway's queue, if known. `wait`: with status `waiting`, for what."""

    generation: int
    slot: int
    version: int
    status: Status
    tokens: Tokens
    ttft_s: float | None
    elapsed_s: float | None
    tokens_per_s: float | None
    finish_reason: str = ""
    error: ErrorBody | None = None
    position: int | None = None
    wait: Wait | None = None

    @classmethod
    def of(
        cls, response: Response, now: float, position: int | None = None, wait: Wait | None = None
    ) -> "SlotProgress":
        """The progress of a response at time `now`."""
        return cls(
            generation=response.generation,
            slot=response.slot,
            version=response.version,
            status=response.status,
            tokens=response.tokens,
            ttft_s=response.ttft_s,
            elapsed_s=response.elapsed_at(now),
            tokens_per_s=response.tokens_per_s_at(now),
            finish_reason=response.finish_reason,
            error=response.error,
            position=position,
            wait=wait,
        )


class SlotText(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="slot_text"):
    """New text of one response. Offsets count Unicode code points from the beginning of the text."""

    generation: int
    slot: int
    version: int
    thinking_offset: int
    thinking: str
    text_offset: int
    text: str

    @classmethod
    def of(cls, response: Response, news: News) -> "SlotText":
        """The event for new text of a response."""
        return cls(
            generation=response.generation,
            slot=response.slot,
            version=response.version,
            thinking_offset=news.thinking_offset,
            thinking=news.thinking,
            text_offset=news.text_offset,
            text=news.text,
        )


class GenerationEnded(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="generation_ended"):
    """A run ended: all its slots are terminal. `statuses` counts the slots by status."""

    generation: int
    slots: tuple[int, ...]
    statuses: dict[Status, int]
    elapsed_s: float


class ChecksFinished(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="checks_finished"):
    """The project's checks have run on one response."""

    generation: int
    slot: int
    version: int
    passed: int
    failed: int
    new_failures: int


class ChecksProgress(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="checks_progress"):
    """How far the checks of a generation are: `done` of `total` responses have a verdict; `running`: the slots whose checks run now.

    `is_base`: the unchanged workspace is being checked, which comes first.
    """

    generation: int
    total: int
    done: int
    running: tuple[int, ...] = ()
    is_base: bool = False


class WorkspaceChanged(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="workspace_changed"):
    """Something that a UI shows has changed: "files", "selection", "cycles", "settings", "generations"."""

    what: str


class HopChecked(msgspec.Struct, frozen=True, kw_only=True, tag_field="event", tag="hop_checked"):
    """The doctor checked one hop. `run`: the caller's name for this run of the doctor; `ok` None: not checked."""

    run: str
    hop: str
    name: str
    ok: bool | None
    detail: str = ""
    fix: str = ""


Event = (
    GenerationStarted
    | SlotProgress
    | SlotText
    | GenerationEnded
    | ChecksFinished
    | ChecksProgress
    | WorkspaceChanged
    | HopChecked
)
