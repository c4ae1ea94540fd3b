"""A table of the store, described once: its columns, and how a value is mapped to a row.

What must always hold: select, insert and import use the same list of columns, so that none of them can miss a new column
(`tests/workspace/test_tables.py` compares the descriptions with the actual file).
"""

import sqlite3
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Generic, Literal, TypeVar

import msgspec

T = TypeVar("T")


class Table(Generic[T]):
    """`columns` are the table's own, in the order of `pack`; `joined` maps further fields to their SQL, and they are read after those."""

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
        """The value of a row of the `selected` columns."""
        return self._unpack(*row)

    def values(self, item: T) -> dict[str, object]:
        """The row of a value, by column."""
        return dict(zip(self.columns, self._pack(item), strict=True))

    def insert(
        self,
        db: sqlite3.Connection,
        item: T,
        otherwise: Literal["ABORT", "IGNORE", "REPLACE"] = "ABORT",
        **others: object,
    ) -> int:
        """Inserts a row; returns its rowid. `otherwise`: what to do if the row exists. `others`: columns that the value does not have, or
        that override it (`id=None`: assigned by the database).
        """
        values = self.values(item) | others
        marks = ", ".join("?" * len(values))
        # Only column names are put into the SQL; values are parameters.
        statement = f"INSERT OR {otherwise} INTO {self.name} ({', '.join(values)}) VALUES ({marks})"  # noqa: S608
        return int(db.execute(statement, tuple(values.values())).lastrowid or 0)


S = TypeVar("S", bound=msgspec.Struct)


def table_of(name: str, kind: type[S], joined: Mapping[str, str] | None = None) -> Table[S]:
    """A table with a column for each field of a struct, except those `joined` from another table."""
    fields = kind.__struct_fields__
    own = tuple(field for field in fields if field not in (joined or {}))

    def pack(item: S) -> Sequence[object]:
        return [getattr(item, field) for field in own]

    def unpack(*row: object) -> S:
        return kind(**dict(zip((*own, *(joined or {})), row, strict=True)))

    return Table(name, own, pack, unpack, joined)
