"""What makes an answer doubtful though it parses: placeholders in place of code, files that were announced and never came.

Both look for clear signs only. A flag that cries wolf is soon ignored; a small shrinking that these miss is caught when the file is
compared with the one it replaces.
"""

import re
from collections.abc import Iterable

MAX_PLACEHOLDER_CHARS = 160
"""Longest line that is looked at for a placeholder: they are short remarks, while prose about placeholders runs on."""

MAX_SAID_CHARS = 2_000
"""Longest line of a summary that is searched for paths: longer ones are no list of files, and matching must stay linear."""

_DOTS = r"(?:\.{3}|…)"
_PLACEHOLDERS = tuple(
    re.compile(pattern, re.IGNORECASE)
    for pattern in (
        # ... existing code ... / … rest of the methods …
        rf"{_DOTS}(?:\s+\(?|\()(?:the\s+)?(?:rest|remain(?:der|ing)|existing|previous|original|other|unchanged|same)\b[^.…]{{0,60}}"
        rf"(?:{_DOTS}|unchanged|here|as before|\)|\*/|-->|$)",
        # rest of the file unchanged / remaining code stays the same
        r"\b(?:rest|remainder)\s+(?:of\s+(?:the\s+|this\s+|your\s+)?[\w./`-]+(?:\s+\w+)?\s+)?"
        r"(?:is\s+|are\s+|remains?\s+|stays?\s+)?(?:unchanged|omitted|as before|the same|as is)\b",
        r"\b(?:remaining|existing|other)\s+(?:code|methods?|functions?|imports?|content|implementation)\s+"
        r"(?:is\s+|are\s+|remains?\s+|stays?\s+|goes\s+)?(?:unchanged|omitted|as before|the same|as is|here)\b",
        # (No change) / (No change from C850) / // no changes
        r"\(\s*no\s+(?:\w+\s+)?changes?(?:\s+(?:from|since|here|needed)\b[^)]{0,30})?\s*\)",
        r"^\s*(?://|#|/\*|<!--)\s*(?:no\s+changes?(?:\s+here)?|unchanged|same as (?:before|above))\s*\.?\s*(?:\*/|-->)?$",
        rf"(?://|#|/\*|<!--|{_DOTS}|\[|\()\s*\w*\s*(?:code|content|lines?|section|body)?\s*omitted\s+for\s+(?:brevity|space)",
        # [original content here]
        r"\[\s*(?:original|existing|previous|rest of)\b[^\]\n]{0,40}\b(?:content|code|file|text|implementation)\b[^\]\n]{0,20}\]",
    )
)
_REMARK = re.compile(r"(?://|#|/\*|<!--|--|\{/\*|\*\s|%|;|\(|\[|\.{3}|…)")

_PATH = re.compile(
    r"`(?P<quoted>[^`\n]{0,200}?\.[A-Za-z][A-Za-z0-9]{0,5})`"
    r"|(?<![\w/.@:`-])(?P<bare>(?:[\w@.-]+/)*[\w@-][\w@.-]*\.[A-Za-z][A-Za-z0-9]{0,5})(?![\w/(`])"
)
_NAMES = (
    "bash bat c cc cfg cjs conf cpp cs css csv cts cxx dart env ex exs go gradle graphql h hpp hs htm html ini ipynb java jl js json jsx kt "
    "less lock lua m md mdx mjs mk ml mts php pl plist po proto ps1 py pyi pyx r rb rs rst sass scala scss sh sql svelte svg swift tex "
    "tf tfvars toml ts tsx txt vue xml yaml yml zig"
)
_SUFFIXES = frozenset(_NAMES.split())
"""Endings by which a name without a slash is a file and not `Stack.pop` or `os.path`."""
_LABEL = re.compile(
    r"[`*)\]]*\s*:[`*)\]]*\s+(?:I\s+)?(?:will\s+|have\s+|has\s+been\s+)?(\w+)"
)  # `view.tsx`: I will refactor …
_PASSIVE = re.compile(r"[`*)\]]*\s+(?:will be|is|are|was|were|has been|have been)\s+(?:\w+ly\s+)?(\w+)")
_WRITES = re.compile(
    r"\b(?:creat|add|introduc|updat|modif|rewr|rewrit|implement|edit|chang|fix|extend|writ|wrote|refactor|replac)\w*\b",
    re.IGNORECASE,
)
_NEGATION = re.compile(
    r"\b(?:no|not|don't|doesn't|didn't|unchanged|without|never|delet\w*|remov\w*|renam\w*|leave|left|need\w*|next|later|should|could|would|"
    r"see|read|from|based on|using|call\w*|import\w*|like)\b",
    re.IGNORECASE,
)


def placeholder(content: str) -> str:
    """The first line of a file that stands for text that was left out, trimmed; "" if there is none."""
    for line in content.split("\n"):
        if len(line) > MAX_PLACEHOLDER_CHARS or not _REMARK.search(line):
            continue
        if any(pattern.search(line) for pattern in _PLACEHOLDERS):
            return line.strip()
    return ""


def missing_files(said: str, written: Iterable[str]) -> tuple[str, ...]:
    """The paths that the summary and plan say are written but that no block has.

    A path counts if a word such as "update" goes before it in its clause, or follows it (`view.tsx`: I will refactor …; `view.tsx` is
    updated). A bare name also matches a written path that ends in it.
    """
    known = [path.lower() for path in written]
    missing: dict[str, None] = {}
    for line in said.split("\n"):
        line = line[:MAX_SAID_CHARS]  # noqa: PLW2901 - only its start is looked at
        for found in _PATH.finditer(line):
            path = found["quoted"] or found["bare"]
            is_file = "/" in path or path.rsplit(".", 1)[-1].lower() in _SUFFIXES
            if is_file and _is_said_written(line, found) and not any(_same(path.lower(), other) for other in known):
                missing.setdefault(path)
    return tuple(missing)


def _is_said_written(line: str, path: re.Match[str]) -> bool:
    clause = re.split(r"[.;:](?=[\s*])", line[: path.start()])[-1]
    if _NEGATION.search(clause):
        return False
    after = _LABEL.match(line, path.end()) or _PASSIVE.match(line, path.end())
    return bool(_WRITES.search(clause)) or bool(after and _WRITES.match(after[1]))


def _same(said: str, written: str) -> bool:
    said = said.removeprefix("./")
    return written == said or written.endswith((f"/{said}", f" {said}")) or said.endswith(f"/{written}")
