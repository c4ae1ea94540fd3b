"""Counts tokens locally with the served model's `tokenizer.json`: exact without asking the server, even for texts that may not be sent.

What must always hold: if the file cannot be fetched or read, `problem` says why and counts are estimates; a file is fetched only once,
and only from a host that the user agreed to; counts are stored under the hash of the file, so that they are never mixed with those of
another tokenizer.
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
"""Largest tokenizer.json: real ones are 2 to 35 MB."""

FETCH_TIMEOUT_S = 30.0
"""Read timeout while fetching."""

FOLDER = "tokenizers"
"""Folder below `.dce/` for fetched files, named by the hash of their URL."""

Counter = Callable[[Sequence[str]], list[int]]


class Loaded(msgspec.Struct, frozen=True):
    """A tokenizer in memory. `has_pieces`: the counts of a text's pieces add up to the count of the text (see token_pieces.py)."""

    count: Counter
    has_pieces: bool = False


def load(content: bytes) -> Loaded:
    """Loads a token counter from the bytes of a tokenizer.json. Raises DceError invalid_input."""
    try:
        library = importlib.import_module("tokenizers")
    except ModuleNotFoundError:
        raise DceError("invalid_input", "the package `tokenizers` is not installed: pip install tokenizers") from None
    try:
        tokenizer = library.Tokenizer.from_buffer(content)
    except Exception as error:
        raise DceError("invalid_input", "it is not a tokenizer.json that the package `tokenizers` can read") from error

    tokenizer.no_truncation()  # some files set their model's maximum length, and counting would stop there
    tokenizer.no_padding()

    def count(texts: Sequence[str]) -> list[int]:
        plain = [text.encode("utf-8", "replace").decode() for text in texts]
        return [len(found) for found in tokenizer.encode_batch_fast(plain, add_special_tokens=False)]

    def split(text: str) -> list[str]:
        return [word for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(text)]

    return Loaded(count, adds_up(json.loads(content), split))


class FileTokenizer:
    """A `Tokenizer` loaded from a path (relative to the workspace's root) or an http(s) URL."""

    def __init__(
        self,
        source: str,
        root: Path,
        state_dir: Path,
        load: Callable[[bytes], Loaded] = load,
        transport: "httpx2.BaseTransport | None" = None,
        may_fetch: Callable[[str, str], None] = lambda _url, _what: None,
    ) -> None:
        """`may_fetch` (URL, purpose) raises consent_needed if the URL may not be contacted for this purpose."""
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
        """`file:` and the hash of the tokenizer file, once it has been read."""
        return self._name

    async def prepare(self) -> None:
        """Fetches the file if needed and reads it, once; on failure, `problem` says why."""
        if not self._is_settled:
            try:
                await asyncio.to_thread(self._prepare)
                self.problem = ""
            except DceError as error:
                self.problem = f"the tokenizer {self._source} cannot be used: {error.message}"
                if error.code == "consent_needed":  # consent may be given at any time
                    self.problem += f" Agree with `dce consent {self._source}`."
                    return
            self._is_settled = True

    async def count(self, texts: Sequence[str]) -> list[int]:
        """The number of tokens of each text. Raises DceError invalid_input with `problem` if the tokenizer cannot be used."""
        await self.prepare()
        if self._loaded is None:
            raise DceError("invalid_input", self.problem)
        return await asyncio.to_thread(self._loaded.count, texts)

    def pieces(self, text: str) -> list[str]:
        """The text in pieces whose token counts add up; as one piece where that is not known."""
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
        self._load(content)  # keep only a usable file
        self._folder.mkdir(exist_ok=True)
        durable.write(kept, content)
        return content


def _read(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_BYTES:
            raise DceError("invalid_input", f"it is larger than {MAX_BYTES:,} bytes")
        return path.read_bytes()
    except OSError as error:
        raise DceError("invalid_input", f"it cannot be read ({error.strerror or error})") from error
