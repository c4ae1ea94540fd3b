"""prompt.md: the exact bytes that are written, sent and stored.

A pure function: the same inputs give the same bytes on every machine, without clock, disk or network. The seven sections and their
tags are the ones that users (and older prompts) already know: tags with spaces and dots, a text convention rather than XML. The
sections tile the text: each begins where the one before it ends. The numbered order is the familiar one; the `stable` order puts
unchanging sections first, so that a server's prefix cache still covers most of the prompt in the next cycle.

File text may contain any tag, including this module's own. So file blocks carry a *nonce*, a short word that occurs nowhere in the
inputs, and neither the model nor a reader can mistake a line of a file for a delimiter.
"""

import fnmatch
import hashlib
from collections.abc import Sequence
from typing import Literal

import msgspec

from dce.wire.errors import DceError
from dce.workspace.record.prompts import ManifestEntry, Prompt, Section
from dce.workspace.schema import find_schema
from dce.workspace.schema.reading import PromptFile, excerpt_block, file_block

__all__ = ("PromptCycle", "PromptFile", "PromptInput", "build", "whole_files")

HISTORY_FULL_CYCLES = 5
"""How many cycles before the current one are included in full, unless the settings say otherwise. Older ones become one line each:
an ever-growing history would crowd out the code."""

HISTORY_LINES = 40
"""How many older cycles get that line, the start of each summary: about 2,000 tokens in all. Of still older cycles, only the titles in
M2 remain."""

MAX_LINE_CHARS = 200
"""Longest line of an older cycle's summary: a sentence or two."""

NONCE_CHARS = 6
"""Length of the nonce: with 24 bits, no file contains it by accident, and a model copies six characters reliably."""

SECTIONS = (
    "M1. artifact schema",
    "M2. cycle overview",
    "M3. interaction schema",
    "M4. current project scope",
    "M5. organized artifacts list",
    "M6. cycles",
    "M7. Flattened Repo",
)
"""The section names in the order of their numbers, as M1 lists them."""

SECTION_TITLES = {name: title.lower() for name, _, title in (section.partition(". ") for section in SECTIONS)}
"""Section → its displayed title."""

_OTHER_TAGS = {3: "M3. Interaction Schema", 6: "M6. Cycles"}
"""The tags whose spelling in older prompts differs from M1."""

ORDERS = {"numbered": (1, 2, 3, 4, 5, 6, 7), "stable": (1, 3, 4, 5, 7, 2, 6)}
"""The order of the sections. `stable`: the sections that change with every cycle (M2, M6) come after those that do not."""

_ARTIFACT_LIST = "*a0*master*artifact*list.md"

_ARCHITECT = """\
You are the architect of this project, and it is at its very beginning. What is wanted now is a plan on paper that the curator
and you will build from, cycle by cycle.

1. Read the project scope in M4 and whatever files M7 holds, and work out what is to be built, for whom, and what it depends on.
2. Write the planning documents as files: a vision with goals and non-goals, the architecture (parts, data, technologies and why),
   a list of phases whose first one is small and runs, and a master artifact list that names every document with a line about it.
3. No code yet. Not even examples or scaffolding: source files come from the next cycle on, when the plan has been read.
4. Say which decisions you made where the scope left them open, and which questions the curator should answer.
5. Answer in the form that M3 describes, each document as a whole file."""


class PromptCycle(msgspec.Struct, frozen=True, kw_only=True):
    """A cycle as the prompt shows it. `summary` holds the summary and plan of the chosen response, "" if none was chosen."""

    id: int
    title: str
    context: str
    ephemeral: str = ""
    summary: str = ""


class PromptInput(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Everything a prompt depends on. `history` holds the cycles before `cycle`, oldest first, without cycle 0.

    The newest `full_cycles` of them are shown in full. `order` is one of `ORDERS`.
    """

    cycle: PromptCycle
    history: tuple[PromptCycle, ...]
    scope: str
    files: tuple[PromptFile, ...]
    schema: str
    full_cycles: int = HISTORY_FULL_CYCLES
    order: Literal["numbered", "stable"] = "numbered"

    def __repr__(self) -> str:
        return f"PromptInput(cycle {self.cycle.id}, {len(self.files)} files)"


def build(inputs: PromptInput) -> Prompt:
    """The prompt of one cycle. Files are sorted by path, whatever their order in the input.

    Raises invalid_input for an unknown schema and for text that cannot be encoded as UTF-8.
    """
    schema = find_schema(inputs.schema)
    inputs = msgspec.structs.replace(inputs, files=tuple(sorted(inputs.files, key=lambda file: file.path)))
    nonce = _nonce(inputs)
    whole = whole_files(inputs.files)
    order = ORDERS[inputs.order]
    bodies = (
        ["\n".join(SECTIONS[number - 1] for number in order)],
        [_overview(inputs)],
        [schema.instructions(nonce, whole).strip("\n")],
        [inputs.scope.strip() or "No project scope defined."],
        [_artifact_list(inputs.files)],
        [_cycles(inputs)],
        _files(inputs.files, nonce),
    )
    text, sections = _tile([(_OTHER_TAGS.get(number, SECTIONS[number - 1]), bodies[number - 1]) for number in order])
    try:
        sha256 = hashlib.sha256(text.encode()).hexdigest()
    except UnicodeEncodeError as error:
        wrong = text[error.start : error.end]
        raise DceError(
            "invalid_input", f"The cycle's text contains a character that cannot be encoded as UTF-8: {wrong!r}."
        ) from error
    return Prompt(
        text=text,
        sha256=sha256,
        nonce=nonce,
        schema=inputs.schema,
        sections=sections,
        manifest=tuple(ManifestEntry(path=f.path, sha256=f.sha256, size=_utf8_size(f.text)) for f in whole),
    )


def whole_files(files: tuple[PromptFile, ...]) -> tuple[PromptFile, ...]:
    """The files shown whole: the only ones an answer may rewrite, and the only ones in the manifest."""
    return tuple(file for file in files if file.detail == "full")


def _nonce(inputs: PromptInput) -> str:
    """A word that occurs in none of the inputs. It is the same for nearly all prompts, so that the parts that cycles share stay equal.

    Only if an input contains that word are others tried. They are derived from the hash of the inputs, which no file can predict.
    """
    cycles = (*inputs.history, inputs.cycle)
    texts = [inputs.scope, *(text for cycle in cycles for text in (cycle.title, cycle.context, cycle.ephemeral))]
    texts += [cycle.summary for cycle in cycles]
    texts += [text for file in inputs.files for text in (file.path, file.text)]
    seed, attempt = b"", 0
    while True:
        nonce = hashlib.sha256(b"%d:" % attempt + seed).hexdigest()[:NONCE_CHARS]
        if not any(nonce in text for text in texts):
            return nonce
        seed = seed or hashlib.sha256("\0".join(texts).encode("utf-8", "surrogatepass")).digest()
        attempt += 1


def _tile(bodies: Sequence[tuple[str, Sequence[str]]]) -> tuple[str, tuple[Section, ...]]:
    """The whole text and the position of each section (tag, pieces) in it; the outer tags belong to the first and the last section.

    The pieces are joined once: files add up to megabytes, and each copy takes as long as reading them.
    """
    pieces, at = ["<prompt.md>\n\n"], 0
    sections: list[Section] = []
    new = 0
    for tag, body in bodies:
        pieces += (f"<{tag}>\n", *body, f"\n</{tag}>\n\n")
        if len(sections) == len(bodies) - 1:
            pieces.append("</prompt.md>\n")
        end = at + sum(map(len, pieces[new:]))
        sections.append(Section(name=tag.partition(".")[0], start=at, end=end))
        at, new = end, len(pieces)
    return "".join(pieces), tuple(sections)


def _utf8_size(text: str) -> int:
    return len(text) if text.isascii() else len(text.encode())


def _wrap(tag: str, body: str) -> str:
    return f"<{tag}>\n{body}\n</{tag}>"


def _name(cycle: PromptCycle) -> str:
    title = " ".join(cycle.title.split())
    return f"Cycle {cycle.id} - {title}" if title else f"Cycle {cycle.id}"


def _newest_first(inputs: PromptInput) -> list[PromptCycle]:
    """The current cycle and those before it, without cycle 0."""
    earlier = {cycle.id: cycle for cycle in inputs.history if 0 < cycle.id < inputs.cycle.id}
    shown = [earlier[number] for number in sorted(earlier, reverse=True)]
    return [inputs.cycle, *shown] if inputs.cycle.id > 0 else shown


def _overview(inputs: PromptInput) -> str:
    names = [_name(cycle) for cycle in _newest_first(inputs)]
    return "\n".join([*names, "Cycle 0 - Project Initialization/Template Archive"])


def _artifact_list(files: tuple[PromptFile, ...]) -> str:
    for file in files:
        if fnmatch.fnmatchcase(file.path.rsplit("/", 1)[-1].lower(), _ARTIFACT_LIST):
            return file.text.removesuffix("\n")
    return "<!-- Master Artifact List (A0) not found in workspace -->"


def _cycles(inputs: PromptInput) -> str:
    """M6: newest cycle first; older cycles are shortened to the history budget; cycle 0 appears only in its own prompt."""
    if inputs.cycle.id == 0:
        return "\n" + _first_cycle(inputs.cycle) + "\n"
    cycles = _newest_first(inputs)
    whole, older = cycles[: inputs.full_cycles + 1], cycles[inputs.full_cycles + 1 :]
    parts = [_cycle(cycle, before, is_current=cycle is inputs.cycle) for cycle, before in _with_previous(whole, cycles)]
    if older:
        parts.append(_wrap("Earlier Cycles", "\n".join(_line(cycle) for cycle in older[:HISTORY_LINES])))
    return "\n" + "\n\n".join(parts) + "\n"


def _with_previous(
    cycles: list[PromptCycle], newest_first: list[PromptCycle]
) -> list[tuple[PromptCycle, PromptCycle | None]]:
    previous = [*newest_first[1:], None]
    return list(zip(cycles, previous, strict=False))


def _cycle(cycle: PromptCycle, previous: PromptCycle | None, *, is_current: bool) -> str:
    lines = []
    if cycle.context.strip():
        lines.append(_wrap("Cycle Context", cycle.context.strip("\n")))
    if is_current and cycle.ephemeral.strip():
        lines.append(_wrap("Ephemeral Context", cycle.ephemeral.strip("\n")))
    if previous is not None:
        summary = previous.summary.strip() or f"<!-- No response was selected for cycle {previous.id} -->"
        lines.append(_wrap(f"Previous Cycle {previous.id} Summary of Actions", summary))
    return _wrap(f"Cycle {cycle.id}", "\n".join(lines))


def cycle_asked(prompt: Prompt, cycle: int) -> str:
    """What a prompt says that a cycle asks for, without what an earlier one did; "" if it does not have that cycle in it."""
    start = prompt.start_of("M6")
    tag = f"Cycle {cycle}"
    if start is None or (begins := prompt.text.find(f"<{tag}>\n", start)) < 0:
        return ""
    begins += len(tag) + 3
    ends = [at for end in (f"\n</{tag}>", "\n<Previous Cycle ") if (at := prompt.text.find(end, begins)) >= 0]
    return prompt.text[begins : min(ends)] if ends else ""


def _line(cycle: PromptCycle) -> str:
    """An older cycle as one line: the start of its summary."""
    words = " ".join(cycle.summary.split())
    if len(words) > MAX_LINE_CHARS:
        words = words[:MAX_LINE_CHARS].rpartition(" ")[0] + " …"
    return f"{_name(cycle)}: {words or '(no response was selected)'}"


def _first_cycle(cycle: PromptCycle) -> str:
    context = f"{_ARCHITECT}\n\n{cycle.context.strip()}" if cycle.context.strip() else _ARCHITECT
    return _cycle(msgspec.structs.replace(cycle, context=context), None, is_current=True)


def _files(files: tuple[PromptFile, ...], nonce: str) -> list[str]:
    """The pieces of M7."""
    if not files:
        return ["<!-- No files selected for flattening -->"]
    pieces = []
    for file in files:
        block = file_block(file.path, file.text, nonce) if file.detail == "full" else excerpt_block(file, nonce)
        pieces += [block, "\n\n"]
    return pieces[:-1]
