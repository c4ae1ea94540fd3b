"""A file of a selection: which one, and how much of it a prompt shows."""

from typing import Literal, get_args

import msgspec

Detail = Literal["full", "outline", "head-tail", "path"]
DETAILS: tuple[str, ...] = get_args(Detail)


class SetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a named set that is not shown whole: how much of it, or which pages."""

    path: str
    show: Detail = "full"
    pages: str = ""
