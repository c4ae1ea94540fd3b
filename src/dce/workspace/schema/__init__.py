"""The interaction schemas: one row a schema, and the reader that tries them on an answer."""

from collections.abc import Mapping
from types import MappingProxyType

from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.reading import FileBlock as FileBlock
from dce.workspace.schema.reading import PromptFile as PromptFile
from dce.workspace.schema.reading import Reading as Reading
from dce.workspace.schema.reading import Schema as Schema

_ALL: tuple[Schema, ...] = (BlocksSchema(),)

SCHEMAS: Mapping[str, Schema] = MappingProxyType({schema.name: schema for schema in _ALL})


def read_answer(text: str, schema: str, nonce: str, is_truncated: bool = False) -> Reading:
    """An answer taken apart: by the prompt's own schema, else by the tolerant readers. Never raises."""
    reading = SCHEMAS[schema].read(text, nonce) if schema in SCHEMAS else None
    if reading is None:
        return Reading(
            parse="failed", flags=("truncated",) if is_truncated else (), notes=("No known form of answer.",)
        )
    return reading
