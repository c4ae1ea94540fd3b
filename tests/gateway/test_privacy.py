"""The privacy notice is true: what it lists is what the ledger and the log really hold."""

import logging

import httpx2
import pytest

from dce.gateway.accounting.ledger import COLUMNS
from dce.gateway.privacy import LEDGER_FIELDS, LOG_FIELDS, as_text, notice_of
from dce.gateway.settings import GatewaySettings
from tests.fakes.chain import PROXY, Chain, eventually

PATH = "/api/dce/privacy"


def test_the_ledger_holds_what_is_listed() -> None:
    """Each column of the ledger is in the notice, and nothing else is said to be."""
    assert tuple(LEDGER_FIELDS) == tuple(COLUMNS)


def test_the_log_holds_what_is_listed(chain: Chain, caplog: pytest.LogCaptureFixture) -> None:
    """Each field of the log lines of real requests, well and refused, is in the notice."""
    caplog.set_level(logging.INFO, "dce.gateway")
    chain.ask(n=2)
    chain.post(stream=False)
    chain.post("/v1/chat/completions", model="fake-7b")
    chain.post(model="no-such-model")
    httpx2.get(chain.server.url + "/nowhere")

    def lines() -> list[dict[str, object]]:
        return [record.__dict__["fields"] for record in caplog.records if "fields" in record.__dict__]

    eventually(lambda: len(lines()) >= 5)
    fields = {name for line in lines() for name in line}
    assert fields == set(LOG_FIELDS)


def test_who_has_no_key_may_read_it(chain: Chain) -> None:
    """It is public, as JSON for programs and as text for people, and names neither model nor backend nor key."""
    answer = httpx2.get(chain.server.url + PATH)
    assert set(answer.json()) == {"sent", "kept", "logged", "never", "operator", "contact"}
    text = httpx2.get(chain.server.url + PATH, headers={"accept": "text/plain"})
    assert text.headers["content-type"] == "text/plain; charset=utf-8"
    for shown in (answer.text, text.text):
        assert not [word for word in ("fake-7b", chain.fake.url, chain.key, "tester") if word in shown]


def test_the_operators_words_and_the_settings_effects() -> None:
    """The operator's text and contact stand in it; sharing the cache between keys is said."""
    own = GatewaySettings(privacy_text="Run by the physics department.", privacy_contact="dpo@example.org")
    text = as_text(notice_of(own))
    assert "Run by the physics department.\n" in text
    assert text.endswith("Contact: dpo@example.org\n")
    assert "shared with other keys" in as_text(notice_of(GatewaySettings(isolate_prefix_cache=False)))
    assert "shared with other keys" not in text


def test_how_long_rows_are_kept_is_told() -> None:
    """Until the operator deletes them, or for the days that are set."""
    assert "Until: 90 days have passed." in as_text(notice_of(GatewaySettings(ledger_keep_days=90)))
    assert "days have passed" not in as_text(notice_of(GatewaySettings()))


def test_no_prompt_is_promised_where_it_is_kept(chain: Chain) -> None:
    """What is promised never to be written is not: no file of the gateway's folder holds prompt or answer."""
    chain.post(PROXY, messages=[{"role": "user", "content": "canary-in-the-prompt"}], stream=False)
    for file in chain.folder.iterdir():
        content = file.read_bytes()
        assert b"canary-in-the-prompt" not in content
        assert "Grüße".encode() not in content
