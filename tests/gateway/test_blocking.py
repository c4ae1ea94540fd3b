"""The loop is never blocked: ten streams, JSON answers, stops and refusals with every blocking call forbidden."""

from collections.abc import Callable

from blockbuster import blockbuster_ctx

from tests.fakes.chain import SLOW, Chain, check_sound
from tests.fakes.vllm import MODEL


def test_no_request_blocks_the_loop(make_chain: Callable[..., Chain]) -> None:
    """No file, lock, sleep or blocking socket is touched by the gateway's loop while it answers, keys excepted."""
    chain = make_chain()
    with blockbuster_ctx() as guard:
        # The keys' change counter is read from SQLite's shared memory, some microseconds a request: a thread would cost more.
        for name in (
            "sqlite3.Connection.execute",
            "sqlite3.Cursor.fetchone",
            "sqlite3.Cursor.execute",
            "sqlite3.Cursor.fetchall",
        ):
            guard.functions[name].can_block_in("dce/gateway/access/keys.py", {"_refresh"})
        check_sound(chain.ask(n=10), 10)
        assert chain.post(n=2, stream=False).status_code == 200
        assert chain.post("/v1/chat/completions", model=MODEL, stream=True).status_code == 200
        assert chain.post(n=0).status_code == 400
        assert chain.client.get("/nope").status_code == 404
        chain.behave(fault="death")
        assert chain.ask(n=3).error["code"] == "stream_interrupted"
        chain.behave(delay_s=SLOW, tokens=10_000)
        with chain.stream(n=3) as answer:
            answer.until(lambda seen: len(seen.choices) == 3)
            assert chain.client.delete(f"/api/dce/streams/{answer.stream_id}").status_code == 204
            assert answer.rest().is_done


def test_the_guard_would_notice(make_chain: Callable[..., Chain]) -> None:
    """Without its exception the keys' read is found, so the test above can fail."""
    chain = make_chain()
    with blockbuster_ctx():
        assert chain.client.get("/v1/models").status_code == 500
