"""Placeholders in place of code: a sign of a faulty answer that parses well.

Only clear signs count: a flag with false alarms is soon ignored. An omission that this misses is caught when the file is compared with
the one it replaces.
"""

import re

MAX_PLACEHOLDER_CHARS = 160
"""Longest line that is looked at for a placeholder: they are short remarks, while prose about placeholders runs on."""

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
        # {/* Rest of the component */}: a comment that says nothing else
        r"(?:/\*|<!--)\s*(?:the\s+)?(?:rest|remainder)\s+of\s+(?!.*\b(?:is|are|was|were|will|must|can|gets?|goes)\b)[^*>]{1,60}?\s*(?:\*/|-->)",
    )
)
_REMARK = re.compile(r"(?://|#|/\*|<!--|--|\{/\*|\*\s|%|;|\(|\[|\.{3}|…)")


def placeholder(content: str) -> str:
    """The first line of a file that stands for text that was left out, trimmed; "" if there is none."""
    for line in content.split("\n"):
        if len(line) > MAX_PLACEHOLDER_CHARS or not _REMARK.search(line):
            continue
        if any(pattern.search(line) for pattern in _PLACEHOLDERS):
            return line.strip()
    return ""
