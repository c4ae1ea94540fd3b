"""Escaped tags: `\\<file path="a.py"\\>` from a Markdown editor, `&lt;file …&gt;` from a web page; and answers quoted with `>`.

Escaped tags are tried only if an answer has no files otherwise, so that such tags in a file's own text stay escaped. A quotation is
removed only if no tag of the answer is outside it.
"""

import re

_TAGS = r"/?(?:file|file_artifact|edit|summary|plan|activity|course_of_action|curator_activity)"
_MARKDOWN = re.compile(rf"^[ \t]*\\<\\?{_TAGS}\b[^\n]*$", re.MULTILINE)
_ENTITY = re.compile(r"^[ \t]*&lt;/?(?:file|edit)\b[^\n]*&gt;[ \t]*$", re.MULTILINE)
_BACKSLASHED = re.compile(r"\\([!-/:-@\[-`{-~])")
_ENTITIES = {
    "&lt;": "<",
    "&gt;": ">",
    "&quot;": '"',
    "&#34;": '"',
    "&#39;": "'",
    "&apos;": "'",
    "&nbsp;": " ",
    "&amp;": "&",
}
_ANY_ENTITY = re.compile("|".join(re.escape(name) for name in _ENTITIES))


def unescaped(text: str) -> str:
    """The answer with its tags unescaped; unchanged if it has no escaped ones.

    On a web page all text is escaped, so all of it is unescaped. For a Markdown editor only the tag lines are: in file text an
    editor's backslash cannot be told from the file's own.
    """
    if _ENTITY.search(text):
        return _ANY_ENTITY.sub(lambda found: _ENTITIES[found[0]], text)
    return _MARKDOWN.sub(lambda line: _BACKSLASHED.sub(r"\1", line[0]), text)


_QUOTED = re.compile(r"[ \t]{0,3}>")
_OPENER = re.compile(r"<[ \t]?(?:file|edit|summary|plan)\b", re.IGNORECASE)
MAX_QUOTES = 3
"""How many levels of quotation are removed."""


def unquoted(text: str) -> str:
    """The answer without the `>` of a quotation, if all of it, or all that has tags, is quoted; else the text as it is."""
    for _ in range(MAX_QUOTES):
        lines = text.split("\n")
        quoted = [_QUOTED.match(line) is not None for line in lines]
        if not any(quoted):
            return text
        pairs = list(zip(lines, quoted, strict=True))
        others = [line for line, is_quoted in pairs if line.strip() and not is_quoted]
        has_opener = any(is_quoted and _OPENER.search(line) for line, is_quoted in pairs)
        if others and (not has_opener or any("<" in line or "```" in line for line in others)):
            return text
        bare = [(_QUOTED.sub("", line, count=1) if is_quoted else line, is_quoted) for line, is_quoted in pairs]
        is_spaced = all(line[:1] in {"", " ", "\r"} for line, is_quoted in bare if is_quoted)
        text = "\n".join(line.removeprefix(" ") if is_quoted and is_spaced else line for line, is_quoted in bare)
    return text
