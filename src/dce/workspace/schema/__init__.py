"""The interaction schemas: one row a schema, and the reader that tries them on an answer."""

from collections.abc import Mapping
from types import MappingProxyType

import msgspec

from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.fill import FillSchema
from dce.workspace.schema.reading import FileBlock as FileBlock
from dce.workspace.schema.reading import PromptFile as PromptFile
from dce.workspace.schema.reading import Reading as Reading
from dce.workspace.schema.reading import Schema as Schema
from dce.workspace.schema.tags import TagsSchema

_ALL: tuple[Schema, ...] = (BlocksSchema(), FillSchema(), TagsSchema())

SCHEMAS: Mapping[str, Schema] = MappingProxyType({schema.name: schema for schema in _ALL})
"""Every interaction schema by its name."""

_TOLERANT = ("blocks", "tags")
"""The readers tried on an answer that is not in its prompt's form, strictest first."""


def read_answer(text: str, schema: str, nonce: str, is_truncated: bool = False) -> Reading:
    """An answer taken apart: by the reader of the prompt's schema, else by the tolerant ones. Never raises, whatever the text.

    `is_truncated` says that the model was cut off at its limit. If no reader knows the form, `parse` is "failed" and the summary
    holds the whole text.
    """
    for name in dict.fromkeys((schema, *_TOLERANT)):
        reading = SCHEMAS[name].read(text, nonce) if name in SCHEMAS else None
        if reading is not None:
            if name != schema:
                reading = _repaired(reading, f"The answer is in the form {name!r}, not {schema!r} as asked.")
            return _cut_off(reading) if is_truncated else reading
    failed = Reading(summary=text, parse="failed", notes=("The answer is in no known form: its raw text is shown.",))
    return _cut_off(failed) if is_truncated else failed


def _repaired(reading: Reading, note: str) -> Reading:
    return msgspec.structs.replace(reading, parse="repaired", notes=(note, *reading.notes))


def _cut_off(reading: Reading) -> Reading:
    """The reading of an answer that the model's limit ended: files may be missing even if those there are whole."""
    flags = reading.flags if "truncated" in reading.flags else ("truncated", *reading.flags)
    parse = "repaired" if reading.parse == "ok" else reading.parse
    return msgspec.structs.replace(reading, flags=flags, parse=parse)
