"""Metrics have the promised names, count what happened, and have few labels whatever comes in."""

import time
from collections.abc import Sequence

from prometheus_client.parser import text_string_to_metric_families

from dce.gateway.accounting.metrics import MAX_MODELS, OTHER, GaugeSources, Metrics
from dce.gateway.backends.backend import Backend, Discovery
from dce.gateway.backends.breaker import Breaker, BreakerLimits
from dce.gateway.backends.kinds import KINDS
from dce.gateway.settings import BackendSettings
from tests.gateway.test_ledger import entry

PROMISED = {
    "dce_gateway_requests_total": {"route", "code"},
    "dce_gateway_streams_active": set(),
    "dce_gateway_queue_depth": set(),
    "dce_gateway_ttft_seconds_count": set(),
    "dce_gateway_overhead_seconds_count": set(),
    "dce_gateway_tokens_total": {"kind", "model"},
    "dce_gateway_cancelled_total": {"by"},
    "dce_gateway_backend_up": {"backend"},
    "dce_gateway_retries_total": {"backend", "to"},
    "dce_gateway_breaker_open": {"backend"},
    "dce_gateway_breaker_trips_total": {"backend"},
    "dce_gateway_refused_total": {"code"},
}
Samples = dict[str, dict[tuple[str, ...], float]]


def now(backends: Sequence[Backend] = (), fault: str = "", **figures: int) -> GaugeSources:
    """Figures of a moment."""
    return GaugeSources(
        streams=lambda: figures.get("streams", 0),
        queue_depth=lambda: figures.get("queue", 0),
        backends=lambda: backends,
        models=lambda: figures.get("models", 0),
        is_draining=lambda: False,
        ledger_pending=lambda: figures.get("pending", 0),
        ledger_dropped=lambda: 0,
        ledger_fault=lambda: fault,
        free_bytes=lambda: figures.get("free", 0),
    )


def backend(url: str, *, is_up: bool = True, failures: int = 0) -> Backend:
    """A backend that runs one response, and has failed so often before."""
    one = Backend(BackendSettings(url=url), Breaker(BreakerLimits(failures=2)))
    if is_up:
        one.discovered(Discovery(kind=KINDS[-1], models=()))
    for at in range(failures):
        one.breaker.failed(time.monotonic() + 1 + at)
    one.lease(1)
    return one


def read(metrics: Metrics) -> Samples:
    """Every sample, by name and label values in the order of the labels' names."""
    found: Samples = {}
    for family in text_string_to_metric_families(metrics.text().decode()):
        for sample in family.samples:
            found.setdefault(sample.name, {})[tuple(sample.labels[name] for name in sorted(sample.labels))] = (
                sample.value
            )
    return found


def labels(metrics: Metrics) -> dict[str, set[str]]:
    """The labels' names of every sample."""
    families = text_string_to_metric_families(metrics.text().decode())
    return {sample.name: set(sample.labels) for family in families for sample in family.samples}


def busy() -> Metrics:
    """Metrics after a little of everything."""
    metrics = Metrics()
    backends = [backend("http://a"), backend("http://b", is_up=False, failures=2)]
    metrics.watch(now(backends, "disk full", streams=3, queue=2, pending=1, models=2, free=5_000))
    metrics.request_refused("request_timeout")
    metrics.request_retried(backends[1], backends[0])
    metrics.request_retried(backends[1], backends[1])
    metrics.request_ended("/api/dce/proxy", 200)
    metrics.request_ended("", 404, "route_not_found")
    metrics.request_sent(0.002, 1.5)
    metrics.responses_ended(
        [
            entry(0, prompt_tokens=100, cached_tokens=60, thinking_tokens=4, ttft_s=0.3),
            entry(1, outcome="stopped", ended_by="client", ttft_s=0.4),
            entry(2, outcome="lost", ended_by="backend", responses=4, completion_tokens=0),
        ]
    )
    return metrics


def test_the_promised_names_and_labels() -> None:
    """Every metric that dashboards rely on is there under its name, with its labels and no other."""
    found = labels(busy())
    assert {name: found.get(name) for name in PROMISED} == PROMISED
    assert all(name.startswith("dce_gateway_") and not name.endswith("_created") for name in found)


def test_what_happened_is_counted() -> None:
    """Requests by route and status, tokens by kind and model, early ends by who ended them, figures of the moment."""
    found = read(busy())
    assert found["dce_gateway_requests_total"] == {("200", "/api/dce/proxy"): 1, ("404", OTHER): 1}
    assert found["dce_gateway_errors_total"] == {("route_not_found",): 1}
    assert found["dce_gateway_tokens_total"] == {
        ("prompt", "m"): 100,
        ("cached", "m"): 60,
        ("thinking", "m"): 4,
        ("completion", "m"): 20,
    }
    assert found["dce_gateway_cancelled_total"] == {("client",): 1, ("backend",): 4}
    assert found["dce_gateway_responses_total"] == {("finished",): 1, ("stopped",): 1, ("lost",): 4}
    assert found["dce_gateway_ttft_seconds_count"] == {(): 2}
    assert found["dce_gateway_overhead_seconds_sum"] == {(): 0.002}
    assert found["dce_gateway_queue_seconds_sum"] == {(): 1.5}
    assert found["dce_gateway_streams_active"] == {(): 3}
    assert found["dce_gateway_queue_depth"] == {(): 2}
    assert found["dce_gateway_models"] == {(): 2}
    assert found["dce_gateway_draining"] == {(): 0}
    assert found["dce_gateway_ledger_fault"] == {(): 1}
    assert found["dce_gateway_data_free_bytes"] == {(): 5_000}
    assert found["dce_gateway_refused_total"] == {("request_timeout",): 1}


def test_backends_are_told_apart() -> None:
    """Of each backend: whether it answers, what it runs, whether it is left alone and how often it was, what it made others do."""
    found = read(busy())
    assert found["dce_gateway_backend_responses"] == {("http://a",): 1, ("http://b",): 1}
    assert found["dce_gateway_breaker_open"] == {("http://a",): 0, ("http://b",): 1}
    assert found["dce_gateway_breaker_trips_total"] == {("http://a",): 0, ("http://b",): 1}
    assert found["dce_gateway_retries_total"] == {("http://b", "other"): 1, ("http://b", "same"): 1}
    assert found["dce_gateway_backend_up"] == {("http://a",): 1, ("http://b",): 0}


def test_model_names_do_not_fill_the_memory() -> None:
    """Beyond MAX_MODELS names the tokens count under one name."""
    metrics = Metrics()
    for at in range(MAX_MODELS + 50):
        metrics.responses_ended([entry(0, model=f"m{at}", completion_tokens=1)])
    tokens = read(metrics)["dce_gateway_tokens_total"]
    assert len(tokens) == MAX_MODELS + 1
    assert tokens["completion", OTHER] == 50


def test_two_gateways_of_one_process_count_apart() -> None:
    """Nothing is shared between two sets of metrics."""
    one, other = busy(), Metrics()
    assert "dce_gateway_requests_total" in read(one)
    assert "dce_gateway_requests_total" not in read(other)
