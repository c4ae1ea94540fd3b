"""Routes that generate nothing: the served models, and exact token counts by the model's own tokenizer. They take no turn in the queue."""

from typing import Any

from dce.gateway.backends.backend import Backend
from dce.gateway.backends.kinds import TOKENIZE_PATH, Model
from dce.gateway.backends.routing import AffinityKey
from dce.gateway.front.body import decode, encode_request, read_forward
from dce.gateway.front.request import Request
from dce.gateway.paths.backend_call import post
from dce.gateway.paths.intake import Intake
from dce.wire.errors import DceError

COUNT_PATH = "/v1/messages/count_tokens"
_COUNTED = ("messages", "tools", "add_generation_prompt", "continue_final_message", "chat_template_kwargs")
"""The fields of a conversation that its token count depends on."""
_UNKNOWN_DATE = "1970-01-01T00:00:00Z"


class Lookups:
    """Answers for `/v1/models`, `/tokenize` and `/v1/messages/count_tokens`."""

    def __init__(self, intake: Intake) -> None:
        self._intake = intake
        self._settings = intake.settings

    async def models(self, request: Request) -> None:
        """The served models and aliases, with their context sizes, as both APIs list them. If there are none, an error says why."""
        self._intake.admission.admit_lookup(request.principal)
        rows = [self._card(model) for model in self._intake.catalog.listed(request.principal.limits.models)]
        page = {"has_more": False, "first_id": rows[0]["id"], "last_id": rows[-1]["id"]}
        await request.answer(200, {"object": "list", "data": rows, **page})

    async def model(self, request: Request) -> None:
        """One served model or alias, by its name; `local-model` is the default one. Raises what `Catalog.resolve` raises."""
        self._intake.admission.admit_lookup(request.principal)
        asked = request.path_values["model"]
        resolved = self._intake.model(request, asked)
        listed = self._intake.catalog.listed(request.principal.limits.models)
        named = next((model for model in listed if model.id == asked), resolved)
        await request.answer(200, self._card(named))

    def _card(self, model: Model) -> dict[str, Any]:
        return {
            "id": model.id,
            "object": "model",
            "created": 0,
            "owned_by": "dce",
            "max_model_len": model.max_model_len,
            "can_continue": self._intake.catalog.can_continue(model.id),
            "type": "model",
            "display_name": model.id,
            "created_at": _UNKNOWN_DATE,
        }

    async def tokenize(self, request: Request) -> None:
        """The exact number of tokens of a text (`prompt`) or a conversation (`messages`), on any kind of backend."""
        self._intake.admission.admit_lookup(request.principal)
        body = await request.body(self._settings.max_body_bytes)
        fields = decode(body)
        prompt, messages, asked = fields.get("prompt"), fields.get("messages"), fields.get("model")
        if isinstance(messages, list) and messages and prompt is None:
            allowed = frozenset(self._settings.allowed_fields)
            fields = read_forward(body, max_n=self._settings.max_n, dialect=request.dialect, allowed=allowed).fields
        elif not isinstance(prompt, str):
            raise DceError(
                "invalid_request",
                "the body needs a prompt, which is a text, or messages, a list",
                hint='Send {"prompt": "…"} or {"messages": [{"role": "user", "content": "…"}]}.',
            )
        model = self._intake.model(request, asked if isinstance(asked, str) else "")
        backend = self._choose(request, model)
        wanted = await self._tokenize_request(request, backend, model, fields)
        count = backend.kind.token_count(await self._asked(request, backend, TOKENIZE_PATH, wanted))
        await request.answer(200, {"count": count, "max_model_len": model.max_model_len, "model": model.id})

    async def _tokenize_request(
        self, request: Request, backend: Backend, model: Model, fields: dict[str, Any]
    ) -> dict[str, Any]:
        """The body for the backend's tokenizer. Some servers must first be asked for the conversation as one text."""
        kind = backend.kind
        if isinstance(fields.get("prompt"), str):
            return kind.tokenize_request(model.id, fields["prompt"])
        conversation = {name: fields[name] for name in _COUNTED if fields.get(name) is not None}
        if not kind.template_path:
            return {"model": model.id, **conversation}
        answer = await self._asked(request, backend, kind.template_path, {"model": model.id, **conversation})
        text = answer.get("prompt")
        if not isinstance(text, str):
            raise DceError("backend_error", f"the backend's {kind.template_path} answer holds no prompt")
        return kind.tokenize_request(model.id, text, is_whole=True)

    async def count_message(self, request: Request) -> None:
        """Anthropic's count of a request's input tokens, by the backend's own route."""
        self._intake.admission.admit_lookup(request.principal)
        body = await request.body(self._settings.max_body_bytes)
        allowed = frozenset(self._settings.allowed_fields)
        ask = read_forward(body, max_n=self._settings.max_n, dialect=request.dialect, allowed=allowed)
        if not isinstance(ask.fields.get("messages"), list) or not ask.fields["messages"]:
            raise DceError("invalid_request", "messages must be a list with at least one message")
        model = self._intake.model(request, ask.model)
        answer = await self._asked(request, self._choose(request, model), COUNT_PATH, {**ask.fields, "model": model.id})
        count = answer.get("input_tokens")
        if not isinstance(count, int):
            raise DceError("backend_error", f"the backend's {COUNT_PATH} answer holds no input_tokens")
        await request.answer(200, {"input_tokens": count})

    def _choose(self, request: Request, model: Model) -> Backend:
        return self._intake.dispatcher.choose(model.id, AffinityKey(owner=request.principal.cache_salt))

    async def _asked(self, request: Request, backend: Backend, path: str, fields: dict[str, Any]) -> dict[str, Any]:
        """The JSON answer of one small request to a backend."""
        pieces = [encode_request(fields)]
        exchange = await post(self._intake.transport, backend, path, pieces, request.id, request.traceparent)
        try:
            return decode(await exchange.read())
        except DceError as error:
            if error.code != "invalid_request":
                raise
            raise DceError("backend_error", f"the backend's {path} answer cannot be used: {error.message}") from None
