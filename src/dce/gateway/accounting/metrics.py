"""Prometheus metrics: counters are updated as events happen, gauges are read when they are scraped.

Counters are plain numbers of the loop's thread; the library's own thread-safe counters would take a tenth of a small request's time.
Names, label rules and the text format are the library's.

Labels have few values whatever clients send: route patterns instead of paths, and known names of models and backends. Each gateway has
its own registry, so that one process can run several.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from itertools import accumulate

import msgspec
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from dce.gateway.accounting.ledger import Entry
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.breaker import BreakerState

CONTENT_TYPE = CONTENT_TYPE_LATEST
MAX_MODELS = 100
"""Maximum model names used as labels; a backend that keeps changing its model's name must not exhaust memory."""
OTHER = "other"

_TTFT_S = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20, 40, 80, 160, 320, 640)
_OVERHEAD_S = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1)


class GaugeSources(msgspec.Struct, frozen=True, kw_only=True):
    """Functions that return the current values of the gauges."""

    streams: Callable[[], int]
    queue_depth: Callable[[], int]
    backends: Callable[[], Iterable[Backend]]
    models: Callable[[], int]
    """Model names a request can use."""
    is_draining: Callable[[], bool]
    ledger_pending: Callable[[], int]
    ledger_dropped: Callable[[], int]
    ledger_fault: Callable[[], str]
    free_bytes: Callable[[], int]
    """Free space on the data folder's disk."""


class _Counter(Collector):
    """A counter with labels."""

    def __init__(self, registry: CollectorRegistry, name: str, help_text: str, *labels: str) -> None:
        self._name, self._help, self._labels = f"dce_gateway_{name}", help_text, labels
        self.values: Counter[tuple[str, ...]] = Counter()
        registry.register(self)

    def collect(self) -> Iterable[Metric]:
        family = CounterMetricFamily(self._name, self._help, labels=self._labels)
        for values, count in self.values.items():
            family.add_metric(values, count)
        yield family


class _Histogram(Collector):
    """A histogram of durations in seconds, with bucket bounds `bounds`."""

    def __init__(self, registry: CollectorRegistry, name: str, help_text: str, bounds: Sequence[float]) -> None:
        self._name, self._help, self._bounds = f"dce_gateway_{name}_seconds", help_text, bounds
        self._counts = [0] * (len(bounds) + 1)
        self._sum = 0.0
        registry.register(self)

    def observe(self, seconds: float) -> None:
        """Records one duration."""
        self._counts[bisect_left(self._bounds, seconds)] += 1
        self._sum += seconds

    def collect(self) -> Iterable[Metric]:
        names = [*(str(float(bound)) for bound in self._bounds), "+Inf"]
        buckets = list(zip(names, accumulate(self._counts), strict=True))
        yield HistogramMetricFamily(self._name, self._help, buckets=buckets, sum_value=self._sum)


class Metrics:
    """The metrics of one gateway. The loop's thread only."""

    def __init__(self) -> None:
        self._registry = registry = CollectorRegistry(auto_describe=False)
        self._models: set[str] = set()
        self._requests = _Counter(registry, "requests", "Requests answered, by route and HTTP status", "route", "code")
        self._refused = _Counter(
            registry,
            "refused",
            "Requests refused before they had a route: invalid HTTP, a head that is too large, too slow",
            "code",
        )
        self._retries = _Counter(
            registry, "retries", "Requests retried, by the backend that failed and where they went", "backend", "to"
        )
        self._errors = _Counter(registry, "errors", "Errors sent to clients, by error code", "code")
        self._tokens = _Counter(registry, "tokens", "Tokens of responses that have ended", "kind", "model")
        self._responses = _Counter(registry, "responses", "Responses that have ended", "outcome")
        self._cancelled = _Counter(registry, "cancelled", "Responses that ended before the model ended them", "by")
        self._ttft = _Histogram(
            registry, "ttft", "From a request's arrival to the first frame of each of its responses", _TTFT_S
        )
        self._overhead = _Histogram(
            registry,
            "overhead",
            "From a request's complete body until it is sent to a backend, without the time in the queue",
            _OVERHEAD_S,
        )
        self._queued = _Histogram(
            registry, "queue", "Time that requests sent to a backend had waited in the queue", _TTFT_S
        )

    def watch(self, now: GaugeSources) -> None:
        """Reports the gauges too, from now on."""
        self._registry.register(_Gauges(now))

    def request_ended(self, route: str, status: int, error_code: str = "") -> None:
        """A request was answered. `route` is its route's pattern, or empty for an unknown path."""
        self._requests.values[route or OTHER, str(status)] += 1
        if error_code:
            self._errors.values[error_code,] += 1

    def request_refused(self, error_code: str) -> None:
        """A request was refused before it had a route; `request_ended` is not called for it."""
        self._refused.values[error_code,] += 1

    def request_retried(self, failed: Backend, to: Backend) -> None:
        """A failed request is retried, on another backend or on the same one."""
        self._retries.values[failed.url, "same" if to is failed else "other"] += 1

    def request_sent(self, overhead_s: float, queued_s: float) -> None:
        """A request is sent to a backend."""
        self._overhead.observe(overhead_s)
        self._queued.observe(queued_s)

    def responses_ended(self, entries: Sequence[Entry]) -> None:
        """Responses have ended and are in the ledger."""
        for entry in entries:
            self._responses.values[entry.outcome,] += entry.responses
            if entry.ended_by != "model":
                self._cancelled.values[entry.ended_by,] += entry.responses
            if entry.ttft_s is not None:
                self._ttft.observe(entry.ttft_s)
            model = self._model(entry.model)
            counts = (entry.prompt_tokens, entry.cached_tokens, entry.thinking_tokens, entry.completion_tokens)
            for kind, tokens in zip(("prompt", "cached", "thinking", "completion"), counts, strict=True):
                if tokens:
                    self._tokens.values[kind, model] += tokens

    def text(self) -> bytes:
        """All metrics in Prometheus' text format."""
        return generate_latest(self._registry)

    def _model(self, name: str) -> str:
        if name not in self._models:
            if len(self._models) >= MAX_MODELS:
                return OTHER
            self._models.add(name)
        return name


class _Gauges(Collector):
    """The gauges, read at scrape time."""

    def __init__(self, now: GaugeSources) -> None:
        self._now = now

    def collect(self) -> Iterable[Metric]:
        now = self._now
        yield _gauge("streams_active", "Requests that backends are answering", now.streams())
        yield _gauge("queue_depth", "Requests waiting for their turn", now.queue_depth())
        yield _gauge("models", "Served model names, including aliases", now.models())
        yield _gauge("draining", "Whether new work is refused because the gateway is stopping", now.is_draining())
        yield _gauge("ledger_pending_rows", "Ledger rows not yet on disk", now.ledger_pending())
        yield _gauge(
            "ledger_dropped_rows", "Ledger rows lost because the disk did not accept them", now.ledger_dropped()
        )
        yield _gauge("ledger_fault", "Whether the last write of the ledger failed", bool(now.ledger_fault()))
        yield _gauge("data_free_bytes", "Free space on the data folder's disk", now.free_bytes())
        yield from _backends(now.backends())


def _backends(backends: Iterable[Backend]) -> Iterable[Metric]:
    up, running, is_open = (
        GaugeMetricFamily(f"dce_gateway_{name}", text, labels=["backend"])
        for name, text in (
            ("backend_up", "Whether the backend answers"),
            ("backend_responses", "Responses running on the backend"),
            ("breaker_open", "Whether the backend is skipped, or on trial, because it failed"),
        )
    )
    trips = CounterMetricFamily("dce_gateway_breaker_trips", "How often the breaker opened", labels=["backend"])
    for backend in backends:
        up.add_metric([backend.url], float(backend.is_up))
        running.add_metric([backend.url], backend.in_flight)
        is_open.add_metric([backend.url], float(backend.breaker.state is not BreakerState.CLOSED))
        trips.add_metric([backend.url], backend.breaker.trips)
    yield from (up, running, is_open, trips)


def _gauge(name: str, help_text: str, value: float) -> GaugeMetricFamily:
    return GaugeMetricFamily(f"dce_gateway_{name}", help_text, value=value)
