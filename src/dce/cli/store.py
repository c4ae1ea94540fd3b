"""`dce store`: checks the workspace's store, and recovers or restores it when it is damaged."""

import time
from pathlib import Path

import click

from dce.cli.context import json_option, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import note, say, say_json
from dce.cli.tables import columns


@click.group(name="store")
def command() -> None:
    """Check the store, recover a damaged one, or restore a backup.

    The store is .dce/dce.db and the files beside it. They are treated as a unit, and none is ever deleted: replaced files are moved to
    a dated folder in .dce/set-aside.
    """


def _store_path(directory: Path) -> Path:
    from dce.workspace.project import Project  # noqa: PLC0415
    from dce.workspace.record.store import STORE_FILE  # noqa: PLC0415

    return Project.find(directory).state_dir / STORE_FILE


@command.command()
@json_option
@workspace_option
def check(is_json: bool, directory: Path) -> int:
    """Report the store's state, its contents and the next step. Changes nothing; exit code 1 if it is not sound."""
    from dce.workspace.record.condition import examine  # noqa: PLC0415
    from dce.workspace.record.failures import failure_of  # noqa: PLC0415

    path = _store_path(directory)
    try:
        found = examine(path)
    except OSError as error:
        raise failure_of(error, path) from error
    if is_json:
        say_json(found)
    else:
        say(f"{found.path}: {found.state.replace('_', ' ')}")
        for file in found.files:
            say(f"  {file.name}: {file.size:,} bytes")
        if found.log:
            say(f"  write-ahead log: {found.log.frames} frames, {found.log.committed} of finished transactions")
        for table, count in found.counts.items():
            say(f"  {table}: {'cannot be read' if count is None else count}")
        for problem in found.problems:
            say(f"  problem: {problem}")
        say(f"  backups: {len(found.backups)}" + (f", newest {found.backups[0].path}" if found.backups else ""))
        if found.next:
            note(f"next: {found.next}")
    return Exit.DONE if found.state in ("sound", "none") else Exit.NO


@command.command()
@json_option
@workspace_option
def recover(is_json: bool, directory: Path) -> None:
    """Build a sound store from everything readable in the damaged one and the newest backup.

    Also finishes an interrupted recovery or restore. The old files are kept in .dce/set-aside.
    """
    from dce.workspace.record.recovery import recover as recover_store  # noqa: PLC0415

    done = recover_store(_store_path(directory))
    if is_json:
        say_json(done)
        return
    if not done.set_aside:
        say("nothing to recover: " + ("the store is sound" if done.state == "sound" else "there is no store yet"))
        return
    for table, count in done.kept.items():
        extra = done.from_backup.get(table, 0)
        if count or extra:
            say(f"{table}: {count} rows" + (f", {extra} more from the backup" if extra else ""))
    if done.lost:
        note(done.lost)
    if done.damaged:
        note(f"only partly readable: {', '.join(done.damaged)}")
    if done.backup:
        note(f"gaps were filled from {done.backup}")
    note(f"the old files are in {done.set_aside}")


@command.command()
@click.argument("backup", metavar="[BACKUP]", required=False)
@json_option
@workspace_option
def restore(backup: str | None, is_json: bool, directory: Path) -> None:
    """Restore BACKUP, a name in .dce/backups or a path; without one, list the backups.

    This restores the whole store, including the journal of accepted files. The current files are kept in .dce/set-aside.
    """
    from dce.workspace.record.backups import Backups  # noqa: PLC0415
    from dce.workspace.record.recovery import restore_backup  # noqa: PLC0415

    path = _store_path(directory)
    if backup is None:
        found = Backups(path).details()
        if is_json:
            say_json(found)
            return
        for line in columns([(Path(one.path).name, _moment(one.taken_at), f"{one.size:,} bytes") for one in found]):
            say(line)
        if not found:
            say("there are no backups")
        return
    done = restore_backup(path, backup)
    if is_json:
        say_json(done)
        return
    say(f"restored the store from {done.backup}")
    note(f"the files it replaced are in {done.set_aside}")


def _moment(when: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(when))
