"""Scripts that a model writes when asked: what it is asked, and how its answer is read. Pure.

What must always hold: nothing of an answer is run but what stands in a fence with one of the two marks; their number is bounded.
"""

import re
from collections.abc import Sequence
from typing import Literal

import msgspec

MAX_SCRIPTS = 16
"""Maximum scripts that are read from one answer."""

MAX_SCRIPT_CHARS = 4_000
"""Longest script; a longer one is no probe."""

QUESTION = """\


This time, do not change any file, and ignore the format of the answer that is asked for above. Write short scripts instead that show whether
code does what the last cycle asks for. They will be run on several solutions that you cannot see, in {languages}, from the project's root.

1. Up to eight scripts that exercise what the cycle asks for and print the results: usual values, values at the edge, several calls in a row, what
must not change. Print values, no judgement. Each stands in a fence whose first line is ```{fence} probe
2. Up to six checks that follow from the words of the cycle and from nothing else: each throws an error exactly if a solution contradicts
those words. Leave out what the words do not decide. Each stands in a fence whose first line is ```{fence} check

Each script stands alone and imports what it needs. No script reads the network or the clock, or takes longer than a second."""

Kind = Literal["probe", "check"]

_FENCE = re.compile(
    r"^[ \t]*(`{3,}|~{3,})[ \t]*([\w+#-]+)[ \t,:]+(probe|check)\b[^\n]*\n(.*?)^[ \t]*\1[ \t]*$",
    re.DOTALL | re.MULTILINE,
)


class Script(msgspec.Struct, frozen=True, kw_only=True):
    """A script: what it is for, the word of its fence that says its language, and its text."""

    kind: Kind
    language: str
    text: str


def question(names: Sequence[str], fence: str) -> str:
    """What follows the prompt. `names`: the languages; `fence`: the word for the first one's fences."""
    return QUESTION.format(languages=" and ".join(names), fence=fence)


def scripts_in(answer: str) -> list[Script]:
    """The scripts in an answer, each once, in their order."""
    found: dict[Script, None] = {}
    for match in _FENCE.finditer(answer.replace("\r\n", "\n")):
        kind: Kind = "probe" if match[3] == "probe" else "check"
        text = match[4].strip("\n")
        if text.strip() and len(text) <= MAX_SCRIPT_CHARS:
            found.setdefault(Script(kind=kind, language=match[2].lower(), text=text))
    return list(found)[:MAX_SCRIPTS]


def label_of(script: Script) -> str:
    """What people read: the last line that does something."""
    lines = [line.strip() for line in script.text.splitlines()]
    telling = [line for line in lines if line and not line.startswith(("#", "//", "import ", "from ", "}", ")"))]
    return telling[-1] if telling else script.text.strip()
