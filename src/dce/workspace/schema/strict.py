"""Schema `blocks` under a grammar: a server that can holds the model to the form, so that an answer of a weak model can be read too.

The words of the prompt, the answer's form and its reader are those of `blocks`. The grammar leaves all text free but for what would end a
part: a file's text cannot hold `</file` with a blank behind it. What must hold: a text that the grammar allows is read back as exactly
its parts; it is written in the subset that llama.cpp (GBNF) and xgrammar (EBNF) share. A model that thinks must do so where the server keeps
thinking apart from the answer: a grammar leaves no room for it before.
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
        """As `blocks`: a server without grammars, or a limit, may have left it otherwise."""
        return self._blocks.read(text, nonce, shown)
