"""The files that an answer says it wrote, to compare with those that it contains.

Summaries name many other files too: files that the program reads, that a script generates, or that are to be written next. A path
counts only if it is the object of a verb of writing, if its own line or heading is about changing it, or if it is in a list of
written files.
"""

import re
from collections.abc import Iterable, Sequence

from dce.workspace.schema.found import name_in_line

MAX_SAID_CHARS = 2_000
"""Longest line of a summary that is searched for paths: longer lines are not lists of files, and matching must stay linear."""

_PATH = re.compile(
    r"`(?P<quoted>[^`\n]{0,200}?\.[A-Za-z][A-Za-z0-9]{0,5})`"
    r"|(?<![\w/.@:`*-])(?P<bare>(?:[\w@.-]+/)*[\w@-][\w@.-]*\.[A-Za-z][A-Za-z0-9]{0,5})(?![\w/(`*])"
    r"|\*\*(?P<bold>[^*`\n]{1,200}?\.[A-Za-z][A-Za-z0-9]{0,5})\*\*"
)
_NAMES = (
    "astro bash bat c cc cfg cjs conf cpp cs css csv cts cxx dart env ex exs go gradle graphql h hpp hs htm html ini ipynb java jl js json "
    "jsx kt less lock lua m md mdx mjs mk ml mts php pl plist po proto ps1 py pyi pyx r rb rs rst sass scala scss sh sql svelte svg swift "
    "tex tf tfvars toml ts tsx txt vue xml yaml yml zig"
)
_SUFFIXES = frozenset(_NAMES.split())
"""Suffixes that make a name without a slash a file, unlike `Stack.pop` or `os.path`."""

_VERB = (
    r"(?:(?:re)?creat(?:e|ed|es|ing)|add(?:ed|s|ing)?|introduc(?:e|ed|es|ing)|updat(?:e|ed|es|ing)|modif(?:y|ied|ies|ying)|"
    r"(?:re)?writ(?:e|es|ing|ten)|(?:re)?wrote|implement(?:ed|s|ing)?|edit(?:ed|s|ing)?|chang(?:e|ed|es|ing)|fix(?:ed|es|ing)?|"
    r"extend(?:ed|s|ing)?|extract(?:ed|s|ing)?|refactor(?:ed|s|ing)?|replac(?:e|ed|es|ing)|rework(?:ed|s|ing)?|adjust(?:ed|s|ing)?|"
    r"improv(?:e|ed|es|ing)|enhanc(?:e|ed|es|ing)|mov(?:e|ed|es|ing)|migrat(?:e|ed|es|ing)|convert(?:ed|s|ing)?|simplif(?:y|ied|ies|ying)|"
    r"correct(?:ed|s|ing)?|patch(?:ed|es|ing)?|touch(?:ed|es|ing)?|revis(?:e|ed|es|ing)|expand(?:ed|s|ing)?|split|harden(?:ed|s|ing)?|"
    r"remov(?:e|ed|es|ing))"
)
_WRITES = re.compile(rf"\b{_VERB}\b", re.IGNORECASE)
_CLAUSE = re.compile(r"[.;:](?=[\s*])|\bbut\b|\bhowever\b|\s[-–—]\s", re.IGNORECASE)
_NOT = re.compile(
    r"\b(?:no|not|\w+n't|unchanged|without|never|delet\w*|renam\w*|leave|left|need\w*|next|later|should|could|would|may|might|can|consider|"
    r"optionally|you|please|see|based on)\b",
    re.IGNORECASE,
)
_SUBORDINATE = re.compile(
    r"\b(?:after|before|when|whenever|while|once|if|unless|until|where|which|that|because|so|since|whose|instead of)\b",
    re.IGNORECASE,
)
_PREPOSITION = re.compile(
    r"\b(?:in|to|into|inside|for|from|with|using|via|by|of|than|like|as|against|on|at|through|per)\b", re.IGNORECASE
)
_REACHING = frozenset({"in", "to", "into", "inside"})
_PURPOSE = re.compile(
    r"(?<!going )(?<!plan )(?<!intend )(?<!decided )(?<!had )\bto\s*$|\b(?:how|when|by|for|of|on|from|without)\s*$",
    re.IGNORECASE,
)
_TO_VERB = re.compile(rf"\bto\s+(?:\w+ly\s+)?{_VERB}\b", re.IGNORECASE)
_SUBJECT = re.compile(
    r"[\W\d_]*(?:(?:this|the)(?: (?:change|patch|answer|response|commit|update|cycle))|this|also|and|now|then)?\s*",
    re.IGNORECASE,
)  # of `updates x.py`, when the answer itself does it
_LABEL = re.compile(
    r"[`*)\]]*\s*(?::|—|–|-(?=\s))[`*)\]]*\s+(?:I\s+|we\s+)?(?:will\s+|have\s+|has\s+been\s+|'ve\s+)?(\w+)(?!\s+(?:by|at|when))",
    re.IGNORECASE,
)  # `view.tsx`: I will refactor …
_PASSIVE = re.compile(
    rf"[`*)\]]*\s+(?:(?:will be|was|were|has been|have been|is|are)\s+(?:\w+ly\s+|now\s+)?{_VERB}\b"
    r"(?!\s+(?:by|at|when|whenever|on|every|after|if|once|each|from|as)\b)|now\s+\w+s\b)",
    re.IGNORECASE,
)
_MARKED = re.compile(
    r"[`*)\]]*\s*[\[(](?:new|modified|updated|created|added|changed|rewritten|refactored)\b", re.IGNORECASE
)
_LIST_HEAD = re.compile(
    r"\b(?:new|modified|changed|updated|created|added|written|edited)\s+(?:and\s+\w+\s+)?(?:files?|documents?|artifacts?)\b"
    r"|\b(?:created|added|wrote|written|updated|modified|changed|edited)\s+(?:the|these)\s+(?:following\s+)?(?:\w+\s+)?(?:files|documents|artifacts)\b"
    r"|\b(?:files?|documents?|artifacts?)\s+(?:(?:i|we)\s+)?(?:have\s+|has\s+been\s+|were\s+|are\s+)?(?:written|wrote|modified|changed|updated|created|added|edited)\b",
    re.IGNORECASE,
)
_QUOTED = re.compile(r"`[^`\n]*`|\*\*[^*`\n]*\*\*")
_ITEM = re.compile(r"\s*(?:[-*+•]|\d{1,3}[.)])\s+")


def missing_files(said: str, written: Iterable[str]) -> tuple[str, ...]:
    """The paths that the summary and plan call written but that have no block. A bare name also matches a path that ends in it."""
    known = [path.lower() for path in written]
    missing: dict[str, None] = {}
    for path in _announced([line[:MAX_SAID_CHARS] for line in said.split("\n")]):
        if not any(_same(path.lower(), other) for other in known):
            missing.setdefault(path)
    return tuple(missing)


def _announced(lines: Sequence[str]) -> Iterable[str]:
    """Every path that the lines say is written."""
    is_list = False
    for number, line in enumerate(lines):
        is_item = _ITEM.match(line) is not None
        if line.strip() and not is_item:
            is_list = _LIST_HEAD.search(line) is not None and not _NOT.search(line)
        for found in _PATH.finditer(line):
            path = (found["quoted"] or found["bare"] or found["bold"]).strip()
            if not _is_file(path):
                continue
            is_first = is_item and not re.sub(r"[\W_]+", "", line[_end_of_item(line) : found.start()])
            if (
                (is_list and is_first and not _NOT.search(line))
                or _is_said(line, found)
                or _is_heading(lines, number, path)
            ):
                yield path


def _end_of_item(line: str) -> int:
    item = _ITEM.match(line)
    return item.end() if item is not None else 0


def _is_file(path: str) -> bool:
    if any(char in path for char in "*<>{}$|:") or path.startswith(("http", "www.")):
        return False
    return "/" in path or path.rsplit(".", 1)[-1].lower() in _SUFFIXES


def _is_said(line: str, path: re.Match[str]) -> bool:
    """Whether the line says that this path is written."""
    clause = _CLAUSE.split(_QUOTED.sub("`x`", line[: path.start()]))[-1]
    if _NOT.search(clause):
        return False
    label = _LABEL.match(line, path.end())
    if label is not None and _WRITES.fullmatch(label[1]) and not _SUBORDINATE.search(clause):
        return True
    if _PASSIVE.match(line, path.end()) or _MARKED.match(line, path.end()):
        return not _SUBORDINATE.search(clause)
    return any(_acts_on(clause, verb) for verb in _WRITES.finditer(clause))


def _acts_on(clause: str, verb: re.Match[str]) -> bool:
    """Whether a verb of writing in a clause acts on the path that follows the clause."""
    before, between = clause[: verb.start()], clause[verb.end() :]
    if (
        _SUBORDINATE.search(before)
        or _SUBORDINATE.search(between)
        or _PURPOSE.search(before)
        or _TO_VERB.search(between)
    ):
        return False
    if verb[0].lower().endswith("s") and not _SUBJECT.fullmatch(before):
        return False  # `the service updates state.json`: what the program does
    prepositions = [found[0].lower() for found in _PREPOSITION.finditer(between)]
    is_removal = verb[0].lower().startswith("remov")
    if not prepositions:
        return not is_removal
    return prepositions[-1] in _REACHING or (is_removal and prepositions[-1] == "from")


def _is_heading(lines: Sequence[str], number: int, path: str) -> bool:
    """Whether the path is a heading of its own, with a list below that says what was done to it."""
    name, is_only = name_in_line(lines[number])
    if name != path or not is_only:
        return False
    for line in lines[number + 1 :][:3]:
        if not line.strip():
            continue
        item = _ITEM.match(line)
        rest = line[item.end() :] if item is not None else ""
        return bool(rest) and _WRITES.search(rest[:60]) is not None and not _NOT.search(rest[:60])
    return False


def _same(said: str, written: str) -> bool:
    said = said.removeprefix("./")
    return written == said or written.endswith((f"/{said}", f" {said}")) or said.endswith(f"/{written}")
