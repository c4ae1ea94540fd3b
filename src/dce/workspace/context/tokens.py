"""Token counts of texts: exact counts from the served model's tokenizer, cached by content; estimates where there is none.

An estimate is never passed off as a count: every number says which it is.
"""

import asyncio
import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.estimate import ESTIMATOR, estimate

MIN_KEPT_CHARS = 2_000
"""For shorter texts, estimating again is faster than looking up an estimate."""


class Count(msgspec.Struct, frozen=True, kw_only=True):
    """The tokens of one text; `exact` if the model's own tokenizer counted them."""

    tokens: int
    exact: bool


class Tokenizer(Protocol):
    """An exact token counter. `name` identifies the tokenizer, so that counts can be cached."""

    @property
    def name(self) -> str:
        """Stable for one vocabulary."""

    async def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text. Raises DceError if the tokenizer cannot be reached."""


class CountStore(Protocol):
    """What the counter needs from the store."""

    def get(self, tokenizer: str, shas: Sequence[str]) -> dict[str, int]:
        """The known counts, by the SHA-256 of the text."""

    def put(self, tokenizer: str, counts: Mapping[str, int]) -> None:
        """Stores counts by the SHA-256 of the text."""


class TokenCounter:
    """Counts texts, each distinct text once: exactly if the tokenizer answers now or did so before, by estimate otherwise."""

    def __init__(
        self,
        store: CountStore,
        tokenizer: Tokenizer | None,
        may_send: Callable[[str], bool] = lambda _: True,
        pieces: Callable[[str], list[str]] = lambda text: [text],
    ) -> None:
        """`may_send` says whether a text may be sent to the tokenizer, which may be on another machine; if not, it is estimated.

        `pieces` splits a text into parts whose counts add up, so that after an edit only a part has to be counted again.
        """
        self._store = store
        self._tokenizer = tokenizer
        self._may_send = may_send
        self._pieces = pieces

    async def count(self, texts: Sequence[str], first_sha256: str = "") -> list[Count]:
        """The count of each text, in order. A missing or unreachable tokenizer raises no error.

        `first_sha256`: the SHA-256 of the first text as UTF-8, if the caller has it.
        """
        shas = await asyncio.to_thread(_hashes, texts[1:] if first_sha256 else texts)
        shas = [first_sha256, *shas] if first_sha256 else shas
        known = {_hash(""): 0}
        if self._tokenizer is not None:
            known |= await self._exact(self._tokenizer, dict(zip(shas, texts, strict=True)))
        return await asyncio.to_thread(self._all, texts, shas, known)

    def _all(self, texts: Sequence[str], shas: Sequence[str], known: Mapping[str, int]) -> list[Count]:
        """A count for each text: the known counts, and estimates for the others, each distinct text once."""
        unknown = {sha: text for sha, text in zip(shas, texts, strict=True) if sha not in known}
        long = [sha for sha, text in unknown.items() if len(text) >= MIN_KEPT_CHARS]
        kept = self._store.get(ESTIMATOR, long) if long else {}
        estimates = kept | {sha: estimate(text) for sha, text in unknown.items() if sha not in kept}
        if fresh := {sha: estimates[sha] for sha in long if sha not in kept}:
            self._store.put(ESTIMATOR, fresh)
        return [
            Count(tokens=known[sha], exact=True) if sha in known else Count(tokens=estimates[sha], exact=False)
            for sha in shas
        ]

    async def _exact(self, tokenizer: Tokenizer, texts: Mapping[str, str]) -> dict[str, int]:
        known = await asyncio.to_thread(self._store.get, tokenizer.name, list(texts))
        unknown = await asyncio.to_thread(
            lambda: [sha for sha, text in texts.items() if sha not in known and text and self._may_send(text)]
        )
        if not unknown:
            return known
        orders, parts = await asyncio.to_thread(self._cut, {sha: texts[sha] for sha in unknown})
        counts = await asyncio.to_thread(self._store.get, tokenizer.name, [*parts.keys() - orders.keys()])
        missing = [part for part in parts if part not in counts]
        try:
            counts |= zip(missing, await tokenizer.count([parts[part] for part in missing]), strict=True)
        except (DceError, OSError):  # unreachable: the caller gets estimates, marked as such
            return known
        fresh = {sha: sum(counts[part] for part in order) for sha, order in orders.items()}
        await asyncio.to_thread(self._store.put, tokenizer.name, {part: counts[part] for part in missing} | fresh)
        return known | fresh

    def _cut(self, texts: Mapping[str, str]) -> tuple[dict[str, list[str]], dict[str, str]]:
        """The hashes of each text's parts, in order; and all parts by hash."""
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
