"""OpenTelemetry traces, off unless `tracing` is set: one span per request, with ids, names, counts and times, never content.

OpenTelemetry's own variables configure the export (`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_SERVICE_NAME`, `OTEL_TRACES_SAMPLER`, …). A
caller's `traceparent` is the span's parent; the span's own is sent to the backend, so that vLLM's spans are its children. The libraries
are an extra (`dce[otel]`), imported only when tracing is on.
"""

from typing import TYPE_CHECKING

from dce.gateway.front.request import Request
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import CODES, DceError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.trace import Span

SERVICE_NAME = "dce-gateway"

FACTS = {"model": "gen_ai.request.model", "n": "dce.responses", "backend": "dce.backend", "tokens": "dce.tokens"}
"""Log fields → span attributes. Others are not exported, so that a new log field never becomes an attribute by accident."""


class RequestSpan:
    """The span of one request."""

    def __init__(self, span: "Span", traceparent: str) -> None:
        self._span = span
        self.traceparent = traceparent
        """W3C trace context for the requests this one causes."""

    def end(self, request: Request, outcome: str) -> None:
        """Ends the span. `outcome` is the log line's."""
        from opentelemetry.trace import Status, StatusCode  # noqa: PLC0415

        # The route's pattern, not the path: few names, and a path may contain anything.
        self._span.update_name(f"{request.scope['method']} {request.route or 'other'}")
        self._span.set_attribute("http.route", request.route)
        self._span.set_attribute("http.response.status_code", request.status)
        self._span.set_attribute("dce.request_id", request.id)
        self._span.set_attribute("dce.key_id", request.principal.key_id)
        self._span.set_attribute("dce.outcome", outcome)
        for fact, name in FACTS.items():
            if fact in request.log_fields:
                self._span.set_attribute(name, request.log_fields[fact])
        if outcome in CODES and CODES[outcome].status >= 500:
            self._span.set_status(Status(StatusCode.ERROR, outcome))
        self._span.end()


class Tracing:
    """Starts spans. `provider` exports them."""

    def __init__(self, provider: "TracerProvider") -> None:
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

        self._provider = provider
        self._tracer = provider.get_tracer(SERVICE_NAME)
        self._propagator = TraceContextTextMapPropagator()

    def begin(self, request: Request) -> RequestSpan:
        """A span, as a child of the caller's if it sent a well-formed `traceparent`."""
        from opentelemetry.trace import SpanKind, set_span_in_context  # noqa: PLC0415

        method = str(request.scope["method"])
        parent = self._propagator.extract({"traceparent": request.header(b"traceparent")})
        span = self._tracer.start_span(method, parent, kind=SpanKind.SERVER, attributes={"http.request.method": method})
        carrier: dict[str, str] = {}
        self._propagator.inject(carrier, set_span_in_context(span))
        return RequestSpan(span, carrier.get("traceparent", ""))

    def close(self) -> None:
        """Exports pending spans. Blocks until they are exported or OpenTelemetry's timeout expires."""
        self._provider.shutdown()


def tracing_of(settings: GatewaySettings) -> Tracing | None:
    """The tracing of these settings, None if off. Raises DceError when the libraries are not installed."""
    if not settings.tracing:
        return None
    try:
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter  # noqa: PLC0415
        from opentelemetry.sdk.resources import SERVICE_NAME as NAME  # noqa: PLC0415
        from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
        from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
        from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise DceError(
            "invalid_input", f"`tracing` is set but {error.name} is not installed", hint="pip install 'dce[otel]'"
        ) from None
    resource = Resource.create()
    if str(resource.attributes.get(NAME, "")).startswith("unknown_service"):
        resource = resource.merge(Resource({NAME: SERVICE_NAME}))
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    return Tracing(provider)
