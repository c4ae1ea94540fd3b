"""Revocations that the database could not take: one page beside it, allocated in advance and written in place.

A leaked key must stop working on a full disk too, and a change to the database needs room for its log. Overwriting a page that is already
allocated needs none (except on a copy-on-write file system). Every process that reads the keys reads this page as well; as soon as the
database can be written, it takes over what the page holds. Invariant: a key is revoked in the page until it is revoked in the database.
"""

import contextlib
import os
import struct
import time
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path

from dce import durable

FILE = "revoked"
PAGE_BYTES = 4096
_SLOT = struct.Struct(">8sd")
"""A key's id and the time of its revocation, in seconds since the epoch. Zeros: a free slot."""
SLOTS = PAGE_BYTES // _SLOT.size
LOCK_S = 5.0
"""How long to wait for another process that is writing the page: it needs milliseconds."""


class Revocations:
    """The page of one data folder. Where it could not be created, it is empty and takes nothing."""

    def __init__(self, folder: Path) -> None:
        path = folder / FILE
        self._descriptor = -1
        if not hasattr(os, "pread"):  # Windows, which has no way to lock it either
            return
        with contextlib.suppress(OSError):  # a full disk or a read-only folder must not keep a gateway from starting
            if not path.exists():
                with durable.creating(path, durable.PRIVATE) as draft:
                    draft.write_bytes(bytes(PAGE_BYTES))
            self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)

    def close(self) -> None:
        """Closes the file."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def page(self) -> bytes:
        """The page as it is now: what changes when a key is revoked."""
        return os.pread(self._descriptor, PAGE_BYTES, 0) if self._descriptor >= 0 else b""

    def add(self, ids: Collection[str], now: float) -> None:
        """Revokes keys. Raises OSError when the page cannot be written or is full."""
        with self._locked():
            held = revoked_in(self.page())
            self._write({**dict.fromkeys(ids, now), **held})

    def remove(self, ids: Collection[str]) -> None:
        """Forgets keys that the database has as revoked. Raises OSError."""
        with self._locked():
            self._write({key_id: at for key_id, at in revoked_in(self.page()).items() if key_id not in ids})

    def _write(self, held: Mapping[str, float]) -> None:
        if len(held) > SLOTS:
            raise OSError(f"the file {FILE} is full")
        slots = b"".join(_SLOT.pack(key_id.encode(), at) for key_id, at in held.items())
        os.pwrite(self._descriptor, slots.ljust(PAGE_BYTES, b"\0"), 0)
        os.fsync(self._descriptor)

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        if self._descriptor < 0:
            raise OSError(f"there is no file {FILE} to write to")
        import fcntl  # noqa: PLC0415 - Windows has none

        deadline = time.monotonic() + LOCK_S
        while True:
            try:
                fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.01)
        try:
            yield
        finally:
            fcntl.flock(self._descriptor, fcntl.LOCK_UN)


def revoked_in(page: bytes) -> dict[str, float]:
    """The keys that a page revokes, by id, and when. What is no id, in a damaged page, is passed over."""
    whole = page[: len(page) // _SLOT.size * _SLOT.size]
    return {key_id.decode("ascii"): at for key_id, at in _SLOT.iter_unpack(whole) if key_id.isalnum()}
