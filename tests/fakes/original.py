"""A stand-in for the original extension (v1.2.0): what it sends for one response, and how its loop reads the stream.

Written from the description of its behaviour, faults included: each network chunk is decoded by itself; only `data: ` lines count, and in
them only `choices[0]`; a `finish_reason` that is not null, or is missing, means complete and the frame's text is lost; a broken
connection leaves the slot without an end for ever.
"""

import json
from dataclasses import dataclass
from typing import Any

import httpx2

MODEL = "unsloth/gpt-oss-20b"
_MISSING = object()


@dataclass
class Slot:
    """One response as the original keeps it. It shows `status`, and `content` as the answer."""

    status: str = "pending"
    content: str = ""
    thinking: str = ""
    http_status: int = 0
    is_stuck: bool = False
    """The connection broke: nothing ever ends this slot."""
    saw_complete_at: int | None = None
    """After how many data lines it first believed the response complete."""
    lines: int = 0


def ask(url: str, prompt: str = "Say something.", model: str = MODEL, piece_bytes: int | None = None) -> Slot:
    """One response. `piece_bytes`: the size of the network's chunks."""
    body = {
        "model": model,
        "messages": [{"role": "user", "content": prompt}],
        "max_tokens": 16384,
        "stream": True,
        "reasoning_effort": "medium",
        "n": 1,
    }
    slot = Slot()
    with (
        httpx2.Client(trust_env=False, timeout=60) as client,
        client.stream("POST", url, content=json.dumps(body), headers={"content-type": "application/json"}) as response,
    ):
        slot.http_status = response.status_code
        if not 200 <= response.status_code < 300:
            slot.status = "error"
            return slot
        try:
            _read(slot, response, piece_bytes)
        except httpx2.TransportError:
            slot.is_stuck = True
    return slot


def _read(slot: Slot, response: httpx2.Response, piece_bytes: int | None) -> None:
    buffer = ""
    for piece in response.iter_raw(piece_bytes):
        buffer += piece.decode("utf-8", "replace")
        while (end := buffer.find("\n\n")) != -1:
            message, buffer = buffer[:end], buffer[end + 2 :]
            for line in message.split("\n"):
                if line.startswith("data: ") and (data := line[6:].strip()) != "[DONE]":
                    slot.lines += 1
                    _take(slot, data)


def _take(slot: Slot, data: str) -> None:
    try:
        value = json.loads(data)
    except ValueError:
        return
    choices = value.get("choices")
    choice: Any = choices[0] if choices else {}
    if choice.get("finish_reason", _MISSING) is not None:
        slot.status = "complete"
        slot.saw_complete_at = slot.saw_complete_at or slot.lines
        return
    delta = choice.get("delta") or {}
    if delta.get("reasoning_content"):
        slot.status = "thinking"
        slot.thinking += delta["reasoning_content"]
    if delta.get("content"):
        slot.status = "generating"
        slot.content += delta["content"]
