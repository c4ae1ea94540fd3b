"""The parts of an answer written for the user: summary, plan and activity.

Works on the text outside the files, so that a file may contain `<summary>` or `<think>`.
"""

import re

import msgspec

_THINK_TAG = re.compile(r"<(/?)(?:think|thinking|reasoning)>", re.IGNORECASE)

_PARTS: dict[str, tuple[str, ...]] = {
    "summary": ("summary",),
    "plan": ("plan", "course_of_action"),
    "activity": ("activity", "curator_activity"),
}
"""The parts and the tags they are known by: ours, then the original's."""
_ANY_TAG = "|".join(tag for tags in _PARTS.values() for tag in tags)
_PART_OPENER = re.compile(rf"\s*<({_ANY_TAG})>")
_ANY_PART = re.compile(rf"<(?:{_ANY_TAG})>")
_HEADING = re.compile(
    r"^#{1,4}[ \t]*(?:\*\*)?(summary|plan|course of action|curator activity)\b[^\n]*$", re.IGNORECASE | re.MULTILINE
)
_NEXT_HEADING = re.compile(r"^#{1,4}[ \t]", re.MULTILINE)


class Prose(msgspec.Struct, frozen=True, kw_only=True):
    """An answer's text for the user. `rest` is text outside every part and file; `is_tagged`: at least one part had its tag."""

    summary: str = ""
    plan: str = ""
    activity: str = ""
    rest: str = ""
    is_tagged: bool = False
    repairs: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()


def parts_end(text: str, start: int) -> int:
    """Where an answer's leading parts end: no file begins before, whatever the summary quotes."""
    while True:
        opened = _PART_OPENER.match(text, start)
        if opened is None:
            return start
        closed = text.find(f"</{opened[1]}>", opened.end())
        following = _ANY_PART.search(text, opened.end())
        if closed < 0 or (following is not None and following.start() < closed):
            return start
        start = closed + len(f"</{opened[1]}>")


def is_answer(text: str) -> bool:
    """Whether text without files has at least the tags of an answer."""
    return any(_part(text, tags)[0] for tags in _PARTS.values())


def read_prose(text: str) -> Prose:
    """The parts found in `text`, an answer without its files and leading reasoning. If a part occurs twice, the last one wins.

    Without tags, Markdown headings are used; without those, the whole text is the summary, so that nothing is hidden.
    """
    repairs, remarks = [], []
    rest = _without_thoughts(text)
    if rest != text:
        remarks.append("Reasoning between tags is not shown.")
    found: dict[str, str] = {}
    for part, tags in _PARTS.items():
        found[part], rest, is_unclosed = _part(rest, tags)
        if is_unclosed:
            repairs.append(f"The {part} has no closing tag.")
    is_tagged = any(found.values())
    if not is_tagged:
        found, rest = _headed(rest)
        if not any(found.values()):
            found["summary"], rest = rest.strip(), ""
        if any(found.values()):
            repairs.append("There is no summary tag; the text outside the files is shown instead.")
    return Prose(**found, rest=rest.strip(), is_tagged=is_tagged, repairs=tuple(repairs), remarks=tuple(remarks))


def _without_thoughts(text: str) -> str:
    """The text without tagged reasoning; unpaired tags stay."""
    parts, at, opened = [], 0, -1
    for tag in _THINK_TAG.finditer(text):
        if not tag[1]:
            opened = tag.start() if opened < 0 else opened
        elif opened >= 0:
            parts.append(text[at:opened])
            at, opened = tag.end(), -1
    return "".join([*parts, text[at:]])


def _part(text: str, tags: tuple[str, ...]) -> tuple[str, str, bool]:
    """One part's text, the text without it, and whether its closer was missing."""
    names = "|".join(tags)
    pattern = re.compile(
        rf"<({names})>(?P<body>.*?)(?:(?P<closer></(?:{names})>)|(?=<(?:{_ANY_TAG})>)|\Z)", re.IGNORECASE | re.DOTALL
    )
    matches = list(pattern.finditer(text))
    if not matches:
        return "", text, False
    body = matches[-1]["body"].strip()
    return body, pattern.sub("\n", text), not all(match["closer"] for match in matches)


def _headed(text: str) -> tuple[dict[str, str], str]:
    """Parts under Markdown headings, for models that forget the tags."""
    found, spans = {"summary": "", "plan": "", "activity": ""}, []
    for heading in _HEADING.finditer(text):
        following = _NEXT_HEADING.search(text, heading.end())
        end = following.start() if following else len(text)
        part = {"s": "summary", "p": "plan", "c": "plan"}[heading[1][0].lower()]
        part = "activity" if heading[1].lower().startswith("curator") else part
        found[part] = text[heading.end() : end].strip()
        spans.append((heading.start(), end))
    for start, end in reversed(spans):
        text = text[:start] + text[end:]
    return found, text
