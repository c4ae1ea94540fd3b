"""Changes of a workspace's files as they happen, from the operating system.

Paths only: what they mean is `listing.py`'s. Where the system has no more watches to give, the files are polled.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from dce.workspace.project import STATE_DIR, Project

DEBOUNCE_MS = 50
"""How long changes are gathered: an editor's save is several."""

POLL_DELAY_MS = 1_000
"""Between two looks where files must be polled."""

_WATCHED_STATE = frozenset({".git/HEAD", ".git/info/exclude", ".git/config", f"{STATE_DIR}/config.toml"})


async def changes(project: Project, stop: asyncio.Event, *, is_polling: bool = False) -> AsyncIterator[frozenset[str]]:
    """Sets of changed paths (relative, POSIX) until `stop` is set; files in `.git` and `.dce` only where they hold rules."""
    from watchfiles import awatch  # noqa: PLC0415 - the panel's extra

    def is_watched(_: object, path: str) -> bool:
        return _is_watched(_relative(project.root, path))

    try:
        async for batch in awatch(
            project.root,
            watch_filter=is_watched,
            debounce=DEBOUNCE_MS,
            stop_event=stop,
            force_polling=is_polling or None,
            poll_delay_ms=POLL_DELAY_MS,
            ignore_permission_denied=True,
        ):
            yield frozenset(_relative(project.root, path) for _, path in batch)
    except OSError:
        if is_polling:
            raise
        async for polled in changes(project, stop, is_polling=True):
            yield polled


def _relative(root: Path, path: str) -> str:
    return Path(path).relative_to(root).as_posix()


def _is_watched(path: str) -> bool:
    first = path.split("/", 1)[0]
    return first not in {".git", STATE_DIR} or path in _WATCHED_STATE
