"""Escaped tags: `\\<file path="a.py"\\>` from a Markdown editor, `&lt;file …&gt;` from a web page.

Tried only if an answer has no files otherwise, so that escaped tags in a file's own text stay escaped.
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
