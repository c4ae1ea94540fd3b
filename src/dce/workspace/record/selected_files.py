"""A file of a selection, and how much of it a prompt shows."""

from typing import Literal, get_args

import msgspec

Detail = Literal["full", "outline", "head-tail", "path"]
DETAILS: tuple[str, ...] = get_args(Detail)


class SetFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A file of a selection or a named set, with its level of detail and its pages."""

    path: str
    show: Detail = "full"
    pages: str = ""
