"""The OpenAI chat dialect, as servers really speak it: chunks read into parts, whatever small print they differ in.

Sources: OpenAI's chat-completions reference; vLLM (`delta.reasoning`, older `delta.reasoning_content`, usage on every chunk with
`continuous_usage_stats`, a last chunk with no choices); llama.cpp (`timings`); servers that put several JSON objects on one line.
"""

import json
from collections.abc import Iterator
from typing import Any

import msgspec

from dce.wire.errors import ErrorBody, error_of

DONE = "[DONE]"
"""The data of the last event of an OpenAI stream. It says that the server stopped talking, not that it succeeded."""


MAX_TOKENS = 2**40
"""More than any response has; a broken server's larger number would not fit a database."""


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Exact token counts as the server gives them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0


class ChoiceDelta(msgspec.Struct, frozen=True, kw_only=True):
    """What one chunk adds to one choice. `finish_reason` is None until the model ends it."""

    index: int
    text: str = ""
    thinking: str = ""
    finish_reason: str | None = None
    error: ErrorBody | None = None


class Chunk(msgspec.Struct, frozen=True, kw_only=True):
    """One JSON object of a stream. `usage` is of the choice when `choices` has one, else the sum over all choices.

    `queue_position`: a DCE gateway makes the request wait; 1 is next, 0 says that its turn has come.
    """

    choices: tuple[ChoiceDelta, ...] = ()
    usage: Usage | None = None
    error: ErrorBody | None = None
    model: str = ""
    id: str = ""
    queue_position: int | None = None


class BadChunk(ValueError):
    """An event whose data is not JSON."""


def read_chunks(data: str) -> list[Chunk]:
    """The chunks in one event's data. Raises BadChunk."""
    return [chunk_of(value) for value in read_values(data)]


def read_values(data: str) -> list[Any]:
    """The JSON values in one event's data: usually one; some servers put several on a line. Raises BadChunk."""
    try:
        return [msgspec.json.decode(data)]
    except (msgspec.DecodeError, RecursionError):
        return list(_values(data))


def _values(data: str) -> Iterator[Any]:
    decoder, at = json.JSONDecoder(), 0
    while at < len(data):
        try:
            value, at = decoder.raw_decode(data, at)
        except (json.JSONDecodeError, RecursionError) as error:
            raise BadChunk(f"data that is not JSON at character {at}") from error
        yield value
        while at < len(data) and data[at] in " \t\r\n,":
            at += 1


def chunk_of(value: object) -> Chunk:
    """A decoded JSON value as a chunk; fields of a wrong type count as absent."""
    if not isinstance(value, dict):
        raise BadChunk("a chunk that is not a JSON object")
    choices = value.get("choices")
    return Chunk(
        choices=tuple(_choice(choice) for choice in choices if isinstance(choice, dict))
        if isinstance(choices, list)
        else (),
        usage=usage_of(value.get("usage")) or _predicted(value.get("timings")),
        error=error_of(value),
        model=_text(value.get("model")),
        id=_text(value.get("id")),
        queue_position=_position(value.get("queued")),
    )


def _choice(choice: dict[str, Any]) -> ChoiceDelta:
    delta = choice.get("delta")
    if not isinstance(delta, dict):
        message = choice.get("message")
        delta = message if isinstance(message, dict) else {"content": choice.get("text")}
    index = choice.get("index")
    finish = choice.get("finish_reason")
    return ChoiceDelta(
        index=index if isinstance(index, int) else 0,
        text=_text(delta.get("content")),
        thinking=_text(delta.get("reasoning")) or _text(delta.get("reasoning_content")),
        finish_reason=finish if isinstance(finish, str) else None,
        error=error_of(choice),
    )


def usage_of(value: object) -> Usage | None:
    """The usage object of a chunk or an answer, if it is one."""
    if not isinstance(value, dict):
        return None
    return Usage(
        prompt_tokens=_count(value.get("prompt_tokens")),
        completion_tokens=_count(value.get("completion_tokens")),
        cached_tokens=_detail(value, "prompt_tokens_details", "cached_tokens"),
        thinking_tokens=_detail(value, "completion_tokens_details", "reasoning_tokens"),
    )


def _predicted(timings: object) -> Usage | None:
    """llama.cpp's count of a running choice's tokens, which stands where others have usage."""
    if not isinstance(timings, dict) or not isinstance(timings.get("predicted_n"), int):
        return None
    return Usage(prompt_tokens=_count(timings.get("prompt_n")), completion_tokens=_count(timings["predicted_n"]))


def _position(queued: object) -> int | None:
    """The place in the gateway's queue, of a frame that says only that."""
    position = queued.get("position") if isinstance(queued, dict) else None
    return position if type(position) is int and position >= 0 else None


def _text(value: object) -> str:
    return value if isinstance(value, str) else ""


def _detail(usage: dict[str, Any], group: str, name: str) -> int:
    details = usage.get(group)
    return _count(details.get(name)) if isinstance(details, dict) else 0


def _count(value: object) -> int:
    """A number of tokens; what cannot be one counts as absent."""
    return value if isinstance(value, int) and 0 <= value <= MAX_TOKENS else 0
