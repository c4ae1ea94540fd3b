"""The interaction schemas: one row a schema, and the reader that tries them on an answer."""

import re
from collections.abc import Callable, Mapping
from types import MappingProxyType

import msgspec

from dce.wire.errors import DceError
from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.diff_form import DiffSchema
from dce.workspace.schema.escaped import unescaped
from dce.workspace.schema.fill import FillSchema
from dce.workspace.schema.json_form import JsonSchema
from dce.workspace.schema.near_paths import NamedPath
from dce.workspace.schema.reading import FileBlock as FileBlock
from dce.workspace.schema.reading import PromptFile as PromptFile
from dce.workspace.schema.reading import Reading as Reading
from dce.workspace.schema.reading import Schema as Schema
from dce.workspace.schema.reading import Shown, nothing_shown
from dce.workspace.schema.second_look import marked, renamed, with_edits_made
from dce.workspace.schema.spans import MAX_TAG_CHARS
from dce.workspace.schema.strict import StrictSchema
from dce.workspace.schema.tags import TagsSchema

_ALL: tuple[Schema, ...] = (BlocksSchema(), StrictSchema(), FillSchema(), TagsSchema(), JsonSchema(), DiffSchema())

SCHEMAS: Mapping[str, Schema] = MappingProxyType({schema.name: schema for schema in _ALL})
"""Every interaction schema by its name."""


def find_schema(name: str) -> Schema:
    """The schema of a name. Raises DceError invalid_input naming those there are."""
    if name not in SCHEMAS:
        raise DceError("invalid_input", f"there is no schema {name!r}", hint=f"There are: {', '.join(SCHEMAS)}.")
    return SCHEMAS[name]


_TOLERANT = ("blocks", "tags", "diff")
"""The readers tried on an answer that is not in its prompt's form, strictest first."""


def read_answer(
    text: str,
    schema: str,
    nonce: str,
    is_truncated: bool = False,
    shown: Shown = nothing_shown,
    named: Callable[[str], NamedPath] = NamedPath,
) -> Reading:
    """An answer taken apart: by the reader of the prompt's schema, else by the tolerant ones. Never raises, whatever the text.

    `is_truncated` says that the model was cut off at its limit; edits are changes of what was `shown`; `named` says which file a
    path means. If no reader knows the form, `parse` is "failed" and the summary holds the whole text.
    """
    reading = renamed(_read(text, schema, nonce, is_truncated, lambda path: shown(named(path).path)), named)
    return marked(with_edits_made(reading, nonce, shown), shown)


def _read(text: str, schema: str, nonce: str, is_truncated: bool, shown: Shown) -> Reading:
    reading = _first(text, schema, nonce, shown)
    if reading is None or not (reading.files or reading.unapplied):
        # Seldom, and only where nothing was found: `&lt;file` and `\\<file` could be a file's own text.
        plain = unescaped(text)
        again = None if plain == text else _first(plain, schema, nonce, shown)
        if again is not None and again.files:
            reading = _repaired(
                again, "The answer's tags were escaped, as for Markdown or HTML; they were taken as meant."
            )
    if reading is None:
        reading = Reading(
            summary=text, parse="failed", notes=("The answer is in no known form: its raw text is shown.",)
        )
    return _cut_off(reading, text) if is_truncated else reading


def _first(text: str, schema: str, nonce: str, shown: Shown) -> Reading | None:
    """The first reading that a reader gives."""
    # JSON before the rest: its strings may hold any tag, while it begins like nothing else. A grammar's form needs no guess.
    names = (schema, "json", *_TOLERANT) if schema in {"fill", "strict"} else ("json", schema, *_TOLERANT)
    for name in dict.fromkeys(names):
        reading = SCHEMAS[name].read(text, nonce, shown) if name in SCHEMAS else None
        # An answer of another form may hold a `<summary>` too: without any file, the diff reader has a look first.
        if reading is not None and name in {"blocks", "tags"} and not (reading.files or reading.unapplied):
            other = SCHEMAS["diff"].read(text, nonce, shown)
            reading, name = (other, "diff") if other is not None else (reading, name)  # noqa: PLW2901
        if reading is not None:
            note = f"The answer is in the form {name!r}, not {schema!r} as asked."
            return reading if name == schema else _repaired(reading, note)
    return None


def _repaired(reading: Reading, note: str) -> Reading:
    return msgspec.structs.replace(reading, parse="repaired", notes=(note, *reading.notes))


_INLINE_END = re.compile(r"^[^\n]*\S[^\n]*</file[^<>\n]*>\s*\Z", re.MULTILINE)


def _cut_off(reading: Reading, text: str) -> Reading:
    """The reading of an answer that the model's limit ended: files may be missing even if those there are whole.

    If it ends with a closing tag in the middle of a line, that may have been a line of the last file which mentions one.
    """
    if reading.files and reading.files[-1].status == "complete" and _INLINE_END.search(text[-4 * MAX_TAG_CHARS :]):
        doubtful = msgspec.structs.replace(reading.files[-1], status="ambiguous")
        reading = msgspec.structs.replace(reading, files=(*reading.files[:-1], doubtful))
    flags = reading.flags if "truncated" in reading.flags else ("truncated", *reading.flags)
    parse = "repaired" if reading.parse == "ok" else reading.parse
    return msgspec.structs.replace(reading, flags=flags, parse=parse)
