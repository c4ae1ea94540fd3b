"""Tags that came escaped: `\\<file path="a.py"\\>` from a Markdown editor, `&lt;file …&gt;` from a web page.

Looked at only when an answer has no file as it stands, so that escaped tags in a file's own text stay what they are.
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
    """The answer with its tags as they were meant; as it stands if it has no escaped ones.

    From a web page all text came escaped, so all is put back. From a Markdown editor only the tag lines are: in file text nobody
    can tell an editor's backslash from the file's own.
    """
    if _ENTITY.search(text):
        return _ANY_ENTITY.sub(lambda found: _ENTITIES[found[0]], text)
    return _MARKDOWN.sub(lambda line: _BACKSLASHED.sub(r"\1", line[0]), text)
