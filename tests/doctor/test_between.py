"""Real gateways behind faulty proxies: each fault is named with its hop, its cause and its fix, and healthy setups stay green."""

import asyncio
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from dce.doctor.findings import Check, Diagnosis, Failure, SilenceProbe
from dce.doctor.handshake import trusted
from dce.doctor.http import Http
from dce.doctor.judge_passage import judge_silence
from dce.doctor.streaming import Streams
from dce.doctor.target import read_target
from dce.doctor.tree import Options, examine
from dce.gateway.settings import BackendSettings
from tests.doctor.between import Faults, proxy
from tests.doctor.faults_between import CASES, HEALTHY, moved
from tests.fakes.chain import Chain, eventually, free_port


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chain]:
    """One real gateway with a scripted backend, behind all the proxies."""
    with Chain(tmp_path_factory.mktemp("between")) as chain:
        chain.behave()
        yield chain


def diagnose(
    chain: Chain, faults: Faults, path: str = "", environ: Mapping[str, str] | None = None, url: str = ""
) -> Diagnosis:
    async def run() -> Diagnosis:
        async with proxy(chain.server.url, faults) as front:
            variables = {name: value.replace("FRONT", front) for name, value in (environ or {}).items()}
            return await examine(Options(url=(url or front) + path, key=chain.key, silence_s=1.0), variables)

    return asyncio.run(run())


def failed(diagnosis: Diagnosis) -> Check:
    return next(check for check in diagnosis.checks if check.ok is False)


@pytest.mark.parametrize("name", CASES)
def test_a_fault_between_is_named(chain: Chain, name: str) -> None:
    """The failing step, its hop and code, the cause with the beginning of what came, and the fix; never the model server's fault."""
    faults, path, step, hop, code, words = CASES[name]
    diagnosis = diagnose(chain, faults, path)
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == (step, hop, code), check
    told = f"{check.detail} {check.fix}"
    assert [word for word in words if word not in told] == [], told
    assert "inference server" not in told


@pytest.mark.parametrize("name", HEALTHY)
def test_a_healthy_setup_stays_green(chain: Chain, name: str) -> None:
    """Behind a proxy that is configured correctly every step passes without a warning."""
    faults, path = HEALTHY[name]
    diagnosis = diagnose(chain, faults, path)
    assert diagnosis.ok, diagnosis
    assert not [check for check in diagnosis.checks if check.fix or not check.ok]
    assert diagnosis.elapsed_s > 0


def test_through_the_environments_proxy(chain: Chain) -> None:
    """Through an HTTP proxy of the environment every step passes, and the first line names the proxy without its password."""
    environ = {"http_proxy": "FRONT", "NO_PROXY": "[::1],fd07::/64"}
    diagnosis = diagnose(chain, Faults(), environ=environ, url="http://gateway.test:3001")
    assert diagnosis.ok, diagnosis
    assert "go through the proxy http://127.0.0.1:" in diagnosis.checks[0].detail


def test_the_doctors_own_requests_ask_no_model(chain: Chain) -> None:
    """The large request, the one with source code and the DELETE reach the gateway and no backend."""
    chain.fake.requests.clear()
    faults = Faults()
    assert diagnose(chain, faults).ok
    large = [ask for ask in faults.seen if len(ask.body) > 1_000_000]
    assert [(ask.method, ask.path) for ask in large] == [("POST", "/api/dce/proxy")]
    assert any(b"DROP TABLE" in ask.body for ask in faults.seen)
    assert [ask.method for ask in faults.seen if ask.method not in ("GET", "POST")] == ["DELETE"]
    assert len(chain.fake.posts()) == 2  # the token, and the response that is dropped
    assert all(len(post.body) < 10_000 for post in chain.fake.posts())


def test_a_key_that_is_quoted_back_is_not_shown(chain: Chain) -> None:
    """A page that repeats the request's headers does not bring the key into the diagnosis."""
    echo = Faults(
        answer=lambda ask: (500, "", ask.header("authorization").encode()) if ask.path == "/v1/models" else None
    )
    check = failed(diagnose(chain, echo))
    assert "Bearer (the key)" in check.detail
    assert chain.key not in check.detail + check.fix
    for filler in range(60, 200, 10):  # wherever the quotation is cut off
        long = "y" * filler
        echo = Faults(
            answer=lambda ask, long=long: (  # type: ignore[misc]
                (500, "", f"{long}{ask.header('authorization')}".encode()) if ask.path == "/v1/models" else None
            )
        )
        check = failed(diagnose(chain, echo))
        assert chain.key[:8] not in check.detail + check.fix
    moving = moved(lambda path: f"/x{chain.key}{path}" if "x" not in path else path)
    check = failed(diagnose(chain, moving))
    assert "Set DCE_URL to" in check.fix
    assert chain.key not in check.detail + check.fix


def test_the_silence_is_measured_until_the_cut(chain: Chain) -> None:
    """How long the connection was quiet before it was cut is what is told, not how long it was to be quiet."""

    async def run() -> SilenceProbe:
        async with proxy(chain.server.url, Faults(cut_s=0.5)) as front:
            http = Http(read_target(front, {}), chain.key, trusted({}))
            seen = await Streams(http).silent(30.0)
            await http.close()
            return seen

    seen = asyncio.run(run())
    assert (seen.promised_s, seen.is_done, seen.failure is not None) == (30.0, False, True)
    assert 0.3 < seen.quiet_s < 30.0


def test_a_longer_silence_that_is_cut_is_a_warning() -> None:
    """A cut after the time in which a heartbeat comes is a warning: streams survive it."""
    seen = SilenceProbe(asked_s=120, promised_s=120, quiet_s=60, failure=Failure(kind="closed", text="closed"))
    finding = judge_silence(seen, read_target("http://h", {}))
    assert (finding.code, "60.0 s of silence" in finding.detail, "idle timeout" in finding.fix) == ("", True, True)


def test_a_gateway_that_asks_for_no_key_is_healthy(tmp_path: Path) -> None:
    """A gateway without keys on this machine passes every step, with a key and without."""
    with Chain(tmp_path, key=False, insecure=True) as chain:
        for key in (None, "dce_any"):
            diagnosis = asyncio.run(examine(Options(url=chain.server.url, key=key, silence_s=0.1), {}))
            assert diagnosis.ok, diagnosis


def test_the_gateways_own_limit_is_a_warning(tmp_path: Path) -> None:
    """A body that the gateway itself refuses did arrive: a warning that names the gateway's setting."""
    with Chain(tmp_path, max_body_bytes=100_000) as chain:
        chain.behave()
        diagnosis = diagnose(chain, Faults())
    (check,) = [check for check in diagnosis.checks if check.name == "body"]
    assert diagnosis.ok
    assert "the gateway itself refuses it" in check.detail
    assert "max_body_bytes" in check.fix


@pytest.mark.parametrize("fault", ["error_200", "error_at_once"])
def test_a_backend_that_answers_an_error_with_200(tmp_path: Path, fault: str) -> None:
    """An error in an answer with status 200, as a body or as the first event, is the backend's, with its words."""
    with Chain(tmp_path) as chain:
        chain.behave(fault=fault)
        diagnosis = diagnose(chain, Faults())
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == ("token", "backend", "backend_error"), check
    assert "CUDA out of memory" in check.detail or "EngineCore encountered" in check.detail


def test_a_gateway_that_is_its_own_backend(tmp_path: Path) -> None:
    """A gateway whose backend is itself is named as that, and the fix is the backend's address, not a key or a restart."""
    port = free_port()
    with Chain(tmp_path, port=port, backends=(BackendSettings(url=f"http://127.0.0.1:{port}"),)) as chain:
        (itself,) = chain.server.gateway.backends
        eventually(lambda: itself.fault is not None and "itself" in itself.fault.message)
        diagnosis = diagnose(chain, Faults())
    check = failed(diagnosis)
    assert (check.name, diagnosis.failing_hop, diagnosis.code) == ("backend", "backend", "no_healthy_backend")
    assert "is this gateway itself" in check.detail
    assert "address of the model server" in check.fix


def test_the_whole_is_bounded(chain: Chain) -> None:
    """When the time of the whole diagnosis is over, the step that runs is stopped and says so."""
    options = Options(url=chain.server.url, key=chain.key, silence_s=1.0, total_s=-1.0)
    diagnosis = asyncio.run(examine(options, {}))
    check = failed(diagnosis)
    assert diagnosis.code == "gateway_timeout"
    assert "took longer" in check.detail
