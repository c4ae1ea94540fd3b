"""A problem that is found in an answer's file without running anything."""

from typing import Literal

import msgspec

Flag = Literal["does_not_compile", "unresolved_import", "secret_in_code"]
FLAGS: tuple[Flag, ...] = ("does_not_compile", "unresolved_import", "secret_in_code")


class Problem(msgspec.Struct, frozen=True, kw_only=True):
    """One problem, at a line (0: the file as a whole). `text` says what it is, for people, and shows no secret."""

    flag: Flag
    path: str
    line: int
    text: str

    def describe(self) -> str:
        """One line for people."""
        return f"{self.path}{f':{self.line}' if self.line else ''}: {self.text}"
