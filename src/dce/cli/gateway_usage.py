"""`dce gateway usage`: sums the ledger by key, model or day. Works while the gateway runs."""

import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
import msgspec

from dce.cli.context import json_option
from dce.cli.gateway_keys import data_dir_option, key_store
from dce.cli.moments import begin_moment
from dce.cli.output import note, say, say_json
from dce.cli.tables import columns
from dce.gateway.settings import load_settings

if TYPE_CHECKING:
    from dce.gateway.accounting.ledger_usage import By, UsageRow

_HEAD = ("responses", "prompt", "cached", "answer", "thinking", "finished", "stopped", "lost", "TTFT")


@click.command()
@click.option("--since", metavar="D", help="Start: 24h or 30d ago, or a date such as 2027-01-31 (UTC).")
@click.option("--by", type=click.Choice(["key", "model", "day"]), default="key", help="Group by (default: key).")
@json_option
@data_dir_option
def usage(since: str | None, by: "By", is_json: bool, data_dir: str | None) -> None:
    """Print usage by key, model or day: responses, their tokens and how they ended. Answer tokens include thinking."""
    from dce.gateway.accounting.ledger_usage import usage as read  # noqa: PLC0415

    since_at = 0.0 if since is None else begin_moment(since, time.time(), "--since")
    folder = Path(load_settings(None, data_dir=data_dir).data_dir)
    rows = read(folder, by, since_at)
    names = _key_names(str(folder)) if by == "key" and rows else {}
    if is_json:
        say_json([_as_json(row, by, names) for row in rows])
        return
    if not rows:
        note("no usage" + (f" since {since}" if since else ""))
        return
    for line in columns(_table(rows, by, names), right=range(1, len(_HEAD) + 1)):
        say(line)
    estimated = sum(row.estimated for row in rows)
    if estimated:
        note(
            f"answer tokens of {estimated:,} responses are estimates: their backend did not count them, or the client did not ask it to"
        )


def _key_names(data_dir: str) -> dict[str, str]:
    with key_store(data_dir) as store:
        return {key.id: key.name for key in store.list()}


def _as_json(row: "UsageRow", by: str, names: dict[str, str]) -> dict[str, object]:
    known = {"key_id": row.group, "key": names.get(row.group, "")} if by == "key" else {by: row.group}
    sums = {name: value for name, value in msgspec.to_builtins(row).items() if name != "group"}
    return {**known, **sums}


def _table(rows: "list[UsageRow]", by: str, names: dict[str, str]) -> list[list[str]]:
    lines = [[_label(row, by, names), *_figures(row)] for row in rows]
    head = [by, *_HEAD]
    return [head, *lines, ["total", *_figures(_total(rows))]] if len(rows) > 1 else [head, *lines]


def _label(row: "UsageRow", by: str, names: dict[str, str]) -> str:
    if by != "key":
        return row.group
    return f"{names.get(row.group, '(gone)')} {row.group}" if row.group else "(without a key)"


def _figures(row: "UsageRow") -> list[str]:
    counts = (row.responses, row.prompt_tokens, row.cached_tokens, row.completion_tokens, row.thinking_tokens)
    ends = (row.finished, row.stopped, row.lost)
    return [f"{count:,}" for count in (*counts, *ends)] + ["–" if row.ttft_s is None else f"{row.ttft_s:.2f} s"]


def _total(rows: "list[UsageRow]") -> "UsageRow":
    from dce.gateway.accounting.ledger_usage import UsageRow  # noqa: PLC0415

    fields = [name for name in UsageRow.__struct_fields__ if name not in ("group", "ttft_s")]
    return UsageRow(group="", **{name: sum(getattr(row, name) for row in rows) for name in fields})
