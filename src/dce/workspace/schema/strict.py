"""Schema `blocks` with a grammar: a server that supports grammars enforces the format, so that weak models' answers can be read too.

The prompt's instructions, the answer's format and its reader are those of `blocks`. The grammar allows any text except what would
end a part: a file's text cannot contain `</file` followed by a blank. Invariants: a text that the grammar allows is read back as
exactly its parts; the grammar uses the subset that llama.cpp (GBNF) and xgrammar (EBNF) share. A reasoning model works only if the
server separates reasoning from the answer: the grammar leaves no room for it before the answer.
"""

from dce.workspace.schema.blocks import BlocksSchema
from dce.workspace.schema.reading import PromptFile, Reading, Shown, nothing_shown

_GRAMMAR = r"""root ::= "<summary>\n" summary "</summary>\n<plan>\n" plan "</plan>\n" ("<activity>\n" activity "</activity>\n")? block*
block ::= "\n" (file | edit | delete | rename | chmod)
file ::= "<file path=\"" path "\" nonce=\"{nonce}\">\n" text "</file nonce=\"{nonce}\">\n"
edit ::= "<edit path=\"" path "\" nonce=\"{nonce}\">\n" pairs "</edit nonce=\"{nonce}\">\n"
delete ::= "<delete path=\"" path "\" nonce=\"{nonce}\"/>\n"
rename ::= "<rename from=\"" path "\" to=\"" path "\" nonce=\"{nonce}\"/>\n"
chmod ::= "<chmod path=\"" path "\" mode=\"" ("755" | "644") "\" nonce=\"{nonce}\"/>\n"
path ::= [^"<>\\/\x00-\x20] [^"<>\\\x00-\x1f]{{0,199}}
summary ::= ([^<] | "<"+ ([^</] | "/" [^<s]))*
plan ::= ([^<] | "<"+ ([^</] | "/" [^<p]))*
activity ::= ([^<] | "<"+ ([^</] | "/" [^<a]))*
text ::= ([^<] | "<"+ ([^</] | "/" ([^<f] | "f" ([^<i] | "i" ([^<l] | "l" ([^<e] | "e" [^< ]))))))*
pairs ::= ([^<] | "<"+ ([^</] | "/" ([^<e] | "e" ([^<d] | "d" ([^<i] | "i" ([^<t] | "t" [^< ]))))))*
"""


class StrictSchema:
    """Schema `strict`."""

    name = "strict"

    def __init__(self) -> None:
        self._blocks = BlocksSchema()

    def instructions(self, nonce: str, files: tuple[PromptFile, ...]) -> str:
        """The text of section M3."""
        return self._blocks.instructions(nonce, files)

    def grammar(self, nonce: str, files: tuple[PromptFile, ...]) -> str | None:  # noqa: ARG002
        """Every answer in the form of `blocks`."""
        return _GRAMMAR.format(nonce=nonce)

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:
        """As `blocks`: without grammar support, or after a token limit, the answer may not match the grammar."""
        return self._blocks.read(text, nonce, shown)
