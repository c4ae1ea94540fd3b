"""A table of the store, described once: its columns, and how one row holds one value.

What must always hold: select, insert and import use the same list of columns, so that a new one is lost by none of them
(`tests/workspace/test_tables.py` compares the descriptions with the file itself).
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")


class Table(Generic[T]):
    """`columns` are the table's own, in the order of `pack`; `joined` are further ones by the SQL that gives them, read after those."""

    def __init__(
        self,
        name: str,
        columns: Sequence[str],
        pack: Callable[[T], Sequence[object]],
        unpack: Callable[..., T],
        joined: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.columns = tuple(columns)
        self._pack = pack
        self._unpack = unpack
        self.selected = ", ".join([*(f"{name}.{column}" for column in columns), *(joined or {}).values()])

    def row(self, row: Sequence[Any]) -> T:
        """The value in a row of `selected` columns."""
        return self._unpack(*row)

    def values(self, item: T) -> dict[str, object]:
        """What each column of a value's row holds."""
        return dict(zip(self.columns, self._pack(item), strict=True))

    def insert(
        self,
        db: sqlite3.Connection,
        item: T,
        otherwise: Literal["ABORT", "IGNORE", "REPLACE"] = "ABORT",
        **others: object,
    ) -> int:
        """A new row; gives its number. `otherwise`: what is done where there is one. `others`: columns that are not the value's, or hold
        something else here (None: numbered by the database).
        """
        values = self.values(item) | others
        marks = ", ".join("?" * len(values))
        # What is put together here are names of columns; values are parameters.
        statement = f"INSERT OR {otherwise} INTO {self.name} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608
        return int(db.execute(statement, tuple(values.values())).lastrowid or 0)


S = TypeVar("S", bound=msgspec.Struct)


def table_of(name: str, kind: type[S], joined: Mapping[str, str] | None = None) -> Table[S]:
    """A table with a column for each field of a struct, but for those that are `joined` from another table."""
    fields = kind.__struct_fields__
    own = tuple(field for field in fields if field not in (joined or {}))

    def pack(item: S) -> Sequence[object]:
        return [getattr(item, field) for field in own]

    def unpack(*row: object) -> S:
        return kind(**dict(zip((*own, *(joined or {})), row, strict=True)))

    return Table(name, own, pack, unpack, joined)
