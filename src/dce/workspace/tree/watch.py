"""Changes to a workspace's files as they happen, reported by the operating system.

Only paths are reported; `listing.py` interprets them. If the system has no watches left, the files are polled.
"""

import threading
from collections.abc import Iterator
from pathlib import Path

from dce.workspace.project import STATE_DIR, Project

DEBOUNCE_MS = 50
"""How long changes are collected: one save in an editor causes several."""

POLL_DELAY_MS = 1_000
"""Polling interval where files have to be polled."""

ALIVE_MS = 250
"""Longest silence of a working watch. The first listing also waits for its first report."""

_WATCHED_STATE = frozenset({".git/HEAD", ".git/info/exclude", ".git/config", f"{STATE_DIR}/config.toml"})


def changes(project: Project, stop: threading.Event, *, is_polling: bool = False) -> Iterator[frozenset[str]]:
    """Sets of changed paths (relative, POSIX) until `stop` is set; of `.git` and `.dce`, only the files that hold rules.

    An empty set, at least every `ALIVE_MS`, means that the watch works and nothing changed. Each step blocks: setting up the
    watches of a large tree takes seconds. Raises what the operating system or watchfiles raises (OSError, RuntimeError).
    """
    from watchfiles import watch  # noqa: PLC0415 - the panel's extra

    def is_watched(_: object, path: str) -> bool:
        return _is_watched(_relative(project.root, path))

    try:
        for batch in watch(
            project.root,
            watch_filter=is_watched,
            debounce=DEBOUNCE_MS,
            stop_event=stop,
            rust_timeout=ALIVE_MS,
            yield_on_timeout=True,
            force_polling=is_polling or None,
            poll_delay_ms=POLL_DELAY_MS,
            ignore_permission_denied=True,
        ):
            yield frozenset(_relative(project.root, path) for _, path in batch)
    except OSError:
        if is_polling:
            raise
        yield from changes(project, stop, is_polling=True)


def _relative(root: Path, path: str) -> str:
    return Path(path).relative_to(root).as_posix()


def _is_watched(path: str) -> bool:
    first = path.split("/", 1)[0]
    return first not in {".git", STATE_DIR} or path in _WATCHED_STATE
