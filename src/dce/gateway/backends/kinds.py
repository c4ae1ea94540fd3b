"""Differences between inference servers, one class per kind. A new kind of server is a new class and a row in `KINDS`.

Measured on the servers: vLLM 0.32 shares the prefill of concurrent requests, so N requests cost no more than one with n=N, and each
can be stopped separately; llama.cpp computes the prompt again for each request, so it gets one request with n=N.
"""

from collections.abc import Callable, Mapping
from typing import Any, Literal, Protocol

import msgspec

from dce.wire.errors import DceError

TOKENIZE_PATH = "/tokenize"


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A served model. `max_model_len` is its context in tokens, None if the server does not report it."""

    id: str
    max_model_len: int | None = None


class Kind(Protocol):
    """One kind of server."""

    name: str
    n_strategy: Literal["fanout", "native"]
    props_path: str
    template_path: str
    """Where a conversation becomes one text; empty if `/tokenize` takes conversations itself."""

    def recognises(self, owned_by: str) -> bool:
        """Whether a model card with this `owned_by` comes from this kind of server."""

    def models(self, cards: list[dict[str, Any]]) -> list[Model]:
        """The served models, from the model cards in `/v1/models`."""

    def native_limit(self, props: Mapping[str, Any]) -> int | None:
        """The largest `n` per request, None if there is no limit; `props` is the answer at `props_path`."""

    def adapt(self, fields: dict[str, Any]) -> dict[str, Any]:
        """Request fields in this server's dialect."""

    def can_continue(self, model: str) -> bool:
        """Whether it can continue a partial answer, even in the middle of a line."""

    def salted(self, salt: str) -> dict[str, Any]:
        """The field that separates callers in the prefix cache, whose timing would otherwise reveal others' prompts."""

    def stream_fields(self) -> dict[str, Any]:
        """The fields that request a stream with running token counts (if supported) and a final usage."""

    def tokenize_request(self, model: str, prompt: str, *, is_whole: bool = False) -> dict[str, Any]:
        """The body of a `/tokenize` request. `is_whole`: the text is all the model gets, so that tokens it begins with count too."""

    def token_count(self, answer: Mapping[str, Any]) -> int:
        """The token count in a `/tokenize` answer."""


def _models(cards: list[dict[str, Any]], context_of: Callable[[dict[str, Any]], Any]) -> list[Model]:
    rows = [(card.get("id"), context_of(card)) for card in cards]
    return [
        Model(id=name, max_model_len=size if isinstance(size, int) else None)
        for name, size in rows
        if isinstance(name, str) and name
    ]


def _structured(fields: dict[str, Any]) -> dict[str, Any]:
    """Translates `grammar`, DCE's name, to vLLM's `structured_outputs.grammar`."""
    if "grammar" not in fields:
        return fields
    rest = {name: value for name, value in fields.items() if name != "grammar"}
    return {**rest, "structured_outputs": {**rest.get("structured_outputs", {}), "grammar": fields["grammar"]}}


CONTINUING = frozenset({"continue_final_message", "add_generation_prompt"})
"""vLLM's fields for continuing the conversation's last message."""


def _without_continuing(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in fields.items() if name not in CONTINUING}


def _has_open_end(model: str) -> bool:
    """gpt-oss closes every message of a conversation: a partial answer would be replied to, not continued."""
    return "gpt-oss" not in model.lower()


def _listed(answer: Mapping[str, Any]) -> int:
    tokens = answer.get("tokens")
    if not isinstance(tokens, list):
        raise DceError("backend_error", "the backend's /tokenize answer holds no tokens")
    return len(tokens)


class Other:
    """Any OpenAI-compatible server, with minimal assumptions. One request per response, since many ignore `n`."""

    name = "other"
    n_strategy: Literal["fanout", "native"] = "fanout"
    props_path = ""
    template_path = ""

    def recognises(self, owned_by: str) -> bool:
        del owned_by
        return True

    def models(self, cards: list[dict[str, Any]]) -> list[Model]:
        return _models(cards, lambda card: card.get("max_model_len"))

    def native_limit(self, props: Mapping[str, Any]) -> int | None:
        del props
        return None

    def adapt(self, fields: dict[str, Any]) -> dict[str, Any]:
        return _structured(_without_continuing(fields))

    def can_continue(self, model: str) -> bool:
        del model
        return False

    def salted(self, salt: str) -> dict[str, Any]:
        del salt  # no such field is known
        return {}

    def stream_fields(self) -> dict[str, Any]:
        return {"stream": True, "stream_options": {"include_usage": True}}

    def tokenize_request(self, model: str, prompt: str, *, is_whole: bool = False) -> dict[str, Any]:
        del is_whole  # no such field is known
        return {"model": model, "prompt": prompt}

    def token_count(self, answer: Mapping[str, Any]) -> int:
        count = answer.get("count")
        return count if isinstance(count, int) else _listed(answer)


class Vllm(Other):
    """vLLM's OpenAI server."""

    name = "vllm"

    def recognises(self, owned_by: str) -> bool:
        return owned_by == "vllm"

    def adapt(self, fields: dict[str, Any]) -> dict[str, Any]:
        return _structured(fields)

    def can_continue(self, model: str) -> bool:
        return _has_open_end(model)

    def salted(self, salt: str) -> dict[str, Any]:
        return {"cache_salt": salt} if salt else {}

    def stream_fields(self) -> dict[str, Any]:
        return {"stream": True, "stream_options": {"include_usage": True, "continuous_usage_stats": True}}

    def tokenize_request(self, model: str, prompt: str, *, is_whole: bool = False) -> dict[str, Any]:
        return {"model": model, "prompt": prompt, "add_special_tokens": is_whole}


class LlamaCpp:
    """llama.cpp's server, the embedded engine's too."""

    name = "llama.cpp"
    n_strategy: Literal["fanout", "native"] = "native"
    props_path = "/props"
    template_path = "/apply-template"

    def recognises(self, owned_by: str) -> bool:
        return owned_by == "llamacpp"

    def models(self, cards: list[dict[str, Any]]) -> list[Model]:
        return _models(cards, lambda card: card["meta"].get("n_ctx") if isinstance(card.get("meta"), dict) else None)

    def native_limit(self, props: Mapping[str, Any]) -> int | None:
        slots = props.get("total_slots")
        return slots if isinstance(slots, int) and slots > 0 else None

    def adapt(self, fields: dict[str, Any]) -> dict[str, Any]:
        rest = {name: value for name, value in _without_continuing(fields).items() if name != "structured_outputs"}
        grammar = fields.get("structured_outputs", {}).get("grammar")
        return {**rest, "grammar": grammar} if isinstance(grammar, str) else rest

    def can_continue(self, model: str) -> bool:
        return _has_open_end(model)  # unasked, whenever the last message is the assistant's

    def salted(self, salt: str) -> dict[str, Any]:
        del salt  # it has no such field
        return {}

    def stream_fields(self) -> dict[str, Any]:
        # Its frames carry no usage while they run, but the number of tokens predicted so far if asked for timings.
        return {"stream": True, "stream_options": {"include_usage": True}, "timings_per_token": True}

    def tokenize_request(self, model: str, prompt: str, *, is_whole: bool = False) -> dict[str, Any]:
        return {"model": model, "content": prompt, "add_special": is_whole}

    def token_count(self, answer: Mapping[str, Any]) -> int:
        return _listed(answer)


KINDS: tuple[Kind, ...] = (Vllm(), LlamaCpp(), Other())


def recognise(cards: list[dict[str, Any]]) -> Kind:
    """The kind of server that answers `/v1/models` with these cards."""
    owner = str(cards[0].get("owned_by", "")) if cards else ""
    return next(kind for kind in KINDS if kind.recognises(owner))
