"""A model as listed by its server: its name, and the context window that a prompt must fit into."""

import msgspec


class Model(msgspec.Struct, frozen=True, kw_only=True):
    """A served model; `max_model_len` is its context window in tokens, if the server reports one.

    `can_continue`: given the beginning of an answer, the server continues it, even in the middle of a line.
    """

    id: str
    max_model_len: int | None = None
    can_continue: bool = False
