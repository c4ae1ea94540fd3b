"""The default interaction schema: a few tags for people, then whole files between delimiters that carry the prompt's nonce.

Plain text, because models write worse code inside JSON; a nonce, because a file may hold any tag. Between an opener and the closer
with the same nonce everything is the file, byte for byte: no other text ends a block.
"""

from dce.workspace.schema.reading import PromptFile, Reading, file_block

_INSTRUCTIONS = """\
Answer in plain text in exactly this form, the parts in this order:

<summary>
What you did and why, in a few sentences. Name every file you wrote.
</summary>
<plan>
The steps you took, as a numbered list, and what the curator should check or decide next.
</plan>
<activity>
Only if the curator must do something by hand (install, delete or rename a file, run a command). Leave this part out otherwise.
</activity>

Then one block for each file that you create or change:

{example}

Rules:
1. A block holds the whole new text of its file, from the first line to the last. It replaces the file as it stands, so whatever you
   leave out is deleted: never shorten with "rest unchanged", "existing code" or an ellipsis.
2. Write blocks only for files that you create or change. A file without a block stays as it is.
3. The path is relative to the workspace's root, with forward slashes, spelled as in M7.
4. Copy nonce="{nonce}" into every opening and closing line. It marks where files begin and end, so that file text may hold any tag.
5. Put nothing else between the opening and the closing line: no code fence, no remarks. File text starts on the line after the
   opening line.
6. One block for a path. Every file named as written in the summary has its block."""


class BlocksSchema:
    """Schema `blocks`."""

    name = "blocks"

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:  # noqa: ARG002 - the same for any files
        """The text of section M3."""
        return _INSTRUCTIONS.format(nonce=nonce, example=file_block("path/to/file.ext", "the whole file\n", nonce))

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:  # noqa: ARG002
        """None: the form is loose enough for any instructed model."""
        return None

    def read(self, text: str, nonce: str) -> Reading | None:  # noqa: ARG002
        """None yet."""
        return None
