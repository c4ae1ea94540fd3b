"""What the scripted backend says on the routes that are not chat: the Messages, Responses and Embeddings APIs, as vLLM 0.32 does."""

import json
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

PROMPT_TOKENS = 3


class Spoken(NamedTuple):
    """A whole answer and the events of a streamed one, from the body and the words to say."""

    whole: Callable[[Any, Sequence[str]], Any]
    events: Callable[[Any, Sequence[str]], list[bytes]]


def _event(value: dict[str, Any]) -> bytes:
    data = json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
    return b"event: %b\ndata: %b\n\n" % (value["type"].encode(), data)


def _message(body: Any, words: Sequence[str]) -> dict[str, Any]:
    return {
        "id": "msg_f",
        "type": "message",
        "role": "assistant",
        "model": body["model"],
        "content": [{"type": "text", "text": "".join(words)}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": len(words)},
    }


def _message_events(body: Any, words: Sequence[str]) -> list[bytes]:
    begun = {**_message(body, []), "content": [], "stop_reason": None}
    block: dict[str, Any] = {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    deltas: list[dict[str, Any]] = [
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": word}} for word in words
    ]
    ended: dict[str, Any] = {
        "type": "message_delta",
        "delta": {"stop_reason": "end_turn", "stop_sequence": None},
        "usage": {"input_tokens": PROMPT_TOKENS, "output_tokens": len(words)},
    }
    last: list[dict[str, Any]] = [{"type": "content_block_stop", "index": 0}, ended, {"type": "message_stop"}]
    return [_event(value) for value in ({"type": "message_start", "message": begun}, block, *deltas, *last)]


def _response(body: Any, words: Sequence[str], status: str = "completed") -> dict[str, Any]:
    part = {"type": "output_text", "text": "".join(words), "annotations": []}
    output = {"id": "m", "type": "message", "role": "assistant", "status": status, "content": [part] if words else []}
    return {
        "id": "resp_f",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": body["model"],
        "output": [output],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        "usage": {
            "input_tokens": PROMPT_TOKENS,
            "output_tokens": len(words),
            "total_tokens": PROMPT_TOKENS + len(words),
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    }


def _response_events(body: Any, words: Sequence[str]) -> list[bytes]:
    place = {"item_id": "m", "output_index": 0, "content_index": 0}
    deltas: list[dict[str, Any]] = [
        {"type": "response.output_text.delta", "delta": word, "logprobs": [], **place} for word in words
    ]
    ended: dict[str, Any] = {"type": "response.completed", "response": _response(body, words)}
    begun: dict[str, Any] = {"type": "response.created", "response": _response(body, [], "in_progress")}
    return [_event({**value, "sequence_number": at}) for at, value in enumerate([begun, *deltas, ended])]


def _vectors(body: Any, words: Sequence[str]) -> dict[str, Any]:
    del words
    texts = body["input"] if isinstance(body["input"], list) else [body["input"]]
    rows = [{"object": "embedding", "index": at, "embedding": [0.5, float(at)]} for at in range(len(texts))]
    usage = {"prompt_tokens": PROMPT_TOKENS, "total_tokens": PROMPT_TOKENS}
    return {"object": "list", "data": rows, "model": body["model"], "usage": usage}


def _counted(body: Any, words: Sequence[str]) -> dict[str, Any]:
    del words
    texts = [body.get("system") or "", *(message["content"] for message in body["messages"])]
    return {"input_tokens": sum(len(str(text).split()) for text in texts)}


SPOKEN: dict[str, Spoken] = {
    "/v1/messages/count_tokens": Spoken(_counted, lambda body, words: []),
    "/v1/messages": Spoken(_message, _message_events),
    "/v1/responses": Spoken(_response, _response_events),
    "/v1/embeddings": Spoken(_vectors, lambda body, words: []),
}
