"""`dce restore`: undoes exactly what an acceptance changed, or redoes it."""

import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import json_option, open_workspace, workspace_option
from dce.cli.exits import Exit
from dce.cli.output import say, say_json
from dce.cli.tables import columns, write_lines
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.workspace.accepting.accept import Acceptance, PlannedWrite, Standing


@click.command(name="restore")
@click.argument("acceptance_id", metavar="[ID]", type=int, required=False)
@click.option("--list", "is_list", is_flag=True, help="List the acceptances with their ids, and change nothing.")
@click.option("--redo", "is_redo", is_flag=True, help="Write the files of a restored acceptance again.")
@click.option("--dry-run", is_flag=True, help="Show what would be put back, and change nothing.")
@click.option("--acceptance", "named_id", type=int, metavar="ID", help="The same as the argument ID.")
@click.option("--keep-edited", is_flag=True, help="Leave files edited since as they are, and restore the others.")
@click.option("--yes", "-y", "is_yes", is_flag=True, help="Restore an older or committed acceptance without asking.")
@json_option
@workspace_option
@click.pass_context
def command(ctx: click.Context, /, acceptance_id: int | None, directory: Path, **how: bool) -> None:
    """Put back what the last accept of this cycle changed: bytes, modes, names and files.

    An older acceptance is restored only if its ID is given: its files are shown first, and you are asked (--yes agrees). You are also
    asked if git's HEAD already holds the accepted files. If a file was edited since, nothing is changed unless --keep-edited is
    given. --redo writes again the files that were last restored in the current cycle, or those of ID. With --dry-run, ends with 3 if
    a file would be refused.
    """
    from dce.workspace.accepting.accept import acceptances, redo, restore, standing  # noqa: PLC0415

    wanted = acceptance_id if acceptance_id is not None else how["named_id"]
    is_json, dry_run, keep_edited = how["is_json"], how["dry_run"], how["keep_edited"]
    with open_workspace(directory) as workspace:
        if how["is_list"]:
            _list(standing(workspace, acceptances(workspace)), is_json=is_json)
            return
        act = redo if how["is_redo"] else restore
        planned, acceptance = act(workspace, dry_run=True, acceptance_id=wanted)
        [known] = standing(workspace, [acceptance])
        if not dry_run:
            if not how["is_redo"] and not how["is_yes"]:
                _ask(known, planned, is_json=is_json)
            planned, acceptance = act(workspace, acceptance_id=acceptance.id, keep_edited=keep_edited)
    if is_json:
        say_json(
            {
                "dry_run": dry_run,
                "files": planned,
                "acceptance": acceptance,
                "is_last": known.is_last,
                "committed": known.committed,
            }
        )
    else:
        _print(planned, acceptance, known, dry_run=dry_run, is_redo=how["is_redo"])
    is_stopped = any(write.refused for write in planned) and not keep_edited
    ctx.exit(Exit.REFUSED if is_stopped else Exit.DONE)


def _list(found: "tuple[Standing, ...]", *, is_json: bool) -> None:
    if is_json:
        say_json(found)
        return
    if not found:
        say("nothing has been accepted yet")
        return
    rows = [("id", "accepted", "cycle", "response", "state", "files")]
    for each in found:
        acceptance = each.acceptance
        state = "in force" if acceptance.restored_at is None else "restored"
        state += ", the last of this cycle" if each.is_last else ""
        state += f", {len(each.committed)} committed" if each.committed else ""
        response = f"{acceptance.slot} of generation {acceptance.generation}"
        files = ", ".join(file.path for file in acceptance.files)
        rows.append((str(acceptance.id), _moment(acceptance), str(acceptance.cycle), response, state, files))
    for line in columns(rows, right=(0, 2)):
        say(line)


def _ask(known: "Standing", planned: "list[PlannedWrite]", *, is_json: bool) -> None:
    """Asks before restoring an older or committed acceptance. Raises DceError conflict unless the answer is yes."""
    reasons = [] if known.is_last else ["it is not the last one of the current cycle"]
    if known.committed:
        reasons.append(f"git's HEAD already holds {', '.join(known.committed)}")
    if not reasons:
        return
    acceptance = known.acceptance
    fact = f"acceptance {acceptance.id} ({_what(acceptance)}, {_moment(acceptance)}): {'; '.join(reasons)}"
    if not is_json:
        for line in write_lines(planned):
            say(line)
        if sys.stdin.isatty() and click.confirm(f"{fact}. Restore it?", default=False, err=True):
            return
    hint = f"`dce restore {acceptance.id} --dry-run` shows what would change, `dce restore {acceptance.id} --yes` restores it."
    raise DceError("conflict", f"nothing was restored: {fact}", hint=hint)


def _print(
    planned: "list[PlannedWrite]", acceptance: "Acceptance", known: "Standing", *, dry_run: bool, is_redo: bool
) -> None:
    for line in write_lines(planned):
        say(line)
    kept = sum(bool(write.refused) for write in planned)
    but = f", except {kept} file{'s' * (kept != 1)} edited since" if kept else ""
    of_which = f"acceptance {acceptance.id} ({_what(acceptance)}, {_moment(acceptance)})"
    if dry_run:
        say(f"nothing was changed (--dry-run); this is {of_which}")
    elif is_redo:
        say(f"accepted again: {of_which}{but}")
    else:
        say(f"restored: the files are as they were before {of_which}{but}; `dce restore --redo` writes them again")
    if known.committed and not is_redo:
        say(f"note: git's HEAD still holds the accepted {', '.join(known.committed)}; DCE does not change commits")


def _what(acceptance: "Acceptance") -> str:
    return f"response {acceptance.slot} of generation {acceptance.generation}, cycle {acceptance.cycle}"


def _moment(acceptance: "Acceptance") -> str:
    return datetime.fromtimestamp(acceptance.created_at, UTC).astimezone().strftime("%Y-%m-%d %H:%M")
