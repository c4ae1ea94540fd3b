"""The doctor on a real gateway whose limits are reached: named for what they are, with when they renew."""

import asyncio
from pathlib import Path
from typing import Any

from dce.doctor.findings import Check, Diagnosis, TokenProbe
from dce.doctor.handshake import trusted
from dce.doctor.http import Http
from dce.doctor.streaming import Streams
from dce.doctor.target import read_target
from dce.doctor.tree import Options, examine
from dce.gateway.access.keys import KeyStore
from dce.gateway.access.limits import Limits
from tests.fakes.chain import SLOW, Chain


def key_with(chain: Chain, **limits: Any) -> str:
    keys = KeyStore(chain.folder)
    secret = keys.create("limited", limits=Limits(**limits))[1]
    keys.close()
    return secret


def diagnose(chain: Chain, key: str) -> Diagnosis:
    return asyncio.run(examine(Options(url=chain.server.url, key=key, silence_s=0), {}))


def named(diagnosis: Diagnosis, name: str) -> Check:
    return next(check for check in diagnosis.checks if check.name == name)


def test_requests_of_a_minute(tmp_path: Path) -> None:
    """With one request a minute the doctor's first goes through, its second is not held against anything; then the limit is
    named, with the moment from which it lets through again."""
    with Chain(tmp_path) as chain:
        key = key_with(chain, rpm=1)
        first = diagnose(chain, key)
        assert first.ok, first
        assert "not tried" in named(first, "cancel").detail
        second = diagnose(chain, key)
        assert second.code == "rate_limited"
        assert "it renews in" in named(second, "limits").detail


def test_a_budget_that_is_used_up(tmp_path: Path) -> None:
    """A budget with nothing left is named as such, on the gateway's side, with when it renews."""
    with Chain(tmp_path) as chain:
        diagnosis = diagnose(chain, key_with(chain, budget_tokens=1, budget_period="day"))
        assert (diagnosis.failing_hop, diagnosis.code) == ("gateway", "quota_exceeded")
        assert "it renews in" in named(diagnosis, "limits").detail


def test_a_full_gateway(tmp_path: Path) -> None:
    """While others have all the room, the doctor knows its place in the queue."""

    async def token(url: str, key: str) -> TokenProbe:
        http = Http(read_target(url, {}), key, trusted({}))
        seen = await Streams(http, token_timeout_s=4.0).token(None)
        await http.close()
        return seen

    with Chain(tmp_path, max_running_responses=1) as chain:
        chain.behave(tokens=10_000, delay_s=SLOW)
        with chain.stream(n=1) as answer:
            answer.until(lambda seen: seen.texts())
            seen = asyncio.run(token(chain.server.url, chain.key))
        assert (seen.queue_position, seen.failure is not None) == (1, True)
