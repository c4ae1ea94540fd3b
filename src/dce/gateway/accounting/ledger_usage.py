"""Reads the ledger: sums by key, model or day. Works while a gateway is writing; changes nothing."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Literal

import msgspec

from dce.gateway.accounting.ledger import FILE
from dce.wire.errors import DceError

By = Literal["key", "model", "day"]

_GROUP = {"key": "key_id", "model": "model", "day": "strftime('%Y-%m-%d', started_at, 'unixepoch')"}
_SUMS = """
SELECT {group}, SUM(responses), COUNT(DISTINCT request_id),
    SUM(prompt_tokens), SUM(cached_tokens), SUM(thinking_tokens), SUM(completion_tokens),
    SUM((exactness = 'estimated') * responses),
    SUM((outcome = 'finished') * responses), SUM((outcome = 'stopped') * responses), SUM((outcome = 'lost') * responses),
    AVG(ttft_s)
FROM responses WHERE started_at >= ? GROUP BY 1 ORDER BY 1"""


class UsageRow(msgspec.Struct, frozen=True, kw_only=True):
    """The sums of one key, model or day (UTC, by a request's start). `group` is the key's id, the model's name or the date.

    Completion tokens include thinking; `estimated` counts the responses whose backend reported no token count.
    """

    group: str
    responses: int = 0
    requests: int = 0
    prompt_tokens: int = 0
    cached_tokens: int = 0
    thinking_tokens: int = 0
    completion_tokens: int = 0
    estimated: int = 0
    finished: int = 0
    stopped: int = 0
    lost: int = 0
    ttft_s: float | None = None
    """The mean over the responses that had a first token."""


def usage(data_dir: Path, by: By, since: float = 0.0) -> list[UsageRow]:
    """The sums of the responses started at or after `since` (seconds since the epoch). Raises DceError if there is no ledger."""
    path = data_dir / FILE
    if not path.is_file():
        raise DceError(
            "not_found",
            f"there is no ledger in {data_dir}",
            hint="Name the gateway's data folder with --data-dir or DCE_DATA_DIR; it is created when the gateway first starts.",
        )
    try:
        with closing(sqlite3.connect(path, timeout=10)) as db:
            db.execute("PRAGMA query_only=1")
            rows = db.execute(_SUMS.format(group=_GROUP[by]), (since,)).fetchall()
    except sqlite3.Error as error:
        raise DceError("invalid_input", f"the ledger {path} cannot be read: {error}") from None
    return [UsageRow(**dict(zip(UsageRow.__struct_fields__, row, strict=True))) for row in rows]
