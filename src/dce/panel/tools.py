"""What the program that starts a panel gives it, because the panel may not import it: the keyring of the model cards, the doctor."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from dce.workspace.cards import Cards


class DoctorTarget(msgspec.Struct, frozen=True, kw_only=True):
    """The server that the doctor examines. The key is not in `repr`."""

    url: str
    key: str | None
    model: str | None

    def __repr__(self) -> str:
        return f"DoctorTarget(url={self.url!r}, model={self.model!r})"


class Check(Protocol):
    """One line of the doctor's diagnosis."""

    @property
    def hop(self) -> str:
        """The hop that was checked."""

    @property
    def name(self) -> str:
        """The name of the check."""

    @property
    def ok(self) -> bool | None:
        """None: not tried."""

    @property
    def detail(self) -> str:
        """What was found."""

    @property
    def fix(self) -> str:
        """The next step."""


class Diagnosis(Protocol):
    """Every hop, up to the one that fails."""

    @property
    def ok(self) -> bool:
        """Whether a token was generated."""

    @property
    def failing_hop(self) -> str | None:
        """The hop that fails."""

    @property
    def code(self) -> str | None:
        """Why, as a code of the table of errors."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Its lines, in order."""


Examine = Callable[[DoctorTarget, Callable[[Check], None]], Awaitable[Diagnosis]]
"""Checks hop by hop and reports each line as soon as it is known."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The model cards with their keyring, the doctor (None: there is none), and the names of cards that the program itself serves."""

    cards: Cards
    examine: Examine | None = None
    servers: tuple[str, ...] = ()
