"""The served model's `tokenizer.json`, used here: exact counts without asking the server, for texts that may not be sent as well.

What must always hold: a file that cannot be had or read is told by `problem`, and counting goes on as an estimate; what was fetched is
fetched once, and only from a host that was agreed to; counts are kept under the hash of the file, so that another tokenizer's never stand for them.
"""

import asyncio
import hashlib
import importlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from dce import durable
from dce.wire.errors import DceError
from dce.workspace.context.token_pieces import adds_up, pieces

if TYPE_CHECKING:
    import httpx2

MAX_BYTES = 100_000_000
"""Largest tokenizer.json: real ones have 2 to 35 MB."""

FETCH_TIMEOUT_S = 30.0
"""Longest silence while it is fetched."""

FOLDER = "tokenizers"
"""Below `.dce/`: what was fetched, under the hash of its address."""

Counter = Callable[[Sequence[str]], list[int]]


class Loaded(msgspec.Struct, frozen=True):
    """A tokenizer in memory. `has_pieces`: the counts of a text's pieces add up to its own (see token_pieces.py)."""

    count: Counter
    has_pieces: bool = False


def load(content: bytes) -> Loaded:
    """A counter of tokens from the bytes of a tokenizer.json. Raises DceError invalid_input."""
    try:
        library = importlib.import_module("tokenizers")
    except ModuleNotFoundError:
        raise DceError("invalid_input", "the package `tokenizers` is not installed: pip install tokenizers") from None
    try:
        tokenizer = library.Tokenizer.from_buffer(content)
    except Exception as error:
        raise DceError("invalid_input", "it is no tokenizer.json that the package `tokenizers` can read") from error

    tokenizer.no_truncation()  # some files say how long a text their model takes: it would be counted no further
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        plain = [text.encode("utf-8", "replace").decode() for text in texts]
        return [len(found) for found in tokenizer.encode_batch_fast(plain, add_special_tokens=False)]

    def split(text: str) -> list[str]:
        return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    return Loaded(count, adds_up(json.loads(content), split))


class FileTokenizer:
    """A `Tokenizer` from a path (relative to the workspace's root) or an http(s) address."""

    def __init__(
        self,
        source: str,
        root: Path,
        state_dir: Path,
        load: Callable[[bytes], Loaded] = load,
        transport: "httpx2.BaseTransport | None" = None,
        may_fetch: Callable[[str, str], None] = lambda _url, _what: None,
    ) -> None:
        """`may_fetch` raises consent_needed where the address may not be contacted to do what it is told."""
        self._source = source
        self._may_fetch = may_fetch
        self._is_settled = False
        self._path = root / source
        self._folder = state_dir / FOLDER
        self._load = load
        self._transport = transport
        self._loaded: Loaded | None = None
        self._name = f"file:{source}"
        self.problem = ""

    @property
    def name(self) -> str:
        """`file:` and the hash of the tokenizer, once it was read."""
        return self._name

    async def prepare(self) -> None:
        """Reads (and first fetches) the file, once; a `problem` says why that cannot be."""
        if not self._is_settled:
            try:
                await asyncio.to_thread(self._prepare)
                self.problem = ""
            except DceError as error:
                self.problem = f"the tokenizer {self._source} cannot be used: {error.message}"
                if error.code == "consent_needed":  # which may be given at any time
                    self.problem += f" Agree with `dce consent {self._source}`."
                    return
            self._is_settled = True

    async def count(self, texts: Sequence[str]) -> list[int]:
        """The tokens of each text. Raises DceError invalid_input for a `problem`."""
        await self.prepare()
        if self._loaded is None:
            raise DceError("invalid_input", self.problem)
        return await asyncio.to_thread(self._loaded.count, texts)

    def pieces(self, text: str) -> list[str]:
        """The text in pieces whose tokens add up to its own; whole where that is not known to be so."""
        return pieces(text) if self._loaded is not None and self._loaded.has_pieces else [text]

    def _prepare(self) -> None:
        content = self._fetched() if self._source.startswith(("http://", "https://")) else _read(self._path)
        self._loaded = self._load(content)
        self._name = f"file:{hashlib.sha256(content).hexdigest()[:16]}"

    def _fetched(self) -> bytes:
        from dce.workspace.http.client import download  # noqa: PLC0415 - see there

        kept = self._folder / f"{hashlib.sha256(self._source.encode()).hexdigest()[:16]}.json"
        if kept.exists():
            return _read(kept)
        self._may_fetch(self._source, "fetch the tokenizer from it, without key or prompt")
        try:
            content = download(self._source, MAX_BYTES, FETCH_TIMEOUT_S, self._transport)
        except DceError as error:
            raise DceError("invalid_input", f"it cannot be fetched: {error.message}") from error
        self._load(content)  # only what can be used is kept
        self._folder.mkdir(exist_ok=True)
        durable.write(kept, content)
        return content


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DceError("invalid_input", f"it has more than {MAX_BYTES:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise DceError("invalid_input", f"it cannot be read ({error.strerror or error})") from error
