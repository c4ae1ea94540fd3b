"""What a client sees of a backend that fails: the truth, response by response, and nothing that still runs."""

from collections.abc import Callable

import msgspec
import pytest

from dce.gateway.settings import BackendSettings
from tests.fakes.chain import HIT, SEED, SLOW, TOKENS, Chain, check_sound, error_of, eventually, free_port, raw_listener
from tests.fakes.vllm import FAULTS, MODEL, FakeVllm, said

# -- faults of the backend ----------------------------------------------------------------------------------------------

MID_STREAM = {
    "no_finish": "stream_interrupted",
    "silent_end": "stream_interrupted",
    "death": "stream_interrupted",
    "error_then_done": "backend_error",
    "garbage": "backend_error",
}
REFUSALS = {
    "model_404": (404, "model_not_found"),
    "overloaded": (503, "no_healthy_backend"),
    "busy": (429, "rate_limited"),
    "busy_for_long": (429, "rate_limited"),
    "html": (502, "backend_error"),
    "engine_dead": (502, "backend_error"),
    "too_long": (400, "prompt_too_long"),
}


def test_every_fault_is_tested() -> None:
    """The tables here name every fault that the scripted backend has."""
    harmless = {"split", "crlf", "many_objects", "spaced", "comments", "as_text", "as_bytes", "untyped"}
    before_the_first_token = {
        "reset",
        "death_at_once",
        "error_200",
        "html_200",
        "error_at_once",
        "bad_grammar",
        "mute",
    }  # tests/gateway/test_failover.py
    assert set(FAULTS) == harmless | before_the_first_token | set(MID_STREAM) | set(REFUSALS) | {"stall"}


@pytest.mark.parametrize("fault", MID_STREAM)
def test_a_stream_that_breaks_ends_truthfully(both: Chain, fault: str) -> None:
    """Every choice gets one end that says it was lost, what had come is there, the last frame names them, no [DONE]."""
    both.behave(fault=fault)
    answer = both.ask(n=3)
    assert answer.ends() == {index: ["error"] for index in range(3)}
    assert all(choice.error["code"] == MID_STREAM[fault] for choice in answer.choices.values())
    assert all(said(TOKENS).startswith(choice.text) and choice.text for choice in answer.choices.values())
    assert answer.error["code"] == MID_STREAM[fault]
    assert answer.error["hop"] == "backend"
    assert answer.error["hint"]
    assert answer.error["choices"] == [0, 1, 2]
    assert not answer.is_done
    assert not answer.is_broken
    eventually(both.is_idle)


@pytest.mark.parametrize("fault", [*MID_STREAM, *REFUSALS])
def test_one_lost_of_ten_leaves_nine_complete(chain: Chain, fault: str) -> None:
    """A fault of one backend request costs one response; the other nine are whole."""
    chain.behave(fault=fault, only_seed=SEED + HIT)
    answer = chain.ask(n=10, seed=SEED)
    for index, choice in answer.choices.items():
        assert choice.finishes == (["error"] if index == HIT else ["stop"])
        assert choice.text == said(TOKENS) or index == HIT
    assert answer.error["choices"] == [HIT]
    assert "1 of 10" in answer.error["message"]
    assert not answer.is_done
    eventually(chain.is_idle)


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
def test_a_field_that_the_backend_refuses_is_sent_otherwise(make_chain: Callable[..., Chain], owned_by: str) -> None:
    """The output limit gets its other name and `stream_options` goes, as the backend's error says; later requests begin with that."""
    chain = make_chain(owned_by)
    chain.behave(refuses=("max_tokens", "stream_options"))
    answer = chain.ask(n=3, max_tokens=9)
    assert answer.ends() == {index: ["stop"] for index in range(3)}
    before = len(chain.fake.chats())
    assert chain.ask(n=3, max_tokens=9).is_done
    for body in chain.fake.chats()[before:]:
        assert (body["max_completion_tokens"], "max_tokens" in body, "stream_options" in body) == (9, False, False)
    eventually(chain.is_idle)


def test_the_first_refusal_is_told_when_the_other_form_is_refused_too(make_chain: Callable[..., Chain]) -> None:
    """A backend that takes neither name gets each once; the client reads what it said first, and the next request begins anew."""
    chain = make_chain()  # of its own: a gateway remembers what its backend has refused
    chain.behave(refuses=("max_tokens", "max_completion_tokens"))
    for _ in range(2):
        assert "'max_tokens'" in error_of(chain.post(n=1, max_tokens=9))["message"]
    assert ["max_tokens" in body for body in chain.fake.chats()] == [True, False, True, False]


def test_a_refused_field_that_the_user_chose_is_an_error(both: Chain) -> None:
    """A parameter of the user's is never dropped: the refusal is passed on after one request."""
    both.behave(refuses=("temperature",))
    assert "'temperature'" in error_of(both.post(n=1, temperature=0.5))["message"]
    assert len(both.fake.chats()) == 1


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_refusal_is_an_http_status(both: Chain, fault: str) -> None:
    """What the backend refuses before it starts is answered with the status and code that name the cause."""
    both.behave(fault=fault)
    response = both.post(n=3)
    assert (response.status_code, error_of(response)["code"]) == REFUSALS[fault]
    waits = {"overloaded": "2", "busy": "1", "busy_for_long": "3600"}
    assert response.headers.get("retry-after") == waits.get(fault)
    eventually(both.is_idle)


@pytest.mark.parametrize("owned_by", ["vllm", "llamacpp"])
def test_a_stall_is_a_timeout(make_chain: Callable[..., Chain], owned_by: str) -> None:
    """A backend that falls silent in the middle costs its responses after the idle timeout, and its requests are closed."""
    chain = make_chain(owned_by, idle_timeout_s=0.1)
    chain.behave(fault="stall")
    answer = chain.ask(n=3)
    assert {choice.error["code"] for choice in answer.choices.values()} == {"backend_timeout"}
    assert not answer.is_done
    eventually(chain.is_idle)


def test_one_stalled_of_ten_leaves_nine_complete(make_chain: Callable[..., Chain]) -> None:
    """Nine finish long before the one that stalls is given up."""
    chain = make_chain(idle_timeout_s=1.5)
    chain.behave(fault="stall", only_seed=SEED + HIT)
    answer = chain.ask(n=10, seed=SEED)
    assert [index for index, said_ in answer.choices.items() if said_.finishes == ["error"]] == [HIT]
    assert answer.choices[HIT].error["code"] == "backend_timeout"
    eventually(chain.is_idle)


def test_a_backend_that_never_answers_is_a_timeout(make_chain: Callable[..., Chain]) -> None:
    """No first byte within the limit: the stream, which has begun with heartbeats, ends with the reason."""
    with FakeVllm() as fake, raw_listener() as deaf:
        chain = make_chain(
            fake=fake,
            backends=(BackendSettings(url=fake.url),),
            first_byte_timeout_s=1.5,
            head_patience_s=0.03,
            heartbeat_s=0.02,
        )
        chain.server.gateway.backends[0].address = deaf
        answer = chain.ask(n=2)
        assert {choice.error["code"] for choice in answer.choices.values()} == {"backend_timeout"}
        assert answer.raw.startswith(b":")
        eventually(chain.is_idle)


def test_without_patience_for_the_head_a_timeout_is_a_status(make_chain: Callable[..., Chain]) -> None:
    """If the limit strikes before the stream has begun, the client gets 504."""
    with raw_listener() as deaf:
        chain = make_chain(first_byte_timeout_s=0.05)
        chain.server.gateway.backends[0].address = deaf
        response = chain.post(n=2)
        assert (response.status_code, error_of(response)["code"]) == (504, "backend_timeout")


def test_a_backends_own_key_is_wrong(make_chain: Callable[..., Chain]) -> None:
    """A backend that refuses the gateway's key is named as the operator's task, not as the client's."""
    fake = FakeVllm(key="right")
    with fake:
        chain = make_chain(fake=fake, backends=(BackendSettings(url=fake.url, key="wrong"),))
        response = chain.post()
        assert (response.status_code, error_of(response)["code"]) == (502, "backend_unauthorized")


def test_a_backend_that_comes_late_dies_and_comes_back(make_chain: Callable[..., Chain]) -> None:
    """Started before its backend the gateway says so, finds it when it comes, survives its death and finds it again."""
    url = f"http://127.0.0.1:{free_port()}"
    first = FakeVllm(url=url)
    chain = make_chain(fake=first, backends=(BackendSettings(url=url),))
    response = chain.post()
    assert (response.status_code, error_of(response)["code"]) == (503, "no_healthy_backend")
    assert url in error_of(response)["message"]
    assert chain.client.get("/readyz").status_code == 503
    with first:
        eventually(lambda: chain.client.get("/readyz").status_code == 200)
        chain.behave(delay_s=SLOW, tokens=1000)
        with chain.stream(n=10) as answer:
            answer.until(lambda seen: len(seen.choices) == 10)
            first.stop()
            answer.rest()
        assert answer.ends() == {index: ["error"] for index in range(10)}
        assert not answer.is_done
        assert not answer.is_broken
    error = error_of(chain.post())
    assert error["hop"] == "backend"
    assert chain.client.get("/healthz").status_code == 200
    with FakeVllm(url=url) as second:
        eventually(lambda: chain.client.get("/readyz").status_code == 200)
        check_sound(chain.ask(n=10), 10)
        second.stop()


@pytest.mark.parametrize("fault", ["death", "stall"])
def test_a_forwarded_stream_that_breaks_says_so(make_chain: Callable[..., Chain], fault: str) -> None:
    """The client gets an error event of the gateway instead of a silent end."""
    chain = make_chain(idle_timeout_s=0.1)
    chain.behave(fault=fault)
    response = chain.post("/v1/chat/completions", model=MODEL, stream=True)
    last = msgspec.json.decode(response.content.rstrip().rsplit(b"data: ", 1)[1])
    assert last["error"]["code"] in ("stream_interrupted", "backend_timeout")
    assert last["error"]["request_id"] == response.headers["x-request-id"]
    eventually(chain.is_idle)


@pytest.mark.parametrize("fault", REFUSALS)
def test_a_forwarded_refusal_has_our_form(chain: Chain, fault: str) -> None:
    """Errors of the backend come in the one error shape on the pass-through routes as well."""
    chain.behave(fault=fault)
    response = chain.post("/v1/chat/completions", model=MODEL)
    assert (response.status_code, error_of(response)["code"]) == REFUSALS[fault]
