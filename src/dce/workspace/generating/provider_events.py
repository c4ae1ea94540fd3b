"""What is asked of a provider, as fields of a request too, and what it tells while it answers."""

from typing import Any

import msgspec

from dce.wire.errors import ErrorBody
from dce.workspace.context.pictures import content_of
from dce.workspace.record.pictures import Picture


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of a provider: `n` answers to one prompt. None: not sent, the gateway's or model's own value.

    `temperatures`, `seeds`: of each choice, for providers that ask for every one by itself; () is `temperature`, `seed` for all.
    `pictures` go with the prompt. `prefix`: the beginning of the answer, from which to go on; `is_asked_in_words` for a server that knows no such request.
    """

    prompt: str
    n: int
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None
    seed: int | None = None
    temperatures: tuple[float | None, ...] = ()
    seeds: tuple[int | None, ...] = ()
    reasoning_effort: str | None = None
    grammar: str | None = None
    prefix: str = ""
    pictures: tuple[Picture, ...] = ()
    is_asked_in_words: bool = False

    def __repr__(self) -> str:
        return f"GenerationRequest(n={self.n}, model={self.model!r}, prompt of {len(self.prompt)} characters)"


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The provider took the request; if it was queued, its turn has come. Sent again when the model's name is learnt."""

    stream_id: str
    model: str = ""


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """The request waits; `position` 1 is next."""

    position: int


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """Text or thinking that one choice gained. `index` counts choices from 0."""

    index: int
    text: str = ""
    thinking: str = ""


class CountUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The backend's own count of one choice so far, thinking and answer together."""

    index: int
    completion_tokens: int


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """One choice ended. With an `error`, or without a finish_reason, it is not whole."""

    index: int
    finish_reason: str = ""
    error: ErrorBody | None = None


ProviderEvent = Opened | Queued | Delta | CountUpdate | Ended


GO_ON = """\
Your answer was cut off. Go on from exactly where it stops, in the same form, as if it had never stopped. Begin by repeating its last \
line, which is the following, and write nothing before it:

"""


def conversation(request: GenerationRequest) -> dict[str, Any]:
    """The request's fields that say what was said so far."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": content_of(request.prompt, request.pictures)}]
    if not request.prefix:
        return {"messages": messages}
    messages.append({"role": "assistant", "content": request.prefix})
    if not request.is_asked_in_words:
        return {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}
    last_line = request.prefix.rstrip().rpartition("\n")[2]
    return {"messages": [*messages, {"role": "user", "content": GO_ON + last_line}]}
