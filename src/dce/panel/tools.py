"""What a panel is given by the program that starts it, because the panel itself may not reach it: the cards' keyring, the doctor."""

from collections.abc import Awaitable, Callable
from typing import Protocol

import msgspec

from dce.workspace.cards import Cards


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor is asked. The key hides in `repr`."""

    url: str
    key: str | None
    model: str | None

    def __repr__(self) -> str:
        return f"Question(url={self.url!r}, model={self.model!r})"


class Check(Protocol):
    """One line of the doctor's tree."""

    @property
    def hop(self) -> str:
        """Where it looked."""

    @property
    def name(self) -> str:
        """What it is called."""

    @property
    def ok(self) -> bool | None:
        """None: not tried."""

    @property
    def detail(self) -> str:
        """What was seen."""

    @property
    def fix(self) -> str:
        """The next step."""


class Diagnosis(Protocol):
    """The whole tree."""

    @property
    def ok(self) -> bool:
        """Whether a token came through."""

    @property
    def failing_hop(self) -> str | None:
        """Where it failed."""

    @property
    def code(self) -> str | None:
        """Why, as a row of the table of errors."""

    @property
    def checks(self) -> tuple[Check, ...]:
        """Its lines."""


Examine = Callable[[Question, Callable[[Check], None]], Awaitable[Diagnosis]]
"""Walks from hop to hop and tells of each line as it is known."""


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """The cards with their keyring, the doctor (None: there is none), and the cards that the program itself serves when they are chosen."""

    cards: Cards
    examine: Examine | None = None
    servers: tuple[str, ...] = ()
