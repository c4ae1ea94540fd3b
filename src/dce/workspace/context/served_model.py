"""A model as its server lists it: its name, and the window that a prompt must fit."""

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A served model; `max_model_len` is its context window in tokens, if the server says.

    `can_continue`: given the beginning of an answer, it goes on in the middle of a line.
    """

    id: str
    max_model_len: int | None = None
    can_continue: bool = False
