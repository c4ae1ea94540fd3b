"""What an answer does to a file besides writing it (deleting, renaming, making it executable), from tags and attributes.

Invariants: only an explicit word is an act (`action="delete"`, `<delete path="…"/>`); a text that only looks like one
(`[DELETED]` as a whole file) counts as the act but is ambiguous, so that accepting asks; an empty block is never a deletion.
"""

import bisect
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from dce.workspace.schema.reading import Action, BlockStatus, FileBlock

MAX_TAG_CHARS = 1_000
"""Longest tag of an act, the same as for files."""

INSTRUCTIONS = """\
To delete, rename or make a file executable, write one of these lines by itself, outside every block:

<delete path="path/to/file.ext" nonce="{nonce}"/>
<rename from="old/path.ext" to="new/path.ext" nonce="{nonce}"/>
<chmod path="path/to/script.sh" mode="755" nonce="{nonce}"/>

An empty block does not delete a file. A renamed file that also changes has its block besides, under the new path."""

_ATTRIBUTE = re.compile(r"""([\w-]+)\s*=\s*(?:"((?:[^"\n]|"(?!\s|/?>|/?$|[\w-]+\s*=))*)"|'([^'\n]*)'|([^\s"'<>/]+))""")
_STANDALONE = re.compile(
    rf"^[ \t]*<(?P<tag>delete(?:[_-]file)?|remove(?:[_-]file)?|rename(?:[_-]file)?|move(?:[_-]file)?|chmod|file)\b"
    rf"(?P<attributes>[^<>\n]{{1,{MAX_TAG_CHARS}}}?)(?P<closed>/?)>(?:[ \t]*</(?P=tag)(?:\s[^<>\n]{{0,{MAX_TAG_CHARS}}})?>)?[ \t]*\r?$",
    re.MULTILINE,
)
_WORDS: Mapping[str, Action] = {
    **dict.fromkeys(("delete", "deleted", "remove", "removed", "unlink"), "delete"),
    **dict.fromkeys(("rename", "renamed", "move", "moved"), "rename"),
    **dict.fromkeys(("chmod", "mode"), "mode"),
}
_ACTION_KEYS = ("action", "operation", "op", "type", "status", "change", "change_type")
_FROM_KEYS = ("from", "from_path", "old_path", "old", "source", "renamed_from", "previous_path", "original_path")
_TO_KEYS = ("to", "to_path", "new_path", "destination", "target")
_TRUE = ("true", "yes", "1")
_MODES = {"executable": "755", "+x": "755", "a+x": "755", "u+x": "755", "-x": "644"}
_DELETED = re.compile(
    r"\s*(?://|\#|/\*|<!--|--|;)?\s*[\[(<{*_`]{0,3}\s*(?:this\s+|the\s+)?(?:file\s+)?(?:is\s+|was\s+|has\s+been\s+|to\s+be\s+|should\s+be\s+)?"
    r"(?:deleted?|removed?)(?:\s+(?:this\s+)?file)?\s*[\])>}*_`]{0,3}\.?\s*(?:\*/|-->)?\s*",
    re.IGNORECASE,
)
_PART = re.compile(r"<(summary|plan|activity|course_of_action|curator_activity)>.*?</\1>", re.IGNORECASE | re.DOTALL)
_BOUNDARY = re.compile(r"\s*(?:</?[a-z]|`{3,}|~{3,}|#{1,6}\s|[-*_=]{3,}\s*$|---|\+\+\+|diff --git |@@ )", re.IGNORECASE)
"""A line that is no prose: a tag, a code fence, a heading, a rule, a diff."""
_CUT_VALUE = re.compile(r'"[^"=>]*\s[^"=<>]*"\s*(?:[\w-]+\s*=|/?>)')
_BLANK_BEFORE = re.compile(r"\n[ \t\r]*\n[ \t]*\Z")
MAX_QUOTED = 120
"""How much of a tag a note quotes."""
SELF_CLOSED_ACT = r"(?![^<>\n]*/>)"
"""Follows the tag's name in the patterns for files: a self-closing tag does not begin a file."""


class Act(NamedTuple):
    """What an answer does to `path`. "write" with a `from_path`: rename and rewrite it. `mode`: "", "755" or "644"."""

    path: str
    action: Action
    from_path: str = ""
    mode: str = ""


def act_of(values: Mapping[str, str]) -> Act:
    """The act named by attributes or by the keys of a JSON object; a plain write if they name none."""
    found = {key.lower().replace("-", "_"): value.strip() for key, value in values.items()}
    action: Action = "write"
    for key in _ACTION_KEYS:
        action = _WORDS.get(found.get(key, "").lower(), action)
    if any(found.get(key, "").lower() in _TRUE for key in ("delete", "deleted", "remove", "removed")):
        action = "delete"
    path, old, new = found.get("path", ""), _first(found, _FROM_KEYS), _first(found, _TO_KEYS)
    if action == "rename" or (action == "write" and new and (old or path)):
        action, path, old = "rename", new or path, old or path
    mode = mode_of(found.get("mode", ""))
    if found.get("executable", "").lower() in {*_TRUE, "false"}:
        mode = "644" if found["executable"].lower() == "false" else "755"
    return Act(path, action, old if action in {"rename", "write"} and old != path else "", mode)


def mode_of(text: str) -> str:
    """ "755" or "644" for a file mode as git, chmod or a person writes it; "" for none or another kind of file."""
    text = _MODES.get(text.lower(), text)
    found = re.fullmatch(r"(?:100|0o?)?([0-7]{3})", text)
    return "" if found is None else "755" if int(found[1], 8) & 0o100 else "644"


def attributes_of(tag: str) -> dict[str, str]:
    """The attributes of a tag."""
    return {found[1]: next(filter(None, found.groups()[1:]), "") for found in _ATTRIBUTE.finditer(tag)}


def with_act(block: FileBlock, act: Act, repairs: list[str]) -> FileBlock:
    """The block with the act that its tag or its text gives; guesses are appended to `repairs`."""
    path, is_blank = block.path, not block.content.strip()
    says_deleted = len(block.content) <= MAX_TAG_CHARS and _DELETED.fullmatch(block.content) is not None
    if act.action == "delete":
        status: BlockStatus = block.status
        if is_blank or says_deleted:
            status = "complete"
        else:
            repairs.append(f"{path}: It is to be deleted, yet it has a text.")
            status = "ambiguous"
        return msgspec.structs.replace(block, content="", action="delete", status=status)
    if says_deleted:
        repairs.append(f"{path}: Its text only says that it is deleted; it was taken as a deletion.")
        return msgspec.structs.replace(block, content="", action="delete", status="ambiguous")
    if act.action == "rename" and not act.from_path:
        repairs.append(f"{path}: It is to be renamed, but from what is not said.")
        return msgspec.structs.replace(block, status="ambiguous", mode=act.mode)
    if act.action == "mode" and act.mode and is_blank:
        return msgspec.structs.replace(block, content="", action="mode", mode=act.mode)
    action: Action = "rename" if act.action == "rename" and is_blank else "write"
    return msgspec.structs.replace(block, action=action, from_path=act.from_path, mode=act.mode)


def has_odd_quotes(tag: str) -> bool:
    """Whether a quote in a tag's value seems to have ended it: there is one too many, with a blank after it."""
    return tag.count('"') % 2 == 1 and _CUT_VALUE.search(tag) is not None


class Standalone(NamedTuple):
    """The acts outside all files, the text without them, and a sentence for each tag that looks like one and is not carried out."""

    acts: list[FileBlock]
    rest: str
    doubts: list[str]


def standalone(text: str, nonce: str = "") -> Standalone:
    """The acts in text outside all files, each a tag on a line of its own.

    With a `nonce`, a tag that carries a different one counts as a mention. A tag in the summary or the plan, or one in the middle
    of a sentence, may be a mention too: it is left alone and doubted, since nothing is deleted on a guess.
    """
    found = Standalone([], text, [])
    parts = [(part.start(), part.end()) for part in _PART.finditer(text)] if "<" in text else []
    starts = [start for start, _ in parts]

    def taken(match: re.Match[str]) -> str:
        values = attributes_of(match["attributes"])
        if nonce and values.get("nonce", nonce) != nonce:
            return match[0]
        tag = match["tag"].split("_")[0].split("-")[0]
        if tag != "file":
            values["action"] = tag
        elif not match["closed"]:
            return match[0]
        act = act_of(values)
        is_act = (
            act.action == "delete" or (act.action == "rename" and act.from_path) or (act.action == "mode" and act.mode)
        )
        if not act.path or not is_act or has_odd_quotes(match[0]):
            if act.path and tag != "file" and act.action != "write":
                found.doubts.append(
                    f"Not carried out, since its mode is not one that can be set, or a path is missing or has quotes in it: {match[0].strip()[:MAX_QUOTED]}"
                )
            return match[0]
        at = bisect.bisect(starts, match.start()) - 1
        if at >= 0 and match.start() < parts[at][1]:
            found.doubts.append(
                f"Not carried out, since it is inside the summary or plan: {match[0].strip()[:MAX_QUOTED]}"
            )
            return match[0]
        if _is_in_sentence(text, match.start(), match.end(), has_nonce="nonce" in values):
            found.doubts.append(f"Not carried out, since it is part of a sentence: {match[0].strip()[:MAX_QUOTED]}")
            return match[0]
        found.acts.append(
            FileBlock(path=act.path, content="", action=act.action, from_path=act.from_path, mode=act.mode)
        )
        return ""

    return found._replace(rest=_STANDALONE.sub(taken, text))


def _is_in_sentence(text: str, start: int, end: int, *, has_nonce: bool) -> bool:
    """Whether prose stands directly before or after the lines from `start` to `end` (with the nonce: on both sides).

    A line that ends with a colon may precede.
    """
    before = text[max(start - MAX_TAG_CHARS, 0) : start].rstrip("\r\n \t").rpartition("\n")[2]
    is_apart = _BLANK_BEFORE.search(text, max(start - MAX_TAG_CHARS, 0), start) is not None
    after = text[end : end + MAX_TAG_CHARS].removeprefix("\r").removeprefix("\n").partition("\n")[0]
    leads = bool(before) and not is_apart and not before.endswith((":", ":**")) and not _BOUNDARY.match(before)
    follows = bool(after.strip()) and not _BOUNDARY.match(after)
    return leads and follows if has_nonce else leads or follows


def joined(found: Sequence[FileBlock]) -> list[FileBlock]:
    """The blocks with those acts merged into the text that another block gives for the same path: a rename, a mode."""
    texts = {block.path for block in found if block.action == "write"}
    acts = [block for block in found if block.action in {"rename", "mode"} and block.path in texts]
    old = {act.path: act.from_path for act in acts if act.from_path}
    modes = {act.path: act.mode for act in acts if act.mode}
    return [
        msgspec.structs.replace(
            block, from_path=block.from_path or old.get(block.path, ""), mode=block.mode or modes.get(block.path, "")
        )
        if block.action == "write"
        else block
        for block in found
        if block not in acts
    ]


def _first(found: Mapping[str, str], keys: Sequence[str]) -> str:
    return next((found[key] for key in keys if found.get(key)), "")
