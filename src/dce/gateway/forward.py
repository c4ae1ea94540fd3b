"""The pass-through: an OpenAI request to the backend that serves its model, answered byte for byte; models and token counts."""

from collections.abc import Mapping
from typing import Any

from dce.gateway.backend_call import post
from dce.gateway.body import ForwardBody, decode, encode_request, read_forward, with_fields
from dce.gateway.catalog import Catalog
from dce.gateway.kinds import TOKENIZE_PATH, Model
from dce.gateway.relay import Relay
from dce.gateway.request import NO_BUFFERING, Request
from dce.gateway.routing import Policy
from dce.gateway.settings import GatewaySettings
from dce.gateway.transport import Exchange, Transport
from dce.gateway.waiting import until_finished
from dce.wire.errors import DceError


class Forwarder:
    """Answers the /v1 routes and /tokenize."""

    def __init__(self, settings: GatewaySettings, catalog: Catalog, policy: Policy, transport: Transport) -> None:
        self._settings = settings
        self._catalog = catalog
        self._policy = policy
        self._transport = transport

    async def forward(self, request: Request) -> None:
        """An OpenAI request, passed to the backend that serves its model and answered byte for byte."""
        ask = read_forward(await request.body(self._settings.max_body_bytes), max_n=self._settings.max_n)
        model = self._catalog.resolve(ask.model)
        upstream = self._policy.choose(self._catalog.candidates(model.id))
        weight = ask.fields.get("n") or 1
        upstream.in_flight += weight
        try:
            exchange = await post(
                self._transport,
                upstream,
                request.scope["path"],
                _forward_pieces(ask, model, upstream.kind.salted(request.principal.cache_salt)),
                request.id,
            )
            if exchange.header(b"content-type").startswith(b"text/event-stream"):
                await self._relay_events(request, exchange)
            else:
                await request.answer(exchange.status, await exchange.read())
        finally:
            upstream.in_flight -= weight

    async def _relay_events(self, request: Request, exchange: Exchange) -> None:
        relay = Relay(exchange, request.wire, request.id)
        try:
            await request.start(exchange.status, NO_BUFFERING)
            request.wire.on_writable = relay.resume
            relay.start()
            await until_finished(relay, request, self._settings)
            await request.finish(patience_s=self._settings.write_stall_timeout_s)
        finally:
            relay.close()

    async def models(self, request: Request) -> None:
        """The served models and the aliases, as OpenAI lists them, with their context sizes. None: an error says why."""
        models = self._catalog.models()
        if not models:
            raise self._catalog.nothing_up()
        rows = [
            {"id": model.id, "object": "model", "created": 0, "owned_by": "dce", "max_model_len": model.max_model_len}
            for model in models
        ]
        await request.answer(200, {"object": "list", "data": rows})

    async def tokenize(self, request: Request) -> None:
        """The exact number of tokens of a text, counted by the model's own tokenizer, whatever the kind of backend."""
        fields = decode(await request.body(self._settings.max_body_bytes))
        prompt, asked = fields.get("prompt"), fields.get("model")
        if not isinstance(prompt, str):
            raise DceError("invalid_request", "prompt must be a text")
        model = self._catalog.resolve(asked if isinstance(asked, str) else "")
        upstream = self._policy.choose(self._catalog.candidates(model.id))
        pieces = [encode_request(upstream.kind.tokenize_request(model.id, prompt))]
        exchange = await post(self._transport, upstream, TOKENIZE_PATH, pieces, request.id)
        count = upstream.kind.token_count(decode(await exchange.read()))
        await request.answer(200, {"count": count, "max_model_len": model.max_model_len, "model": model.id})


def _forward_pieces(ask: ForwardBody, model: Model, own: Mapping[str, Any]) -> list[bytes]:
    """The body as it came, or encoded anew when the model's name or a stripped field made that necessary; then our fields."""
    is_kept = ask.model == model.id and not ask.is_changed
    bulk = ask.raw if is_kept else encode_request({**ask.fields, "model": model.id})
    return with_fields(bulk.rstrip(), own) if own else [bulk]
