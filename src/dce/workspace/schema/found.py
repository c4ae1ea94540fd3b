"""What the finders of free forms have in common: the files they find, and how a line or an info string names a file.

A finder is a function from an answer (and what was shown) to the files in it, by offsets. It recognises one form and decides nothing
else; `forms` is the table of them.
"""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from dce.workspace.schema.edits import Edit
from dce.workspace.schema.reading import Action, BlockStatus, Shown

MAX_NAME_LINE = 200
"""Longest line that is searched for a file's name."""

_SUFFIX_NAMES = (
    "astro bash bat c cc cfg cjs clj cmake conf cpp cs css csv cts cxx dart dockerfile el elm env erl ex exs f90 fs gd go gradle graphql groovy "
    "h hbs hcl hpp hs htm html ini ipynb java jl js json json5 jsonc jsx kt kts less lock lua m md mdx mjs mk ml mod mts nim nix php pl plist "
    "po prisma properties proto ps1 pug py pyi pyx r rb rs rst sass scala scss sh sol sql sum svelte svg swift tcl tex tf tfvars toml ts tsx "
    "txt vb vue xml xsd yaml yml zig zsh"
)
_SUFFIXES = frozenset(_SUFFIX_NAMES.split())
_FILE_NAMES = (
    "dockerfile makefile license readme procfile gemfile rakefile jenkinsfile vagrantfile .gitignore .dockerignore .env .env.example .npmrc "
    ".editorconfig .prettierrc .eslintrc .babelrc .gitattributes go.mod go.sum cmakelists.txt codeowners justfile"
)
_NAMES = frozenset(_FILE_NAMES.split())
_PATH = re.compile(r"(?:\.{0,2}/)?(?:[\w@.+$\[\]()-]+/)*[\w@.+$\[\]()-]+(?: [\w@.+()-]+)*")
_DECORATION = re.compile(
    r"^(?:\s*(?:>|#{1,6}|[-*+]|\d{1,3}[.)]|//|/\*+|<!--|--|;+|%+|[\U0001F300-\U0001FAFF☀-➿\ufe0f]+)(?=[\s*`_\[])\s*)*"
)
_LABEL = re.compile(
    r"^[*_`\s]*(?:\d{1,3}[.)]\s*)?(?:new |updated |modified |full |complete )?(?:file ?name|file ?path|file|path|datei|source)\b[*_\s]*[:=][*_\s]*",
    re.IGNORECASE,
)
_REMARK = re.compile(r"\s*(?:\((?:[^()]{0,60})\)|(?:-|–|—)\s.{0,60}|\[(?:new|updated|modified)\])\s*$", re.IGNORECASE)
_MARKUP = re.compile(r"</?(?:summary|b|strong|code|em|i|h[1-6]|p|details)>", re.IGNORECASE)
_RULE = re.compile(r"^(?:={2,}|-{2,}|\[)\s*(\S.*?)\s*(?:={2,}|-{2,}|\])$")
_QUOTED = re.compile(r"(?:`([^`\n]+)`|\*\*([^*\n]+)\*\*)")


class Found(NamedTuple):
    """One file in an answer: its whole text (`content`), or edits of what was shown, or why it could not be read (`error`).

    `action` and `from_path` as in `FileBlock`. It lies from `start` to `end`, with whatever delimits and names it.
    """

    path: str
    start: int
    end: int
    content: str = ""
    edits: tuple[Edit, ...] = ()
    status: BlockStatus = "complete"
    note: str = ""
    error: str = ""
    action: Action = "write"
    from_path: str = ""


Finder = Callable[[str, Shown], Sequence[Found]]


def is_path(name: str) -> bool:
    """Whether a text by itself is the path of a file, not a word, version or call."""
    if not name or len(name) > MAX_NAME_LINE or not _PATH.fullmatch(name) or name.endswith("."):
        return False
    last = name.rpartition("/")[2].lower()
    suffix = last.rpartition(".")[2]
    is_known = last in _NAMES or ("." in last.lstrip(".") and suffix in _SUFFIXES)
    if " " in name:
        return is_known and not re.search(r"\w\s+(?:and|in|to|the|for|with|of)\s", name)
    return is_known or ("/" in name and "." in last and suffix.isalnum() and len(suffix) <= 10 and "()" not in name)


def name_in_line(line: str) -> tuple[str, bool]:
    """The path that a line names, and whether the line is only that: a heading, label, comment, bold or code. ("", False): none."""
    line = line.strip()
    if not line or len(line) > MAX_NAME_LINE:
        return "", False
    line = _MARKUP.sub("", line).strip("\u200b\ufeff ")
    bare = _DECORATION.sub("", _RULE.sub(r"\1", line))
    bare = re.sub(r"\s*(?:\*/|-->)$", "", bare)
    bare = _LABEL.sub("", bare)
    for candidate in (bare, _REMARK.sub("", bare.rstrip(":"))):
        name = candidate.strip().strip("*_`").rstrip(":").strip("*_`\"'").strip()
        if is_path(name):
            return name, True
    quoted = [
        name
        for found in _QUOTED.finditer(line)
        if is_path(name := (found[1] or found[2]).strip().strip("`").rstrip(":"))
    ]
    if len(set(quoted)) == 1:
        is_only = not re.sub(r"[\W\d_]+", "", _QUOTED.sub("", _LABEL.sub("", bare), count=1))
        return quoted[0], is_only
    return "", False


def name_in_comment(line: str) -> str:
    """The path in a comment that contains nothing else; "" if there is none."""
    found = re.fullmatch(
        r"\s*(?://+|#+|/\*+|<!--|--|;+|%+|\"\"\"|'''|\{/\*)\s*(?:(?:file ?name|file ?path|file|path)\s*:\s*)?(\S(?:.*\S)?)\s*"
        r"(?:\*/\}?|-->|\"\"\"|''')?\s*",
        line,
        re.IGNORECASE,
    )
    name = (
        re.sub(r"\s*(?:\*/\}?|-->|\"\"\"|''')$", "", found[1]).strip("`")
        if found and len(line) <= MAX_NAME_LINE
        else ""
    )
    return name if is_path(name) else ""


def line_offsets(lines: Sequence[str]) -> list[int]:
    """Where each line begins, and where the text ends (one more than its last newline would)."""
    offsets = [0]
    for line in lines:
        offsets.append(offsets[-1] + len(line) + 1)
    return offsets
