"""What an answer changes about the exam, file by file: what is new, what is otherwise, and what checks less than before."""

from collections.abc import Sequence
from typing import Literal

import msgspec

Kind = Literal["weakened", "changed", "added"]
"""`weakened`: tests are gone, skipped, or check less; or the configuration keeps tests from running. `added`: only more than before.
`changed`: neither; whether the change is right depends on what the cycle asks for."""

WORST_FIRST: tuple[Kind, ...] = ("weakened", "changed", "added")


class TestChange(msgspec.Struct, frozen=True, kw_only=True):
    """A test or configuration file that an answer writes, changes or deletes. `why` says what is different, in words."""

    __test__ = False

    path: str
    kind: Kind
    why: str

    def describe(self) -> str:
        """One line for people."""
        return f"{self.path}: {self.kind} ({self.why})"


def worst(changes: Sequence[TestChange]) -> Kind | None:
    """The kind that counts most; None without changes."""
    return min((change.kind for change in changes), key=WORST_FIRST.index, default=None)
