"""Lines and tables that several verbs print."""

from collections.abc import Iterable, Sequence

from dce.workspace.accepting.journal import PlannedWrite
from dce.workspace.schema.look_alikes import printable

_CHANGE_MARKS = {"new": "+", "modified": "~", "deleted": "-", "renamed": ">", "mode": "*", "same": "="}

_EFFECTS = {
    "runs_by_itself": "warning: tools run this file by themselves",
    "sets_policy": "warning: this file sets what tools allow or install",
    "hard_link": "note: the file has other names (hard links), and changes under all of them",
}


def columns(rows: Sequence[Sequence[str]], right: Iterable[int] = ()) -> list[str]:
    """Rows as aligned lines; the columns in `right` are right-aligned. Plain text, so that it can be piped."""
    if not rows:
        return []
    widths = [max(len(row[at]) for row in rows) for at in range(len(rows[0]))]
    rights = set(right)
    return [
        "  ".join(
            cell.rjust(width) if at in rights else cell.ljust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def change_text(path: str, change: str, added: int, removed: int) -> str:
    """One file's change: `~ src/a.py +3 -1`."""
    counts = (
        ""
        if change in {"same", "mode"} or (change == "renamed" and not added and not removed)
        else f" +{added} -{removed}"
    )
    return f"{_CHANGE_MARKS.get(change, '?')} {path}{counts}"


def write_lines(planned: Iterable[PlannedWrite]) -> list[str]:
    """What was, or would be, written: one line per file."""
    return [
        change_text(write.path, write.change, write.added, write.removed)
        + (f"   renamed from {write.from_path}" if write.from_path else "")
        + ("" if write.executable is None else f"   {'' if write.executable else 'no longer '}executable")
        + (f"   from response {write.slot}" if write.slot else "")
        + (f"   read from {printable(write.written_path)}" if write.written_path else "")
        + ("   merged with edits made since" if write.merged and not write.refused else "")
        + "".join(f"   {_EFFECTS[flag]}" for flag in write.flags)
        + (f"   doubtful: {', '.join(write.doubts)}" if write.doubts and write.change != "same" else "")
        + (f"   refused: {write.refused}" if write.refused else "")
        for write in planned
    ]
