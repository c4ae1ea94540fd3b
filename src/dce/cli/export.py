"""`dce export`: writes the history to a file that can be moved elsewhere."""

from pathlib import Path

import click

from dce.cli.context import json_option, open_workspace, workspace_option
from dce.cli.output import say, say_json


@click.command(name="export")
@click.argument("file", metavar="F", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--cycle", "cycles", type=int, multiple=True, metavar="N", help="Only cycle N (may be repeated).")
@click.option("--force", "is_forced", is_flag=True, help="Replace F even if DCE did not write it.")
@json_option
@workspace_option
def command(file: Path, cycles: tuple[int, ...], is_forced: bool, is_json: bool, directory: Path) -> None:
    """Write the history to a file that `dce import` reads.

    It contains the cycles, the prompts exactly as sent with their manifests, all responses in all versions, checks, judgements, the
    selection and the named sets. It contains no keys, but it does contain whatever the prompts showed of your files. A file that DCE
    did not write is not replaced.
    """
    from dce.workspace.transfer import export_history  # noqa: PLC0415

    with open_workspace(directory) as workspace:
        lines = export_history(workspace, file, cycles or None, is_forced=is_forced)
    size = file.stat().st_size
    if is_json:
        say_json({"file": str(file), "records": lines, "size": size})
    else:
        say(f"wrote {file}: {lines} records, {size:,} bytes")
