"""What clients do while a stream runs: stop responses, leave, read slowly, not read at all."""

import socket
from collections.abc import Callable

import pytest

from dce.gateway.settings import GatewaySettings
from tests.fakes.chain import (
    HIT,
    SLOW,
    TOKENS,
    Chain,
    check_sound,
    client_of,
    drained,
    error_of,
    eventually,
    other_key,
    raw_listener,
    raw_post,
    raw_request,
)
from tests.fakes.vllm import MODEL, Behaviour, said

# -- stopping -----------------------------------------------------------------------------------------------------------


def test_stopping_one_of_ten_leaves_nine(both: Chain) -> None:
    """The stopped choice ends once as `stopped` with what it had said, the others are whole, and [DONE] says all is well."""
    both.behave(delay_s=SLOW, tokens=300)
    with both.stream(n=10) as answer:
        answer.until(lambda seen: len(seen.choices) == 10)
        running = both.fake.open_streams
        path = f"/api/dce/streams/{answer.stream_id}/choices/{HIT}"
        assert both.client.delete(path).status_code == 204
        eventually(lambda: both.fake.open_streams == (9 if running == 10 else 1))
        assert both.client.delete(path).status_code == 204
        answer.rest()
    assert answer.ends() == {index: ["stopped"] if index == HIT else ["stop"] for index in range(10)}
    whole = said(300)
    assert all((text == whole) is (index != HIT) for index, text in answer.texts().items())
    assert whole.startswith(answer.choices[HIT].text)
    assert answer.is_done
    assert not answer.error
    eventually(both.is_idle)


def test_stopping_all(both: Chain) -> None:
    """Every open choice ends as `stopped`, the backend is left at once, and the stream ends sound."""
    both.behave(delay_s=SLOW, tokens=10_000)
    with both.stream(n=10) as answer:
        answer.until(lambda seen: len(seen.choices) == 10)
        assert both.client.delete(f"/api/dce/streams/{answer.stream_id}").status_code == 204
        answer.rest()
    assert answer.ends() == {index: ["stopped"] for index in range(10)}
    assert answer.is_done
    eventually(both.is_idle)
    assert both.client.delete(f"/api/dce/streams/{answer.stream_id}").status_code == 404


def test_what_was_said_before_a_stop_is_counted(both: Chain) -> None:
    """The usage of a stopped stream is exactly what its choices had said, though the client asked for no counts."""
    both.behave(delay_s=SLOW, tokens=1000)
    counts = {said(tokens): tokens for tokens in range(1001)}
    with both.stream(n=3) as answer:
        answer.until(lambda seen: len(seen.choices) == 3 and all(choice.text for choice in seen.choices.values()))
        both.client.delete(f"/api/dce/streams/{answer.stream_id}")
        answer.rest()
    assert answer.usage["completion_tokens"] == sum(counts[text] for text in answer.texts().values())
    assert answer.usage["prompt_tokens"] > 0


@pytest.mark.parametrize("index", ["10", "99999", "-1", "x", "0x1"])
def test_a_choice_that_is_none(chain: Chain, index: str) -> None:
    """Only a number of a choice of this stream can be stopped; the stream is not touched by anything else."""
    chain.behave(delay_s=SLOW, tokens=20)
    with chain.stream(n=10) as answer:
        response = chain.client.delete(f"/api/dce/streams/{answer.stream_id}/choices/{index}")
        assert response.status_code in (400, 404)
        error_of(response)
        assert "stopped" not in str(answer.rest().ends())


def test_another_keys_stream_is_unknown(chain: Chain) -> None:
    """A stream of somebody else is answered exactly like one that never was, and goes on."""
    chain.behave(delay_s=SLOW, tokens=20)
    with chain.stream(n=2) as answer, client_of(chain.server.url, other_key(chain)) as other:
        errors = []
        for stream_id in (answer.stream_id, "0" * 32):
            for path in (f"/api/dce/streams/{stream_id}", f"/api/dce/streams/{stream_id}/choices/0"):
                response = other.delete(path)
                assert response.status_code == 404
                errors.append({**error_of(response), "request_id": ""})
        assert all(error == errors[0] for error in errors)
        assert answer.rest().ends() == {0: ["stop"], 1: ["stop"]}


# -- clients that leave, or read slowly ---------------------------------------------------------------------------------


def test_a_client_that_leaves_stops_the_backend(both: Chain) -> None:
    """Closing the connection in the middle of ten streams leaves the backend and the gateway idle."""
    both.behave(delay_s=SLOW, tokens=100_000)
    with both.stream(n=10) as answer:
        answer.until(lambda seen: len(seen.choices) == 10)
        assert both.in_flight == 10
    eventually(both.is_idle)
    both.behave()
    check_sound(both.ask(n=10), 10)


def test_by_default_a_client_that_is_gone_frees_the_backend(make_chain: Callable[..., Chain]) -> None:
    """The grace period of a stream, unless asked for otherwise, is short: it keeps no GPU busy."""
    assert GatewaySettings().resume_grace_s <= 1.0
    chain = make_chain(resume_grace_s=GatewaySettings().resume_grace_s)
    chain.behave(delay_s=SLOW, tokens=100_000)
    with chain.stream(n=10) as answer:
        answer.until(lambda seen: len(seen.choices) == 10)
    eventually(chain.is_idle)


def test_a_client_that_leaves_during_prefill_stops_the_backend(make_chain: Callable[..., Chain]) -> None:
    """Nothing was answered yet: the backend requests are closed all the same."""
    with raw_listener() as deaf:
        chain = make_chain()
        chain.server.gateway.backends[0].address = deaf
        with raw_request(chain.server.url, raw_post(chain.key, chain.body(n=10))):
            eventually(lambda: chain.in_flight == 10)
        eventually(lambda: chain.in_flight == 0)


@pytest.mark.parametrize("fields", [{"stream": False}, {"stream": True}], ids=["json", "stream"])
@pytest.mark.parametrize("path", ["/api/dce/proxy", "/v1/chat/completions"])
def test_leaving_counts_on_every_route(chain: Chain, path: str, fields: dict[str, bool]) -> None:
    """Whether the answer would have been JSON or a stream, own or passed through: nobody waits, nothing runs."""
    chain.behave(delay_s=SLOW, tokens=100_000, **({"fault": "stall"} if path.startswith("/v1") else {}))
    with raw_request(chain.server.url, raw_post(chain.key, chain.body(n=2, model=MODEL, **fields), path)):
        eventually(lambda: chain.in_flight == 2 and chain.fake.requests)
    eventually(chain.is_idle)


def test_the_second_of_two_requests_on_one_connection_can_be_left_too(chain: Chain) -> None:
    """A client that sends its next request early is watched for its going during that one as well."""
    chain.behave(delay_s=SLOW, tokens=20)
    request = raw_post(chain.key, chain.body(n=10))
    with raw_request(chain.server.url, request) as connection:
        eventually(lambda: len(chain.fake.chats()) == 10)
        chain.fake.behaviour = Behaviour(delay_s=SLOW, tokens=100_000)
        connection.sendall(request)
        eventually(lambda: len(chain.fake.chats()) == 20 and chain.fake.open_streams == 10)
    eventually(chain.is_idle)


def test_heartbeats_while_the_backend_is_silent(make_chain: Callable[..., Chain]) -> None:
    """A waiting client sees comments, which carry no id and disturb no frame."""
    chain = make_chain(heartbeat_s=0.02)
    chain.behave(fault="stall", tokens=TOKENS)
    with chain.stream(n=2) as answer:
        answer.until(lambda seen: seen.raw.count(b": keep-alive\n\n") >= 3)
        chain.client.delete(f"/api/dce/streams/{answer.stream_id}")
        answer.rest()
    assert answer.is_done
    assert answer.ids == [f"{answer.stream_id}:{at + 1}" for at in range(len(answer.ids))]


def test_a_client_that_stops_reading_is_cut_and_harms_nobody(make_chain: Callable[..., Chain]) -> None:
    """Its backends wait, then it is cut and they are left; another client's streams run through meanwhile."""
    chain = make_chain(write_stall_timeout_s=2.0, heartbeat_s=0.1, idle_timeout_s=1.5)
    chain.behave(tokens=1_000_000)
    body = chain.body(n=10)
    with raw_request(chain.server.url, raw_post(chain.key, body), receive_buffer=4096) as reader:
        eventually(lambda: chain.fake.open_streams == 10)
        chain.fake.behaviour = Behaviour()
        check_sound(chain.ask(n=10), 10)
        eventually(chain.is_idle)
        assert b"[DONE]" not in drained(reader)


def test_a_slow_client_gets_everything(make_chain: Callable[..., Chain]) -> None:
    """A client that pauses, but reads again in time, has lost nothing: the backends waited for it."""
    chain = make_chain(write_stall_timeout_s=60.0)
    tokens = 6000
    chain.behave(tokens=tokens)
    request = raw_post(chain.key, chain.body(n=10))
    with raw_request(chain.server.url, request, receive_buffer=4096) as reader:
        eventually(chain.has_paused_stream)
        reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1 << 20)  # with 4 KB the kernel may take minutes for it
        received = drained(reader)
    assert received.count(b'"finish_reason":"stop"') == 10
    assert b"data: [DONE]" in received
    assert b'"completion_tokens":%d' % (10 * tokens) in received
    eventually(chain.is_idle)


def test_an_end_nobody_reads_is_cut_too(make_chain: Callable[..., Chain]) -> None:
    """A client that does not fetch even the end of its stream is cut as well: it holds no place."""
    chain = make_chain(write_stall_timeout_s=4.0)
    chain.behave(tokens=1_000_000)
    with raw_request(chain.server.url, raw_post(chain.key, chain.body(n=10)), receive_buffer=4096) as reader:
        eventually(chain.has_paused_stream)
        stream_id = reader.recv(1000).decode().split("x-dce-stream-id: ")[1].split("\r\n")[0]
        assert chain.client.delete(f"/api/dce/streams/{stream_id}").status_code == 204
        eventually(chain.is_idle)
        chain.client.close()
        eventually(lambda: not chain.server._server.server_state.connections)
        assert b"[DONE]" not in drained(reader)
