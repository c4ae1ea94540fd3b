"""The OpenAI chat dialect as servers really speak it: chunks parsed into one form, whatever their small differences.

Sources: OpenAI's chat-completions reference; vLLM (`delta.reasoning`, older `delta.reasoning_content`, usage on every chunk with
`continuous_usage_stats`, a last chunk with no choices); llama.cpp (`timings`); servers that put several JSON objects on one line.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from dce.wire.errors import MAX_MESSAGE_BYTES, ErrorBody, error_of
from dce.wire.finish import reason_of
from dce.wire.halves import whole
from dce.wire.parts import ToolPiece, UnknownContent, text_of, tool_pieces

DONE = "[DONE]"
"""The data of the last event of an OpenAI stream. It means that the stream ended, not that it succeeded."""


MAX_TOKENS = 2**40
"""More than any response has; a larger number from a broken server might not fit a database column."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Exact token counts reported by the server. `is_prompt_partial`: `prompt_tokens` leaves out what it had cached."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    is_prompt_partial: bool = False


class ChoiceDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What one chunk adds to one choice. `finish_reason` is None until the model finishes it. Texts may hold surrogate halves.

    `logprobs`: the probabilities of its tokens as the server sent them, None if they were not asked for.
    """

    index: int
    text: str = ""
    thinking: str = ""
    tools: tuple[ToolPiece, ...] = ()
    finish_reason: str | None = None
    error: ErrorBody | None = None
    logprobs: dict[str, Any] | None = None
    message: str = ""
    """What a whole message beside the delta says. It counts only if no delta of the choice says anything: some servers repeat in it
    what they have sent so far."""


class Busy(msgspec.Struct, frozen=True, kw_only=True):
    """A DCE gateway's notice that `choices` wait for a busy backend, which it asks again in `retry_in_s`. `code`, `message`: why."""

    choices: tuple[int, ...]
    code: str
    message: str
    retry_in_s: float


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON object of a stream. `usage` belongs to the choice if `choices` has one, otherwise it is the sum over all choices.

    `queue_position`: the request's position in a DCE gateway's queue; 1 is next, 0 means its turn has come.
    """

    choices: tuple[ChoiceDelta, ...] = ()
    usage: Usage | None = None
    error: ErrorBody | None = None
    model: str = ""
    id: str = ""
    queue_position: int | None = None
    busy: Busy | None = None


class BadChunk(ValueError):
    """An event whose data is not JSON."""


def read_chunks(data: str) -> list[Chunk]:
    """The chunks in one event's data. Raises BadChunk."""
    return [chunk_of(value) for value in read_values(data)]


def read_values(data: str) -> list[Any]:
    """The JSON values in one event's data: usually one; some servers put several on a line. Raises BadChunk."""
    try:
        return [msgspec.json.decode(data)]
    except (msgspec.DecodeError, RecursionError, ValueError):  # ValueError: an integer longer than Python converts
        return list(_values(data))


def read_error(data: str) -> ErrorBody:
    """The error in the data of an event that is one: JSON in any shape, or plain text."""
    try:
        values = read_values(data)
    except BadChunk:
        values = []
    found = next((error for value in values if (error := error_of(value))), None)
    if found is not None and found.message:
        return found
    named = next((value for value in values if isinstance(value, dict)), {})
    said = named.get("message") if isinstance(named.get("message"), str) else data
    return ErrorBody(message=whole(str(said))[:MAX_MESSAGE_BYTES], type="api_error", code="")


def _values(data: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(data):
        try:
            value, at = decoder.raw_decode(data, at)
        except json.JSONDecodeError as error:
            raise BadChunk(f"data that is not JSON at character {at}") from error
        except (ValueError, RecursionError) as error:
            raise BadChunk("data that is nested too deeply, or has a number that is too long") from error
        yield value
        while at < len(data) and data[at] in " \t\r\n,":
            at += 1


def chunk_of(value: object) -> Chunk:
    """A decoded JSON value as a chunk; fields of the wrong type count as absent. Raises BadChunk, and nothing else."""
    try:
        return _chunk(value)
    except BadChunk:
        raise
    except Exception as error:
        raise BadChunk("a chunk that cannot be read") from error  # one odd frame must not end more than its response


def _chunk(value: object) -> Chunk:
    if not isinstance(value, dict):
        if (error := error_of(value)) is not None:
            return Chunk(error=error)
        raise BadChunk("a chunk that is not a JSON object")
    choices = value.get("choices")
    return Chunk(
        choices=tuple(_choice(choice) for choice in choices if isinstance(choice, dict))
        if isinstance(choices, list)
        else (),
        usage=usage_of(value.get("usage")) or _predicted(value.get("timings")),
        error=error_of(value),
        model=whole(_text(value.get("model"))),
        id=whole(_text(value.get("id"))),
        queue_position=_position(value.get("queued")),
        busy=_busy(value.get("busy")),
    )


def _choice(choice: dict[str, Any]) -> ChoiceDelta:
    delta = _delta(choice)
    text = thinking = message = ""
    error, logprobs = error_of(choice), choice.get("logprobs")
    try:
        text, thinking = text_of(_content(delta))
        if not text and delta is choice.get("delta"):
            text = _flat_text(choice.get("text"))
            message = _message(choice.get("message"))
    except UnknownContent as unknown:
        error = error or ErrorBody(message=f"the server sent {unknown}", type="api_error", code="backend_error")
    return ChoiceDelta(
        index=choice_index(choice.get("index")),
        text=text or _text(delta.get("refusal")),
        thinking=thinking or _thinking(delta),
        tools=tool_pieces(delta),
        finish_reason=reason_of(choice.get("finish_reason")),
        error=error,
        logprobs=logprobs if isinstance(logprobs, dict) else None,
        message=message,
    )


def choice_index(value: object) -> int:
    """A choice's index as it was sent. None is 0: some servers leave zeros out. Anything that is no number is -1, which no choice has."""
    if value is None:
        return 0
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 5:
        return int(value)
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value if type(value) is int else -1


def _delta(choice: dict[str, Any]) -> dict[str, Any]:
    """What a choice says: its delta, its whole message, or its text. A delta that is no object counts as content."""
    for said in (choice.get("delta"), choice.get("message")):
        if isinstance(said, dict):
            return said
        if said:
            return {"content": said}
    return {"content": choice.get("text")}


def _content(delta: dict[str, Any]) -> object:
    content = delta.get("content")
    return delta.get("text") if content is None else content


def _flat_text(value: object) -> str:
    return "".join(text_of(value))


def _message(message: object) -> str:
    """The text of a whole message beside a delta."""
    return _flat_text(_content(message) if isinstance(message, dict) else message or None)


def _thinking(delta: dict[str, Any]) -> str:
    """The thinking that stands beside the content, a text or parts."""
    for name in ("reasoning", "reasoning_content"):
        try:
            if found := "".join(text_of(delta.get(name))):
                return found
        except UnknownContent:
            continue  # thinking is not the answer: what cannot be read of it costs nothing
    return ""


def usage_of(value: object) -> Usage | None:
    """The usage in a chunk or an answer; None if the value is not one."""
    if not isinstance(value, dict):
        return None
    return Usage(
        prompt_tokens=_count(value.get("prompt_tokens")),
        completion_tokens=_count(value.get("completion_tokens")),
        cached_tokens=_detail(value, "prompt_tokens_details", "cached_tokens"),
        thinking_tokens=_detail(value, "completion_tokens_details", "reasoning_tokens"),
    )


def _predicted(timings: object) -> Usage | None:
    """llama.cpp's running token count of a choice, which it sends instead of usage."""
    if not isinstance(timings, dict) or not isinstance(timings.get("predicted_n"), int):
        return None
    read, written = _count(timings.get("prompt_n")), _count(timings["predicted_n"])
    return Usage(prompt_tokens=read, completion_tokens=written, is_prompt_partial=True)


def _position(queued: object) -> int | None:
    """The queue position in a queue notice."""
    position = queued.get("position") if isinstance(queued, dict) else None
    return position if type(position) is int and position >= 0 else None


def _busy(busy: object) -> Busy | None:
    if not isinstance(busy, dict):
        return None
    choices, wait = busy.get("choices"), busy.get("retry_in_s")
    return Busy(
        choices=tuple(index for index in choices if type(index) is int) if isinstance(choices, list) else (),
        code=whole(_text(busy.get("code"))),
        message=whole(_text(busy.get("message")))[:MAX_MESSAGE_BYTES],
        retry_in_s=float(wait) if isinstance(wait, int | float) and 0 <= wait <= MAX_TOKENS else 0.0,
    )


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _detail(usage: dict[str, Any], group: str, name: str) -> int:
    details = usage.get(group)
    return _count(details.get(name)) if isinstance(details, dict) else 0


def _count(value: object) -> int:
    """A number of tokens; anything else counts as absent."""
    return value if isinstance(value, int) and 0 <= value <= MAX_TOKENS else 0
