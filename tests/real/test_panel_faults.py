"""The nasty backend behind a real gateway, seen from the browser: what a row says of its fault, and that the others go on."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from dce.gateway.access.keys import KeyStore
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.chain import HIT, SEED, SLOW, Chain, eventually
from tests.fakes.gateway_process import GatewayProcess
from tests.fakes.vllm import FakeVllm
from tests.panel.rig import make_project
from tests.real.windows import generate, opened, shoot, tab, wait_for_end

pytestmark = [pytest.mark.real, pytest.mark.timeout(300)]

STRUCK = HIT + 1
"""The response that a fault strikes: slots count from 1."""


@contextmanager
def asking(folder: Path, url: str, key: str) -> Iterator[Workspace]:
    """A workspace that generates by the gateway at `url`, with seeds, so that a fault can strike one response of several."""
    settings = Settings(url=url, key=key, seed=SEED, max_tokens=4000)
    with Workspace.open(make_project(folder / "words"), settings) as workspace:
        workspace.selection.replace(["words.py", "test_words.py"])
        workspace.cycles.edit(0, context="Words is a tiny library of string functions.")
        workspace.cycles.create("Fill in the stubs", "Implement the two functions in words.py so that the tests pass.")
        yield workspace


FAULTS = {
    "model_404": ("model", "no longer serves that model"),
    "overloaded": ("backend", "queue is full"),
    "stall": ("backend", "sent nothing"),
    "death": ("backend", "connection"),
    "no_finish": ("backend", "finish"),
    "error_then_done": ("backend", "EngineCore"),
}
"""What the fake does; the hop and a word of the fact that the row must tell."""


def test_each_fault_is_told_where_it_struck_and_the_others_go_on(browser: Browser, tmp_path: Path) -> None:
    """(4) One of five strikes a fault: its row names the hop, the fact and the next step; four are complete; filling mends it."""
    with (
        Chain(tmp_path, idle_timeout_s=4.0) as chain,
        asking(tmp_path, chain.server.url, chain.key) as workspace,
        opened(browser, workspace) as page,
    ):
        told: dict[str, str] = {}
        for fault in FAULTS:
            chain.behave(fault=fault, only_seed=SEED + HIT)
            generate_anew(page, 5)
            wait_for_end(page)
            expect(page.locator(".summary")).to_have_text("4 complete, 1 failed")
            row = page.locator(".board tbody tr.status-error")
            told[fault] = row.locator(".error-text").inner_text()
            expect(row.locator(".error-text .muted")).not_to_be_empty()
            shoot(page, f"fault-{fault}")
        for fault, (hop, fact) in FAULTS.items():
            assert told[fault].startswith(hop), told
            assert fact in told[fault], told
        tab(page, STRUCK).click()
        expect(page.locator(".error-line .hop")).to_have_text("backend")
        chain.behave()
        page.get_by_role("button", name="Retry 1 failed").click()
        expect(page.locator(".summary")).to_have_text("5 complete")
        assert [response.version for response in workspace.responses(len(FAULTS))] == [1, 1, 1, 2, 1]


def generate_anew(page: Page, n: int) -> None:
    """Another generation of the cycle, once its page is there."""
    here = page.url
    generate(page, n)
    page.wait_for_function("here => location.href !== here", arg=here)


def test_a_refusal_of_all_is_told_before_anything_is_kept(browser: Browser, tmp_path: Path) -> None:
    """(4) With a key that the gateway does not know the message names the hop, and no empty generation is left behind."""
    with (
        Chain(tmp_path) as chain,
        asking(tmp_path, chain.server.url, f"{chain.key}x") as workspace,
        opened(browser, workspace) as page,
    ):
        page.get_by_role("button", name="Generate", exact=True).click()
        notice = page.get_by_role("alert")
        expect(notice.first).to_contain_text("key")
        expect(notice.locator(".hop").first).not_to_be_empty()
        shoot(page, "fault-key")
        assert workspace.store.generations.latest(1) is None


def test_a_place_in_the_queue_is_seen_and_left(browser: Browser, tmp_path: Path) -> None:
    """(4) A key that may have one response at once sees where the next one waits; when the first goes, it is written."""
    chain = Chain(tmp_path)
    keys = KeyStore(chain.folder)
    keys.edit("tester", {"concurrency": 1})
    keys.close()
    with chain, asking(tmp_path, chain.server.url, chain.key) as workspace, opened(browser, workspace) as page:
        chain.behave(delay_s=SLOW, tokens=100_000)
        with chain.stream(n=1) as other:
            other.until(lambda answer: answer.texts())
            generate(page, 1)
            expect(page.locator(".board .figures")).to_contain_text("in the queue")
            shoot(page, "fault-queue")
            chain.behave()
        wait_for_end(page)
        expect(page.locator(".summary")).to_have_text("1 complete")


def test_a_gateway_that_dies_mid_stream_and_comes_back(browser: Browser, tmp_path: Path) -> None:
    """(4) Killed while ten stream and started again: each row says what it holds or why it ended, no text is lost, and the panel can go on."""
    with FakeVllm() as fake, GatewayProcess(tmp_path, fake.url, "--no-admin") as gateway:
        fake.behaviour.delay_s, fake.behaviour.tokens = SLOW, 3000
        with asking(tmp_path, gateway.url, gateway.key) as workspace, opened(browser, workspace) as page:
            generate(page, 10)
            eventually(lambda: all(len(each.text) > 200 for each in workspace.responses(1)), within_s=60)
            before = [each.text for each in workspace.responses(1)]
            gateway.kill()
            gateway.start()
            wait_for_end(page)
            rows = page.locator(".board tbody tr .error-text")
            expect(rows).to_have_count(10)
            shoot(page, "fault-gateway-killed")
            for had, now in zip(before, workspace.responses(1), strict=True):
                assert now.text.startswith(had)
            fake.behaviour.delay_s, fake.behaviour.tokens = 0.0, 8
            page.get_by_role("button", name="Retry 10 failed").click()
            expect(page.locator(".summary")).to_have_text("10 complete")


def test_a_page_that_is_closed_mid_stream_comes_back_to_all_of_it(browser: Browser, tmp_path: Path) -> None:
    """(4) The streams go on without a window; one opened later shows their ends, and their figures as the gateway counted them."""
    with Chain(tmp_path) as chain, asking(tmp_path, chain.server.url, chain.key) as workspace:
        chain.behave(delay_s=SLOW, tokens=200)
        with opened(browser, workspace) as page:
            generate(page, 10)
            eventually(lambda: all(each.text for each in workspace.responses(1)), within_s=60)
            here, context = page.url, page.context
            page.close()
            eventually(lambda: all(each.status == "complete" for each in workspace.responses(1)), within_s=60)
            again = context.new_page()
            again.goto(here)
            expect(again.locator(".summary")).to_have_text("10 complete")
            figures = again.locator(".board tbody .figures")
            expect(figures).to_have_count(10)
            for each in figures.all_inner_texts():
                assert "≈" not in each, each
                assert all(word in each for word in ("200 tok", "TTFT")), each
