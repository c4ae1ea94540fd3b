"""What text costs: exact counts from the served model's tokenizer, kept by content; an estimate where there is none.

An estimate is never passed off as a count: every number says which it is.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec

from dce.wire.errors import DceError


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
    """PLACEHOLDER"""
    return len(text) // 4 + 1


class TokenCounter:
    """Counts texts, each content once: exact if the tokenizer answers or has answered before, estimated otherwise."""

    def __init__(self, store: CountStore, tokenizer: Tokenizer | None) -> None:
        self._store = store
        self._tokenizer = tokenizer

    async def count(self, texts: Sequence[str]) -> list[Count]:
        """The tokens of each text, in order. Never raises because a tokenizer is absent or out of reach."""
        shas = await asyncio.to_thread(_hashes, texts)
        known = {_hash(""): 0}
        if self._tokenizer is not None:
            known |= await self._exact(self._tokenizer, dict(zip(shas, texts, strict=True)))
        return await asyncio.to_thread(_counts, texts, shas, known)

    async def _exact(self, tokenizer: Tokenizer, texts: Mapping[str, str]) -> dict[str, int]:
        known = await asyncio.to_thread(self._store.get_counts, tokenizer.name, list(texts))
        unknown = [sha for sha in texts if sha not in known and texts[sha]]
        if not unknown:
            return known
        try:
            counts = await tokenizer.count([texts[sha] for sha in unknown])
        except (DceError, OSError):  # out of reach: the estimate says that it is one
            return known
        fresh = dict(zip(unknown, counts, strict=True))
        await asyncio.to_thread(self._store.put_counts, tokenizer.name, fresh)
        return known | fresh


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def _hashes(texts: Sequence[str]) -> list[str]:
    return [_hash(text) for text in texts]


def _counts(texts: Sequence[str], shas: Sequence[str], known: Mapping[str, int]) -> list[Count]:
    return [
        Count(tokens=known[sha], exact=True) if sha in known else Count(tokens=estimate(text), exact=False)
        for text, sha in zip(texts, shas, strict=True)
    ]
