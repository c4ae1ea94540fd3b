"""The request to a provider, its JSON form, and the events that the provider emits."""

from typing import Any, Literal

import msgspec

from dce.wire.errors import ErrorBody
from dce.workspace.context.pictures import content_of
from dce.workspace.record.pictures import Picture


class Turn(msgspec.Struct, frozen=True, kw_only=True):
    """One message of a conversation after its prompt."""

    role: Literal["assistant", "user"]
    text: str

    def __repr__(self) -> str:
        return f"Turn({self.role}, {len(self.text)} characters)"


class GenerationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request for `n` answers to one prompt. A None field is not sent; the gateway's or model's default applies.

    `temperatures`, `seeds`: one per choice, for providers that request each choice separately; () means `temperature`, `seed` for all.
    `pictures` are sent with the prompt, `turns` follow it. `prefix`: the beginning of the answer to continue; `is_asked_in_words`: request the
    continuation by a message, for a server without prefill.
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
    turns: tuple[Turn, ...] = ()
    prefix: str = ""
    pictures: tuple[Picture, ...] = ()
    is_asked_in_words: bool = False

    def __repr__(self) -> str:
        return f"GenerationRequest(n={self.n}, model={self.model!r}, prompt of {len(self.prompt)} characters)"


class Opened(msgspec.Struct, frozen=True, kw_only=True):
    """The provider accepted the request, and it is no longer queued. Sent again once the model's name is known."""

    stream_id: str
    model: str = ""


class Queued(msgspec.Struct, frozen=True, kw_only=True):
    """The request is queued; `position` 1 is next."""

    position: int


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One choice waits for a server that takes no request right now: `why`, and the seconds until it is asked again."""

    index: int
    why: str
    retry_in_s: float


class Delta(msgspec.Struct, frozen=True, kw_only=True):
    """New text or thinking of one choice. `index` counts choices from 0."""

    index: int
    text: str = ""
    thinking: str = ""


class CountUpdate(msgspec.Struct, frozen=True, kw_only=True):
    """The backend's own token count of one choice so far, thinking plus answer. `prompt_tokens`: of the prompt, 0 if it does not say."""

    index: int
    completion_tokens: int
    prompt_tokens: int = 0


class Ended(msgspec.Struct, frozen=True, kw_only=True):
    """One choice ended. With an `error`, or without a finish_reason, it is incomplete."""

    index: int
    finish_reason: str = ""
    error: ErrorBody | None = None


ProviderEvent = Opened | Queued | Waiting | Delta | CountUpdate | Ended


CONTINUE_REQUEST = """\
Your answer was cut off. Go on from exactly where it stops, in the same form, as if it had never stopped. Begin by repeating its last \
line, which is the following, and write nothing before it:

"""


def conversation(request: GenerationRequest) -> dict[str, Any]:
    """The request body's fields for the conversation so far."""
    messages: list[dict[str, Any]] = [{"role": "user", "content": content_of(request.prompt, request.pictures)}]
    messages += [{"role": turn.role, "content": turn.text} for turn in request.turns]
    if not request.prefix:
        return {"messages": messages}
    messages.append({"role": "assistant", "content": request.prefix})
    if not request.is_asked_in_words:
        return {"messages": messages, "continue_final_message": True, "add_generation_prompt": False}
    last_line = request.prefix.rstrip().rpartition("\n")[2]
    return {"messages": [*messages, {"role": "user", "content": CONTINUE_REQUEST + last_line}]}
