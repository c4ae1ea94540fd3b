"""A backend that takes no request right now: whoever waits for it is told, and the wait ends with an answer or with the backend's own."""

from collections.abc import Callable

import msgspec
import pytest

from dce.wire.sse import Decoder
from tests.fakes.chain import Answer, Chain, check_sound, error_of, eventually
from tests.fakes.vllm import MODEL, FakeVllm, said


@pytest.fixture
def patient(make_chain: Callable[..., Chain]) -> Chain:
    """A gateway that waits for a busy backend."""
    return make_chain(busy_timeout_s=60.0, heartbeat_s=0.02)


def notices(answer: Answer) -> list[dict[str, object]]:
    """What was told of the wait."""
    values = [msgspec.json.decode(event.data) for event in Decoder().feed(answer.raw) if event.data != "[DONE]"]
    return [value["busy"] for value in values if "busy" in value]


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
def test_a_stream_tells_what_it_waits_for(make_chain: Callable[..., Chain], owned_by: str) -> None:
    """The stream begins at once; a frame names the waiting responses, the reason and the time; then all of them are whole."""
    chain = make_chain(owned_by, busy_timeout_s=60.0)
    requests = 3 if owned_by == "vllm" else 1
    chain.behave(fault="busy", strikes=requests)
    answer = chain.ask(n=3)
    told = notices(answer)
    assert sorted(index for notice in told for index in notice["choices"]) == [0, 1, 2]  # type: ignore[attr-defined]
    assert {(notice["code"], notice["message"], notice["retry_in_s"]) for notice in told} == {
        ("rate_limited", "the backend is busy", 1)
    }
    assert answer.ends() == {index: ["stop"] for index in range(3)}
    assert answer.is_done
    eventually(chain.is_idle)


def test_one_busy_of_ten_keeps_nobody_waiting(patient: Chain) -> None:
    """The other nine are streamed meanwhile; the frames of the wait count in the stream's ids."""
    patient.behave(fault="overloaded", only_seed=103, strikes=1)
    answer = patient.ask(n=10, seed=100)
    check_sound(answer, 10)
    assert {tuple(notice["choices"]) for notice in notices(answer)} == {(3,)}  # type: ignore[arg-type]
    assert notices(answer)[0]["code"] == "no_healthy_backend"


def test_json_and_v1_wait_too(patient: Chain) -> None:
    """Whoever cannot be told gets the answer when it is there."""
    for path, fields in ((None, {}), ("/v1/chat/completions", {"model": MODEL})):
        patient.behave(fault="busy", strikes=1)
        response = patient.post(**({"path": path} if path else {}), stream=False, **fields)
        assert response.status_code == 200
        assert said(8) in response.json()["choices"][0]["message"]["content"]


def test_a_passed_on_stream_gets_comments_while_it_waits(patient: Chain) -> None:
    """A plain client is kept alive by comments that say why; then comes the stream."""
    patient.behave(fault="busy", strikes=2)
    with patient.stream("/v1/chat/completions", model=MODEL, stream=True) as answer:
        answer.rest()
    assert b": the backend is busy, asked again in " in answer.raw
    assert (answer.is_done, answer.texts()) == (True, {0: said(8)})


@pytest.mark.parametrize("path", ["/api/dce/proxy", "/v1/chat/completions"])
@pytest.mark.parametrize("stream", [True, False])
def test_a_wait_that_is_too_long_is_the_clients(patient: Chain, path: str, stream: bool) -> None:
    """If the backend asks for more than the limit, its 429 and its Retry-After reach the client at once."""
    patient.behave(fault="busy_for_long")
    response = patient.post(path, model=MODEL, stream=stream)
    error = error_of(response)
    assert (response.status_code, error["code"], error["hop"]) == (429, "rate_limited", "backend")
    assert response.headers["retry-after"] == "3600"
    assert "slow down" in error["message"]


def test_the_end_of_the_wait_is_the_backends_answer(make_chain: Callable[..., Chain]) -> None:
    """A stream that has begun ends with the backend's refusal as its error; JSON has the status and the header."""
    chain = make_chain(busy_timeout_s=0.7)
    chain.behave(fault="busy")
    answer = chain.ask(n=2)
    assert {choice.error["code"] for choice in answer.choices.values()} == {"rate_limited"}
    assert not answer.is_done
    whole = chain.post(n=2, stream=False)
    assert (whole.status_code, whole.headers["retry-after"]) == (429, "1")
    eventually(chain.is_idle)


@pytest.mark.parametrize("path", ["/api/dce/proxy", "/v1/chat/completions"])
def test_a_backend_that_is_still_loading_is_waited_for(make_chain: Callable[..., Chain], path: str) -> None:
    """A server that answers nothing but 503 until its model is loaded: the request waits until discovery finds the model."""
    chain = make_chain(fake=FakeVllm(is_loading=True), busy_timeout_s=60.0, heartbeat_s=0.02)
    with chain.stream(path, model=MODEL, stream=True) as answer:
        answer.until(lambda read: b"loading its model" in read.raw)
        assert chain.fake.chats() == []
        chain.fake.is_loading = False
        answer.rest()
    assert (answer.is_done, answer.texts()) == (True, {0: said(8)})
    eventually(chain.is_idle)


def test_the_wait_for_a_loading_backend_is_bounded(make_chain: Callable[..., Chain]) -> None:
    """Beyond the time limit, and beyond the number of requests that may wait, the answer is 503 with the reason and a time."""
    chain = make_chain(
        fake=FakeVllm(is_loading=True), busy_timeout_s=60.0, heartbeat_s=0.02, max_queued_requests_per_key=1
    )
    with chain.stream(model=MODEL) as answer:
        answer.until(notices)
        refused = chain.post(model=MODEL)
    error = error_of(refused)
    assert (refused.status_code, error["code"], refused.headers["retry-after"]) == (503, "no_healthy_backend", "1")
    assert "Loading model" in error["message"]
    eventually(lambda: not chain.server.gateway.admission.queue_depth)
    impatient = make_chain(fake=FakeVllm(is_loading=True), busy_timeout_s=0.0)
    assert impatient.post(model=MODEL).status_code == 503


def test_who_leaves_during_the_wait_leaves_nothing(patient: Chain) -> None:
    """The backend is not asked again for a client that is gone, or for a response that was stopped."""
    patient.behave(fault="busy")
    with patient.stream(n=2) as answer:
        answer.until(notices)
        assert patient.client.delete(f"/api/dce/streams/{answer.stream_id}/choices/1").status_code == 204
        answer.until(lambda read: 1 in read.choices)
        assert answer.choices[1].finishes == ["stopped"]
    eventually(lambda: patient.server.gateway.is_idle)
    eventually(patient.is_idle)
