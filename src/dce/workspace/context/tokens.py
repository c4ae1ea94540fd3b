"""What text costs: exact counts from the served model's tokenizer, kept by content; an estimate where there is none.

An estimate is never passed off as a count: every number says which it is.
"""

import asyncio
import hashlib
import math
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from dce.wire.errors import DceError

SAMPLED_FROM_CHARS = 200_000
"""Texts longer than this are estimated from samples: an estimate is not worth the seconds that a whole big file takes."""

SAMPLES = 8
"""How many samples, spread evenly."""

ESTIMATOR = "≈1"
"""Under what name estimates are kept beside counts; the number is raised when the weights change."""

MIN_KEPT_CHARS = 2_000
"""Shorter texts are estimated anew sooner than they are looked up."""

_PIECE = re.compile(
    r"(?P<packed>[A-Za-z0-9+/]{40,}={0,2})"  # base64, hashes: no words in them
    r"|(?P<word>[A-Z]?[a-z]+|[A-Z]+(?![a-z]))"  # camelCase falls apart as in tokenizers
    r"|(?P<digits>[0-9]+)"
    r"|(?P<line>[ \t]*\n\s*)|(?P<gap>[ \t]{2,})|(?P<space>[ \t])"  # one space belongs to the word after it
    r"|(?P<wide>[\u2e80-\u9fff\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff])"  # Chinese, Japanese, Korean
    r"|(?P<letters>[^\W\d_a-zA-Z]+)"
    r"|(?P<marks>[!-/:-@\[-`{-~]+)|(?P<other>.)",
    re.DOTALL,
)
_COMMON_WORD_CHARS = 5
_PER_CHAR = {"packed": 0.62, "letters": 0.22}
_PER_PIECE = {"line": 1.1, "gap": 0.75, "space": 0.0, "wide": 0.7, "other": 1.35}
# The weights are a non-negative least-squares fit of the relative error over 22 texts (Python, TypeScript, C, CSS, HTML, SQL, Markdown,
# CSV, JSON, logs, hex, base64, UUIDs, prose in five languages) counted with the o200k vocabulary. Characters / 4, the
# usual guess, is off by -63 % (base64) to +30 % (English) on the same texts.


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one text; `exact` if the model's own tokenizer counted them."""

    tokens: int
    exact: bool


class Tokenizer(Protocol):
    """Something that counts exactly. `name` identifies the tokenizer, so that counts can be kept."""

    @property
    def name(self) -> str:
        """Stable for one vocabulary."""

    async def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text. Raises DceError if it cannot be reached."""


class CountStore(Protocol):
    """What the counter needs of the store."""

    def get_counts(self, tokenizer: str, shas: Sequence[str]) -> dict[str, int]:
        """Those counts that are known."""

    def put_counts(self, tokenizer: str, counts: Mapping[str, int]) -> None:
        """Keeps counts by the SHA-256 of the text."""


def estimate(text: str) -> int:
    """About how many tokens a current vocabulary of some 200,000 makes of a text; within ±15 % on code, prose and data alike.

    Long texts are measured in samples. A model whose tokenizer splits numbers into digits needs up to twice as many for tables of them.
    """
    if len(text) <= SAMPLED_FROM_CHARS:
        return math.ceil(_weight(text))
    stride, width = len(text) / SAMPLES, SAMPLED_FROM_CHARS // SAMPLES
    starts = [int(number * stride) for number in range(SAMPLES)]
    weight = sum(_weight(text[start : start + width]) for start in starts)
    return math.ceil(weight * len(text) / (SAMPLES * width))


def _weight(text: str) -> float:
    """The sum of the weights of a text's pieces."""
    total = 0.0
    for piece in _PIECE.finditer(text):
        kind, length = piece.lastgroup or "", piece.end() - piece.start()
        if kind == "word":
            total += 0.8 if length <= _COMMON_WORD_CHARS else 1.24 + 0.28 * max(0, length - 8)
        elif kind == "digits":
            total += 1.2 * math.ceil(length / 3)
        elif kind == "marks":
            total += 0.8 + 0.17 * (length - 1)
        elif kind in _PER_CHAR:
            total += _PER_CHAR[kind] * length
        else:
            total += _PER_PIECE[kind]
    return total


class TokenCounter:
    """Counts texts, each content once: exact if the tokenizer answers or has answered before, estimated otherwise."""

    def __init__(
        self,
        store: CountStore,
        tokenizer: Tokenizer | None,
        may_send: Callable[[str], bool] = lambda _: True,
        pieces: Callable[[str], list[str]] = lambda text: [text],
    ) -> None:
        """`may_send` says whether a text may go to the tokenizer, which may be on another machine; if not, it is estimated.

        `pieces`: a text in parts whose counts add up to its own, so that what is counted again after an edit is a part of it.
        """
        self._store = store
        self._tokenizer = tokenizer
        self._may_send = may_send
        self._pieces = pieces

    async def count(self, texts: Sequence[str], first_sha256: str = "") -> list[Count]:
        """The tokens of each text, in order. Never raises because a tokenizer is absent or out of reach.

        `first_sha256`: that of the first text's UTF-8, from a caller who knows it.
        """
        shas = await asyncio.to_thread(_hashes, texts[1:] if first_sha256 else texts)
        shas = [first_sha256, *shas] if first_sha256 else shas
        known = {_hash(""): 0}
        if self._tokenizer is not None:
            known |= await self._exact(self._tokenizer, dict(zip(shas, texts, strict=True)))
        return await asyncio.to_thread(self._all, texts, shas, known)

    def _all(self, texts: Sequence[str], shas: Sequence[str], known: Mapping[str, int]) -> list[Count]:
        """A count for each text: those that are known, and estimates of the others, each content once as well."""
        unknown = {sha: text for sha, text in zip(shas, texts, strict=True) if sha not in known}
        long = [sha for sha, text in unknown.items() if len(text) >= MIN_KEPT_CHARS]
        kept = self._store.get_counts(ESTIMATOR, long) if long else {}
        estimates = kept | {sha: estimate(text) for sha, text in unknown.items() if sha not in kept}
        if fresh := {sha: estimates[sha] for sha in long if sha not in kept}:
            self._store.put_counts(ESTIMATOR, fresh)
        return [
            Count(tokens=known[sha], exact=True) if sha in known else Count(tokens=estimates[sha], exact=False)
            for sha in shas
        ]

    async def _exact(self, tokenizer: Tokenizer, texts: Mapping[str, str]) -> dict[str, int]:
        known = await asyncio.to_thread(self._store.get_counts, tokenizer.name, list(texts))
        unknown = await asyncio.to_thread(
            lambda: [sha for sha, text in texts.items() if sha not in known and text and self._may_send(text)]
        )
        if not unknown:
            return known
        orders, parts = await asyncio.to_thread(self._cut, {sha: texts[sha] for sha in unknown})
        counts = await asyncio.to_thread(self._store.get_counts, tokenizer.name, [*parts.keys() - orders.keys()])
        missing = [part for part in parts if part not in counts]
        try:
            counts |= zip(missing, await tokenizer.count([parts[part] for part in missing]), strict=True)
        except (DceError, OSError):  # out of reach: the estimate says that it is one
            return known
        fresh = {sha: sum(counts[part] for part in order) for sha, order in orders.items()}
        await asyncio.to_thread(
            self._store.put_counts, tokenizer.name, {part: counts[part] for part in missing} | fresh
        )
        return known | fresh

    def _cut(self, texts: Mapping[str, str]) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The parts of each text by their hashes, in order; and all parts by hash."""
        orders: dict[str, list[str]] = {}
        parts: dict[str, str] = {}
        for sha, text in texts.items():
            found = self._pieces(text)
            orders[sha] = [sha] if len(found) == 1 else _hashes(found)
            parts.update(zip(orders[sha], found, strict=True))
        return orders, parts


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hashes(texts: Sequence[str]) -> list[str]:
    return [_hash(text) for text in texts]
