"""Changes to a source text: replaced, inserted and removed pieces, by their place in bytes."""

from collections.abc import Sequence

import msgspec

from dce.workspace.judging.behaviour.mutated.trees import Tree


class Change(msgspec.Struct, frozen=True):
    """New source for the bytes from `start` to `end`; the same place twice inserts."""

    start: int
    end: int
    new: str

    def overlaps(self, other: "Change") -> bool:
        """Whether both cannot be made."""
        return self.start < other.end and other.start < self.end


def changed(content: bytes, changes: Sequence[Change], start: int = 0) -> str:
    """The source with these changes. `start`: where in the file the content begins."""
    out = content
    for change in sorted(changes, key=lambda one: (-one.start, -one.end)):
        out = out[: change.start - start] + change.new.encode() + out[change.end - start :]
    return out.decode("utf-8", "replace")


def label_of(tree: Tree, changes: Sequence[Change]) -> str:
    """The lines with the changes in them."""
    return "; ".join(dict.fromkeys(_line(tree, change) for change in changes))


def _line(tree: Tree, change: Change) -> str:
    """The changed line; of an inserted statement only that."""
    if change.start == change.end and change.new.startswith("\n"):
        return f"+ {' '.join(change.new.split())}"
    if change.new in {"", ":"} and change.end > change.start:
        removed = tree.content[change.start : change.end].decode("utf-8", "replace")
        return f"without {' '.join(removed.split())}"
    first = tree.content.rfind(b"\n", 0, change.start) + 1
    last = tree.content.find(b"\n", change.end)
    line = tree.content[first : last if last >= 0 else len(tree.content)]
    text = line[: change.start - first] + change.new.encode() + line[change.end - first :]
    return " ".join(text.decode("utf-8", "replace").split()).rstrip(";")
