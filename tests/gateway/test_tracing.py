"""Traces: off by default; on, one span a request that knows ids and counts and no content, and hangs where it should."""

from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import format_span_id, format_trace_id

from dce.gateway.access.keys import KeyStore
from dce.gateway.server import GatewayServer
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.gateway.tracing import Tracing, tracing_of
from tests.fakes.chain import PROXY, Chain, client_of, eventually
from tests.fakes.vllm import FakeVllm

TRACE, PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"


class Traced:
    """A gateway whose spans are kept in memory."""

    def __init__(self, folder: Path, fake: FakeVllm) -> None:
        keys = KeyStore(folder)
        self.key = keys.create("ann")[1]
        keys.close()
        self.fake = fake
        self.exporter = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        settings = GatewaySettings(
            port=0, no_admin=True, data_dir=str(folder), backends=(BackendSettings(url=fake.url),)
        )
        self.server = GatewayServer(settings, tracing=Tracing(provider))

    def ask(self, headers: dict[str, str] | None = None, **fields: object) -> httpx2.Response:
        body = {"messages": [{"role": "user", "content": "canary-in-the-prompt"}], "n": 2, "stream": False, **fields}
        with client_of(self.server.url, self.key) as client:
            return client.post(PROXY, json=body, headers=headers)

    def span(self) -> ReadableSpan:
        """The span of the one request."""
        eventually(self.exporter.get_finished_spans)
        (span,) = self.exporter.get_finished_spans()
        return span


@pytest.fixture
def traced(tmp_path: Path) -> Iterator[Traced]:
    """Served."""
    with FakeVllm() as fake:
        traced = Traced(tmp_path, fake)
        with traced.server:
            yield traced


def test_a_span_has_ids_and_counts(traced: Traced) -> None:
    """A request's span is named by method and route and has its id, key, model, responses, tokens, backend and outcome."""
    answer = traced.ask()
    span = traced.span()
    attributes = dict(span.attributes or {})
    assert span.name == f"POST {PROXY}"
    assert attributes["dce.request_id"] == answer.headers["x-request-id"]
    assert (attributes["gen_ai.request.model"], attributes["dce.responses"]) == ("fake-7b", 2)
    assert (attributes["http.response.status_code"], attributes["dce.outcome"]) == (200, "done")
    assert attributes["dce.backend"] == traced.fake.url
    assert int(str(attributes["dce.tokens"])) > 0


def test_a_span_holds_no_content(traced: Traced) -> None:
    """Neither prompt nor answer nor key is in a span."""
    traced.ask()
    shown = traced.span().to_json()
    assert not [word for word in ("canary", "Grüße", traced.key) if word in shown]


def test_it_hangs_below_the_caller_and_the_backend_below_it(traced: Traced) -> None:
    """A caller's trace goes on through the gateway to every request at the backend."""
    traced.ask({"traceparent": f"00-{TRACE}-{PARENT}-01"})
    span = traced.span()
    assert span.context is not None
    assert span.parent is not None
    assert (format_trace_id(span.context.trace_id), format_span_id(span.parent.span_id)) == (TRACE, PARENT)
    sent = {request.headers["traceparent"] for request in traced.fake.posts()}
    assert sent == {f"00-{TRACE}-{format_span_id(span.context.span_id)}-01"}


@pytest.mark.parametrize("forged", ["", "00-zz-zz-01", "x" * 5000, "00-" + "0" * 32 + "-" + "0" * 16 + "-01"])
def test_a_forged_context_begins_a_new_trace(traced: Traced, forged: str) -> None:
    """What is no trace context is not passed on: the span is a root, and the backend sees well-formed ids of ours."""
    traced.ask({"traceparent": forged} if forged else None)
    span = traced.span()
    assert span.parent is None
    assert span.context is not None
    assert all(
        request.headers["traceparent"].split("-")[1] == format_trace_id(span.context.trace_id)
        for request in traced.fake.posts()
    )


def test_a_failure_is_one_in_the_trace(traced: Traced) -> None:
    """A refused request is an ordinary span with its code; a backend's failure is marked as an error."""
    traced.ask(model="no-such-model")
    span = traced.span()
    assert (dict(span.attributes or {})["dce.outcome"], span.status.is_unset) == ("model_not_found", True)
    traced.exporter.clear()
    traced.fake.behaviour.fault = "html"
    traced.ask()
    failed = traced.span()
    assert (dict(failed.attributes or {})["dce.outcome"], failed.status.status_code.name) == ("backend_error", "ERROR")


def test_off_by_default(chain: Chain) -> None:
    """Without the setting there is no tracing, and a caller's trace context goes no further."""
    assert tracing_of(GatewaySettings()) is None
    with client_of(chain.server.url, chain.key) as client:
        client.post(PROXY, json=chain.body(stream=False), headers={"traceparent": f"00-{TRACE}-{PARENT}-01"})
    assert not [request for request in chain.fake.posts() if "traceparent" in request.headers]


def test_on_by_the_setting() -> None:
    """The setting makes a tracing that exports where OpenTelemetry's variables say; closing it ends its thread."""
    tracing = tracing_of(GatewaySettings(tracing=True))
    assert tracing is not None
    tracing.close()
