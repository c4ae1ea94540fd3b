"""The ledger: one row per response with what it cost, written once when it has ended. Ids, counts and times; never content.

`data_dir/ledger.db` is a separate database, because a running gateway watches the key database for changes. `Ledger.add` costs the
loop one `put` on a queue; a thread writes the batch every 50 ms. Invariant: every added row is written, even if the disk was full or the
database locked for a while; only MAX_PENDING or a killed process can lose rows, and a kill at most those of the last 50 ms.
"""

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Literal

import msgspec

from dce.wire.errors import DceError

log = logging.getLogger("dce.gateway")

FILE = "ledger.db"
BATCH_S = 0.05
"""How long rows are batched: what a kill can lose, and how rarely this thread competes with the loop."""
RETRY_S = 1.0
"""How often a failed write is retried."""
BUSY_S = 2.0
"""How long SQLite waits for another process's lock before the write counts as failed."""
MAX_PENDING = 200_000
"""Maximum rows kept in memory while nothing can be written: about 100 MB, two days of a busy gateway."""
PRUNE_EVERY_S = 3600.0
PRUNE_ROWS = 2_000
"""Maximum rows deleted at once: about 20 ms, after which pending rows are written."""
DAY_S = 86_400.0
MEMORY_HOURS = 24 * 32
"""How far back `used` knows single hours: a month and a day. Older usage is one sum per key."""

Outcome = Literal["finished", "stopped", "lost"]
EndedBy = Literal["model", "client", "gateway", "backend"]
Exactness = Literal["exact", "running", "estimated"]
"""`exact`: the backend's final count. `running`: its last count before the response was cut off, accurate to one frame.
`estimated`: the backend reported no count, so frames were counted."""


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One row: a response of a stream, or a whole relayed request (`responses` is how many it asked for).

    (`stream_id`, `choice`) is unique; `choice` is 0-based. The prompt's tokens are in choice 0 only, so that sums match what clients were
    told. `finish_reason`: the model's; the error code for a lost response; `stopped`, `gone` or `draining` for a stopped one.
    Times in seconds since the epoch, durations in seconds; `ttft_s` is None when no frame arrived.
    """

    stream_id: str
    choice: int
    request_id: str
    key_id: str
    model: str
    backend: str
    route: str
    responses: int = 1
    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    completion_tokens: int = 0
    exactness: Exactness = "exact"
    ttft_s: float | None = None
    duration_s: float = 0.0
    outcome: Outcome
    finish_reason: str = ""
    ended_by: EndedBy
    started_at: float

    @property
    def tokens(self) -> int:
        """What counts towards a budget: prompt and answer (thinking is part of the answer)."""
        return self.prompt_tokens + self.completion_tokens


COLUMNS = Entry.__struct_fields__

_MIGRATIONS = (
    """
CREATE TABLE responses (
    stream_id TEXT NOT NULL, choice INTEGER NOT NULL, request_id TEXT NOT NULL, key_id TEXT NOT NULL,
    model TEXT NOT NULL, backend TEXT NOT NULL, route TEXT NOT NULL, responses INTEGER NOT NULL,
    prompt_tokens INTEGER NOT NULL, cached_tokens INTEGER NOT NULL, thinking_tokens INTEGER NOT NULL,
    completion_tokens INTEGER NOT NULL, exactness TEXT NOT NULL, ttft_s REAL, duration_s REAL NOT NULL,
    outcome TEXT NOT NULL, finish_reason TEXT NOT NULL, ended_by TEXT NOT NULL, started_at REAL NOT NULL,
    PRIMARY KEY (stream_id, choice)
);
CREATE INDEX responses_by_time ON responses (started_at);
""",
    # Pruned rows still count in total budgets: one sum per key is kept.
    "CREATE TABLE pruned_tokens (key_id TEXT PRIMARY KEY, tokens INTEGER NOT NULL);",
)
"""One script per version; `PRAGMA user_version` is the number of scripts that have run."""

# A commit whose result was lost is retried: the primary key makes that harmless.
_INSERT = f"INSERT OR IGNORE INTO responses ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608
_HOURS = """
SELECT key_id, CAST((started_at + duration_s) / 3600 AS INTEGER) AS hour, SUM(prompt_tokens + completion_tokens)
FROM responses GROUP BY key_id, hour ORDER BY hour"""
_DOOMED = "SELECT rowid FROM responses WHERE started_at < ? ORDER BY started_at, rowid LIMIT ?"
_KEEP_SUMS = f"""
INSERT INTO pruned_tokens SELECT key_id, SUM(prompt_tokens + completion_tokens) FROM responses
WHERE rowid IN ({_DOOMED}) GROUP BY key_id
ON CONFLICT (key_id) DO UPDATE SET tokens = tokens + excluded.tokens"""  # noqa: S608
_PRUNE = f"DELETE FROM responses WHERE rowid IN ({_DOOMED})"  # noqa: S608


class Ledger:
    """The ledger of one gateway. `add` and `used` are called from the loop's thread and never block."""

    def __init__(self, data_dir: Path, keep_days: int | None = None, wall: Callable[[], float] = time.time) -> None:
        """Opens or creates the database. Raises DceError when it cannot be used. `keep_days`: older rows are deleted at the start and
        every PRUNE_EVERY_S; None keeps all rows."""
        self._keep_days = keep_days
        self._wall = wall
        self._prune_at = 0.0
        self._db = open_ledger(data_dir / FILE)
        self._queue: SimpleQueue[Entry | None] = SimpleQueue()
        self._closing = threading.Event()
        self._thread: threading.Thread | None = None
        self._batch: list[Entry] = []
        self._added = self._written = 0
        self._hours: dict[str, dict[int, int]] = {}
        """Per key, oldest hour first: tokens of the responses that ended in that hour (hours since the epoch)."""
        self._older: dict[str, int] = {}
        self.dropped = 0
        """Rows lost because MAX_PENDING could not be written."""
        self.fault = ""
        """Why the last write failed; empty if it succeeded."""
        self._older.update(self._db.execute("SELECT key_id, tokens FROM pruned_tokens"))
        for key_id, hour, tokens in self._db.execute(_HOURS):
            self._remember(key_id, hour, tokens)

    @property
    def pending(self) -> int:
        """Rows not yet on disk."""
        return self._added - self._written

    def start(self) -> None:
        """Starts the writer thread. Rows added before it are kept until then."""
        self._thread = threading.Thread(target=self._run, name="dce-ledger", daemon=True)
        self._thread.start()

    def add(self, entry: Entry) -> None:
        """Adds a row: counted at once, on disk within BATCH_S if the disk accepts it."""
        self._remember(entry.key_id, int((entry.started_at + entry.duration_s) / 3600), entry.tokens)
        if self.pending >= MAX_PENDING:
            self.dropped += 1
            return
        self._added += 1
        self._queue.put(entry)

    def keep(self, days: int | None) -> None:
        """Changes how long rows are kept; older ones are deleted at once."""
        if days != self._keep_days:
            self._keep_days, self._prune_at = days, 0.0
            self._queue.put(None)

    def used(self, key_id: str, since: float) -> int:
        """Tokens (prompt and answer) of a key's responses that ended at or after `since` (seconds since the epoch).

        In whole hours: the hour containing `since` counts in full. `since` must be 0, for everything, or at most MEMORY_HOURS ago.
        """
        first = int(since / 3600)
        older = 0 if since else self._older.get(key_id, 0)
        return older + sum(tokens for hour, tokens in self._hours.get(key_id, {}).items() if hour >= first)

    def close(self, patience_s: float = 5.0) -> None:
        """Writes pending rows and closes; waits `patience_s` for the writer. Rows that cannot be written are given up, and their number
        is logged. Blocks: not for the loop's thread."""
        if self._thread is not None:
            self._closing.set()
            self._queue.put(None)
            self._thread.join(patience_s)
        if self._thread is None or not self._thread.is_alive():
            self._drain()
            self._attempt()
            self._db.close()
        if self.pending:
            log.error("the ledger lost %d rows: %s", self.pending, self.fault)

    def _remember(self, key_id: str, hour: int, tokens: int) -> None:
        hours = self._hours.setdefault(key_id, {})
        if hour not in hours and len(hours) >= MEMORY_HOURS:
            self._older[key_id] = self._older.get(key_id, 0) + hours.pop(min(hours))
        hours[hour] = hours.get(hour, 0) + tokens

    # -- the writer's thread ------------------------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._closing.is_set():
            if not self._batch:
                with suppress(Empty):
                    first = self._queue.get(timeout=self._until_pruning_s())
                    if first is None:  # closing, or a new `keep_days`
                        continue
                    self._batch.append(first)
            # One wait per batch: a thread that wakes for every row would take the interpreter lock from the loop each time.
            self._closing.wait(RETRY_S if self.fault else BATCH_S)
            self._drain()
            self._attempt()
            if self._until_pruning_s() == 0:
                self._prune()

    def _until_pruning_s(self) -> float | None:
        """Seconds until rows are pruned; None when rows are kept forever."""
        return None if self._keep_days is None else max(0.0, self._prune_at - time.monotonic())

    def _prune(self) -> None:
        """Deletes one batch of old rows; if more may be left, the next batch is due at once."""
        if self._keep_days is None or self.fault:
            return
        doomed = (self._wall() - self._keep_days * DAY_S, PRUNE_ROWS)
        try:
            with self._transaction():
                self._db.execute(_KEEP_SUMS, doomed)
                deleted = self._db.execute(_PRUNE, doomed).rowcount
        except sqlite3.Error as error:
            log.warning("old ledger rows could not be deleted (%s); retrying in an hour", error)
            deleted = 0
        if deleted < PRUNE_ROWS:
            self._prune_at = time.monotonic() + PRUNE_EVERY_S

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        """Runs the block as one transaction."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._db.execute("COMMIT")
        except BaseException:
            if self._db.in_transaction:
                self._db.execute("ROLLBACK")
            raise

    def _attempt(self) -> None:
        try:
            self._write()
        except sqlite3.Error as error:
            self._failed(error)
        except (ValueError, OverflowError) as error:
            self._drop_unwritable(error)
        else:
            self._worked()

    def _drain(self) -> None:
        """Moves every queued row into the batch."""
        with suppress(Empty):
            while True:
                entry = self._queue.get_nowait()
                if entry is not None:
                    self._batch.append(entry)

    def _write(self) -> None:
        """Writes the batch, whole or not at all."""
        rows = [msgspec.structs.astuple(entry) for entry in self._batch]
        if not rows:
            return
        with self._transaction():
            self._db.executemany(_INSERT, rows)
        self._written += len(rows)
        self._batch = []

    def _drop_unwritable(self, error: Exception) -> None:
        """A row no database accepts (a lone surrogate in a name, a number beyond 64 bits) must not block the others."""
        log.error("a ledger row cannot be stored: %s", error)
        batch, self._batch = self._batch, []
        for entry in batch:
            self._batch = [entry]
            try:
                self._write()
            except sqlite3.Error:
                self._queue.put(entry)
            except (ValueError, OverflowError):
                self.dropped += 1
                self._written += 1
        self._batch = []

    def _failed(self, error: sqlite3.Error) -> None:
        if not self.fault:
            log.error("the ledger cannot be written (%s); rows are kept and retried, the gateway keeps serving", error)
        self.fault = str(error)

    def _worked(self) -> None:
        if self.fault:
            log.warning("the ledger is written again; rows dropped because too many were pending: %d", self.dropped)
            self.fault = ""  # last, as in `_failed`: when the change is visible, it is already logged


def open_ledger(path: Path) -> sqlite3.Connection:
    """Opens the database, creating or migrating it. An unreadable one is refused, never replaced."""
    try:
        path.touch(mode=0o600)
        db = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise DceError("invalid_input", f"cannot open the ledger {path}: {error}") from None
    try:
        _migrate(db)
        db.execute("PRAGMA journal_mode=WAL")
        db.execute("PRAGMA synchronous=NORMAL")  # a power cut may lose the last rows, never the database
    except sqlite3.Error as error:
        db.close()
        raise DceError(
            "invalid_input",
            f"the ledger {path} cannot be used: {error}",
            hint="Nothing was changed. Restore it from a backup, or move it away to start a new one.",
        ) from None
    except DceError:
        db.close()
        raise
    return db


def _migrate(db: sqlite3.Connection) -> None:
    """Runs the scripts that have not run yet; two processes starting together run them once."""
    db.execute("BEGIN IMMEDIATE")
    try:
        (version,) = db.execute("PRAGMA user_version").fetchone()
        if version > len(_MIGRATIONS):
            raise DceError(
                "invalid_input",
                f"the ledger has version {version}; this gateway knows versions up to {len(_MIGRATIONS)}",
                hint="Use the newer gateway that wrote it.",
            )
        for script in _MIGRATIONS[version:]:
            for statement in filter(str.strip, script.split(";")):
                db.execute(statement)
        db.execute(f"PRAGMA user_version={len(_MIGRATIONS)}")
        db.execute("COMMIT")
    except BaseException:
        db.execute("ROLLBACK")
        raise
