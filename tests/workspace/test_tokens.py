"""Counts, and estimates that are marked as estimates."""

import asyncio
import base64
import hashlib
import json
import threading
from collections.abc import Mapping, Sequence
from hashlib import sha256

import pytest

from dce.wire.errors import DceError
from dce.workspace.context.tokens import Count, TokenCounter
from dce.workspace.record.estimate import ESTIMATOR, SAMPLED_FROM_CHARS, estimate

TOLERANCE = 0.2
"""How far an estimate may be from the count, as a fraction of the count."""


def digest(number: int) -> "hashlib._Hash":
    return hashlib.sha256(str(number).encode())


CODE = 'def mean(values: list[float]) -> float:\n    """The arithmetic mean."""\n    if not values:\n'
CODE += '        raise ValueError("no values")\n    return sum(values) / len(values)\n'
ENGLISH = "Paths from a model are resolved inside the workspace or refused, and nothing is written that was not shown before.\n"
# Counted with the o200k vocabulary.
COUNTED = {
    "python": (CODE * 5, 195),
    "english": (ENGLISH * 5, 110),
    "csv": (
        "".join(f"{i},{i * 7919 % 1000003},{i * 104729 % 997 / 7:.4f},2024-05-{i % 28 + 1:02}\n" for i in range(60)),
        1019,
    ),
    "json": (
        json.dumps([{"id": i, "name": f"user{i}", "active": True} for i in range(60)], separators=(",", ":")),
        782,
    ),
    "hex": ("\n".join(digest(i).hexdigest() for i in range(30)), 1131),
    "chinese": ("模型会并行生成多个响应，然后由人来选择最好的一个，并把它写入工作区。" * 10, 230),  # noqa: RUF001 - Chinese marks
    "base64": (base64.b64encode(b"".join(digest(i).digest() for i in range(30))).decode(), 866),
}


@pytest.mark.parametrize("shape", COUNTED)
def test_the_estimate_is_near_the_count_for_code_prose_and_data(shape: str) -> None:
    """An estimate is within the tolerance of a real vocabulary's count, whatever the text is."""
    text, counted = COUNTED[shape]
    assert abs(estimate(text) / counted - 1) <= TOLERANCE


def test_a_long_text_is_estimated_from_samples_as_well_as_whole() -> None:
    """Sampling hardly changes the estimate of a long uniform text; an empty text counts 0."""
    times = SAMPLED_FROM_CHARS // len(CODE) + 1
    assert abs(estimate(CODE * times) / (estimate(CODE * 10) * times / 10) - 1) < 0.05
    assert estimate("") == 0
    assert estimate("a") == 1


class FakeStore:
    """The store's table of counts."""

    def __init__(self) -> None:
        self.counts: dict[tuple[str, str], int] = {}
        self.threads: set[int] = set()

    def get(self, tokenizer: str, shas: Sequence[str]) -> dict[str, int]:
        self.threads.add(threading.get_ident())
        return {sha: self.counts[tokenizer, sha] for sha in shas if (tokenizer, sha) in self.counts}

    def put(self, tokenizer: str, counts: Mapping[str, int]) -> None:
        self.counts |= {(tokenizer, sha): count for sha, count in counts.items()}


class FakeTokenizer:
    """Counts words; can be unreachable."""

    def __init__(self, name: str = "words") -> None:
        self.name = name
        self.asked: list[list[str]] = []
        self.error: Exception | None = None

    async def count(self, texts: Sequence[str]) -> list[int]:
        self.asked.append(list(texts))
        if self.error:
            raise self.error
        return [len(text.split()) for text in texts]


def test_each_content_is_counted_once_per_tokenizer() -> None:
    """Counts are exact, in order, requested once per content, and not shared between tokenizers."""
    store, tokenizer = FakeStore(), FakeTokenizer()
    counter = TokenCounter(store, tokenizer)
    texts = ["a b", "c", "a b", ""]
    counted = [Count(tokens=count, exact=True) for count in (2, 1, 2, 0)]
    assert asyncio.run(counter.count(texts)) == counted
    assert tokenizer.asked == [["a b", "c"]]
    assert asyncio.run(counter.count(texts)) == counted
    assert len(tokenizer.asked) == 1
    other = FakeTokenizer("other")
    asyncio.run(TokenCounter(store, other).count(["a b"]))
    assert other.asked == [["a b"]]


@pytest.mark.parametrize("error", [DceError("gateway_unreachable", "down"), ConnectionRefusedError(), TimeoutError()])
def test_a_tokenizer_out_of_reach_gives_estimates_and_keeps_what_is_known(error: Exception) -> None:
    """Known counts stay exact, the rest are marked as estimates, nothing raises, and no estimate is stored as a count."""
    store, tokenizer = FakeStore(), FakeTokenizer()
    counter = TokenCounter(store, tokenizer)
    asyncio.run(counter.count(["known"]))
    tokenizer.error = error
    assert asyncio.run(counter.count(["known", "x y z"])) == [
        Count(tokens=1, exact=True),
        Count(tokens=estimate("x y z"), exact=False),
    ]
    tokenizer.error = None
    assert asyncio.run(counter.count(["x y z"])) == [Count(tokens=3, exact=True)]


def test_without_a_tokenizer_everything_is_an_estimate() -> None:
    """A missing tokenizer is not an error, and a text that UTF-8 cannot encode is still counted."""
    counts = asyncio.run(TokenCounter(FakeStore(), None).count(["x y z", "\ud800"]))
    assert [count.exact for count in counts] == [False, False]


def test_each_content_is_estimated_once_and_never_taken_for_a_count() -> None:
    """A long text's estimate is stored under the estimator's name, so that it can be looked up and stays an estimate."""
    store, text = FakeStore(), CODE * 20
    first = asyncio.run(TokenCounter(store, None).count([text, "short", text]))
    assert [*store.counts] == [(ESTIMATOR, sha256(text.encode()).hexdigest())]
    assert first == [Count(tokens=estimate(each), exact=False) for each in (text, "short", text)]
    store.counts = dict.fromkeys(store.counts, 77)
    assert asyncio.run(TokenCounter(store, None).count([text])) == [Count(tokens=77, exact=False)]
    assert asyncio.run(TokenCounter(store, FakeTokenizer()).count([text])) == [
        Count(tokens=len(text.split()), exact=True)
    ]


def test_the_store_is_not_used_on_the_event_loop() -> None:
    """Reading counts never blocks the loop."""
    store = FakeStore()
    asyncio.run(TokenCounter(store, FakeTokenizer()).count(["x"]))
    assert threading.get_ident() not in store.threads
