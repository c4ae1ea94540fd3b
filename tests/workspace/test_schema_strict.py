"""Properties of the schema `strict`: the reader reads exactly what its grammar allows, on the engines that support it."""

import re

from hypothesis import given
from hypothesis import strategies as st

from dce.workspace.schema import SCHEMAS, read_answer
from dce.workspace.schema.edit_blocks import edit_block
from dce.workspace.schema.edits import Edit
from dce.workspace.schema.reading import file_block

NONCE = "a1b2c3"


def as_regex(grammar: str) -> re.Pattern[str]:
    """The grammar (its rules are not recursive) as one regular expression."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.splitlines())
    token = re.compile(r'"(?:[^"\\]|\\.)*"|\[(?:[^\]\\]|\\.)*\]|\{\d+,\d+\}|[A-Za-z]+|[()|*+?]|\s+')

    def expanded(rule: str) -> str:
        found = []
        for part in token.findall(rules[rule]):
            if part.startswith('"'):
                found.append(f"(?:{re.escape(part[1:-1].encode().decode('unicode_escape'))})")
            elif part[0].isalpha():
                found.append(f"(?:{expanded(part)})")
            elif not part.isspace():
                found.append(part)
        return "".join(found)

    return re.compile(expanded("root"), re.DOTALL)


GRAMMAR = SCHEMAS["strict"].grammar(NONCE, ()) or ""
FORM = as_regex(GRAMMAR)

LINES = (
    "x = 1\n",
    "</file>\n",
    "</file_artifact>\n",
    "<file path='b.py'>\n",
    "a << 2 </ b\n",
    "<<<<<<< HEAD\n",
    "</fi\n",
    "no end",
    "\n",
    "\r\n",
    "é世🎉\n",
)
TEXTS = st.lists(st.sampled_from(LINES), max_size=8).map("".join)


def answer(summary: str, files: dict[str, str]) -> str:
    """An answer in the grammar's format."""
    parts = "".join(f"\n{file_block(path, text, NONCE)}\n" for path, text in files.items())
    return f"<summary>\n{summary}</summary>\n<plan>\n1. It.\n</plan>\n{parts}"


@given(st.dictionaries(st.sampled_from(["a.py", "docs/b c.md", "-x", "é/.env"]), TEXTS, max_size=3))
def test_what_the_grammar_allows_is_read_back_exactly(files: dict[str, str]) -> None:
    """Files with any text, including tags, can be written with the grammar and are read byte for byte, without a repair.

    Only a closing tag before an opening one raises a doubt, for servers that ignore the grammar.
    """
    text = answer("Wrote <b>them</b>.\n", files)
    assert FORM.fullmatch(text)
    reading = read_answer(text, "strict", NONCE)
    assert {file.path: file.content for file in reading.files} == files
    assert reading.parse == "ok" or all("opens nowhere else" in note for note in reading.notes[:1])


def test_edits_of_big_files_are_allowed() -> None:
    """The edit blocks that the instructions offer for big files are part of the grammar."""
    edits = edit_block("big.py", [Edit(search="a = 1\n", replace="a = '</edit>'\n")], NONCE)
    text = answer("Edited it.\n", {}) + f"\n{edits}\n"
    assert FORM.fullmatch(text)
    (file,) = read_answer(text, "strict", NONCE, shown={"big.py": "a = 1\nb = 2\n"}.get).files
    assert file.content == "a = '</edit>'\nb = 2\n"


def test_what_has_no_form_is_not_allowed() -> None:
    """The grammar excludes text before the answer, a file without its nonce, a path outside and an unclosed file."""
    good = answer("Wrote it.\n", {"a.py": "x\n"})
    assert FORM.fullmatch(good)
    closer = f'</file nonce="{NONCE}">\n'
    for bad in (
        f"Sure! {good}",
        good.replace(f' nonce="{NONCE}"', "", 1),
        good.replace("a.py", "/etc/passwd"),
        good.replace(closer, ""),
        good.replace("x\n", '</file nonce="other">\n'),
    ):
        assert not FORM.fullmatch(bad), bad


def test_its_words_are_those_of_blocks() -> None:
    """The prompt is the same as for `blocks`, and an answer made without the grammar is read as tolerantly."""
    assert SCHEMAS["strict"].instructions(NONCE, ()) == SCHEMAS["blocks"].instructions(NONCE, ())
    loose = "Here:\n\n" + answer("Wrote it.\n", {"a.py": "x\n"})
    assert [file.content for file in read_answer(loose, "strict", NONCE).files] == ["x\n"]
