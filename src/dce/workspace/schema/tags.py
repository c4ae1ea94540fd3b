"""The original's format: summary and plan in tags, then `<file path="…">` … `</file_artifact>` for each file, without a nonce.

Old histories and models that ignore the nonce use it, so every answer may be read this way. The hard part, file text that
contains the same tags, is in `spans`.
"""

from dce.workspace.schema.acts import standalone
from dce.workspace.schema.assembly import assemble
from dce.workspace.schema.plain import PlainSchema
from dce.workspace.schema.prose import is_answer, parts_end
from dce.workspace.schema.reading import Reading, Shown, nothing_shown
from dce.workspace.schema.reasoning import thoughts
from dce.workspace.schema.spans import Span, find_spans

_INSTRUCTIONS = """\
Answer in plain text in exactly this form, the parts in this order:

<summary>
What you did and why, in a few sentences, with the list of the files you wrote.
</summary>
<course_of_action>
The steps you took, as a numbered list.
</course_of_action>
<curator_activity>
Only if the curator must do something by hand (run a command). Leave this part out otherwise.
</curator_activity>

Then one block for each file that you create or change:

<file path="path/to/file.ext">
the whole file
</file_artifact>

Rules:
1. A block holds the whole new text of its file and replaces the file as it stands: whatever you leave out is deleted. Never shorten
   with "no change", "rest unchanged" or an ellipsis.
2. Write blocks only for files that you create or change; documents before code.
   An empty block deletes nothing. To delete or rename a file, write a line by itself: <delete path="a.py"/> or
   <rename from="old.py" to="new.py"/>; <chmod path="run.sh" mode="755"/> makes one executable.
3. The path is relative to the workspace's root, with forward slashes, spelled as in M7.
4. Opening and closing lines stand alone. Put no code fence around a file."""


class TagsSchema(PlainSchema):
    """Schema `tags`. Without a grammar: the form is loose enough for any instructed model."""

    name = "tags"

    def __init__(self) -> None:
        super().__init__(_INSTRUCTIONS)

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:  # noqa: ARG002
        """The reading; None if the text has neither files nor any of the tags."""
        thought = thoughts(text, find_spans(text)) if "<" in text else thoughts(text)
        files_start = parts_end(text, thought.end)
        spans = tuple(_shifted(span, files_start) for span in find_spans(text[files_start:]))
        if not spans and not is_answer(text[thought.end :]) and not standalone(text[thought.end :]).acts:
            return None
        return assemble(text, spans, thoughts=thought)


def _shifted(span: Span, by: int) -> Span:
    return Span(
        span.path, span.start + by, span.body_start + by, span.body_end + by, span.end + by, span.status, span.note
    )
