"""The original's other form: the whole answer is one JSON object with summary, course_of_action and files.

JSON is decoded once, as its standard says: a backslash in a file stays one. What models break is mended by a lenient parser (raw
newlines and bare quotes in strings, wrong escapes, missing commas, an end that never came), and said. A file whose string
never ended is truncated, one whose quotes had to be guessed is ambiguous. Keys may come in any order, and any may be missing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from dce.workspace.schema.acts import Act, act_of, with_act
from dce.workspace.schema.assembly import assemble_blocks, canonical, unwrapped
from dce.workspace.schema.lenient_json import Broken, parse_broken
from dce.workspace.schema.plain import PlainSchema
from dce.workspace.schema.prose import Prose, reasoning_end
from dce.workspace.schema.reading import BlockStatus, FileBlock, Reading, Shown, nothing_shown

MAX_STARTS = 20
"""How many opening braces are tried: an answer's object is one of the first, and prose may hold a few."""

MIN_ESCAPED_NEWLINES = 3
"""From how many `\\n` on, in text without any newline, a file counts as escaped twice: one or two are a one-line program's own."""

_START = re.compile(r"\{(?=\s*(?:\"|'|$))")
_OTHER_FORM = re.compile(r"^[ \t]*<(?:file|summary|plan|course_of_action|edit)\b", re.MULTILINE)
_MARKER = re.compile(r"(?:.*?assistantfinal|.*?<\|channel\|>final<\|message\|>)(?=\s*(?:```\w*\s*)?\{)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_PLAIN = {"n": "\n", "t": "\t", "r": "\r"}

_INSTRUCTIONS = """\
Answer with one JSON object and nothing else: no code fence, no text before or after it. Its keys, in this order:

{
  "summary": "What you did and why, in a few sentences. Name every file you wrote.",
  "course_of_action": [{"step": 1, "description": "What you did first"}],
  "curator_activity": "Only if the curator must do something by hand. Leave the key out otherwise.",
  "files": [{"path": "path/to/file.ext", "content": "the whole file"}]
}

Rules:
1. "content" is the whole new text of its file as a JSON string, escaped once: a newline is \\n, a quote \\", a backslash \\\\. It
   replaces the file as it stands: never shorten with "rest unchanged" or an ellipsis.
2. Only files that you create or change, each once. To delete one: {"path": "a.py", "action": "delete"}; to rename one:
   {"path": "new.py", "action": "rename", "from": "old.py"}, with "content" if its text changes; "mode": "755" makes it executable.
3. The path is relative to the workspace's root, with forward slashes, spelled as in M7."""


class JsonSchema(PlainSchema):
    """Schema `json`. Without a grammar: held to JSON, models write worse code; the reader mends what they break."""

    name = "json"

    def __init__(self) -> None:
        super().__init__(_INSTRUCTIONS)

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:  # noqa: ARG002
        """The answer; None if it holds no object with files, or with a summary, before any of another form's tags."""
        start = reasoning_end(text)
        marker = _MARKER.match(text, start)
        if marker is not None and not _START.search(text, start, marker.end()):
            start = marker.end()
        other = _OTHER_FORM.search(text, start)
        end = other.start() if other else len(text)
        for number, brace in enumerate(_START.finditer(text, start, end)):
            if number == MAX_STARTS:
                break
            value, broken, stop = _decoded(text, brace.start())
            if _is_answer(value):
                beside = f"{text[start : brace.start()]}\n{text[stop:]}".replace("```json", "").replace("```", "")
                return _reading(value, broken, beside.strip(), is_reasoned=start > 0)
        return None


def _decoded(text: str, start: int) -> tuple[Any, Broken | None, int]:
    try:
        value, stop = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets, which are no answer
        broken = parse_broken(text, start)
        return broken.value, broken, broken.end
    return value, None, stop


def _is_answer(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    has_files = any(_file(item) is not None for item in _list(value.get("files")))
    says = isinstance(value.get("summary"), str) and ("course_of_action" in value or "files" in value)
    return has_files or says


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _file(item: Any) -> tuple[Act, str] | None:
    """What is done to which file, and its content: there must be both (the end of a broken answer may lack the second) unless the
    item deletes, renames or sets a mode."""
    if not isinstance(item, Mapping):
        return None
    plain = {key: str(value) for key, value in item.items() if key != "content" and isinstance(value, str | bool)}
    act, content = act_of(plain), item.get("content")
    needs_text = act.action == "write" or (act.action == "rename" and not act.from_path)
    if not act.path or (needs_text and not isinstance(content, str)):
        return None
    return act, content if isinstance(content, str) else ""


def _reading(value: Mapping[str, Any], broken: Broken | None, beside: str, *, is_reasoned: bool) -> Reading:
    repairs = list(broken.repairs) if broken else []
    blocks, lost = [], []
    for item in _list(value.get("files")):
        found = _file(item)
        if found is None:
            lost.append(item)
        else:
            blocks.append(_block(*found, broken, repairs))
    if lost:
        repairs.append(f"{len(lost)} entries of files have no path or no content, and are left out.")
    remarks = ["Reasoning before the answer was left out of the view."] if is_reasoned else []
    if beside:
        remarks.append("There is text beside the JSON object: see the raw answer.")
    activity = value.get("curator_activity") or value.get("activity") or ""
    summary = value.get("summary")
    prose = Prose(
        summary=summary.strip() if isinstance(summary, str) else beside,
        plan=_steps(value.get("course_of_action", value.get("plan"))),
        activity=activity.strip() if isinstance(activity, str) else json.dumps(activity, ensure_ascii=False),
        is_tagged=True,
    )
    listed = [path for path in _list(value.get("files_updated")) if isinstance(path, str)]
    absent = [path for path in listed if canonical(path) not in {block.path for block in blocks}]
    reading = assemble_blocks(blocks, prose, repairs=repairs, remarks=remarks)
    return _with_absent(reading, absent)


def _with_absent(reading: Reading, absent: list[str]) -> Reading:
    if not absent:
        return reading
    from msgspec.structs import replace  # noqa: PLC0415

    flags = reading.flags if "missing_files" in reading.flags else (*reading.flags, "missing_files")
    return replace(reading, flags=flags, notes=(*reading.notes, f"Listed as updated, but absent: {', '.join(absent)}."))


def _block(act: Act, content: str, broken: Broken | None, repairs: list[str]) -> FileBlock:
    path = canonical(act.path)
    status: BlockStatus = "complete"
    if broken is not None and broken.is_cut(content):
        status = "truncated"
        repairs.append(f"{path}: The text ends before the file does.")
    elif broken is not None and broken.is_guessed(content):
        status = "ambiguous"
        repairs.append(f"{path}: It holds quotes that are not escaped; its end had to be guessed.")
    mended = _unescaped_again(content)
    if mended is not None:
        repairs.append(f"{path}: It was escaped twice: without a newline of its own, its \\n were taken for newlines.")
        content, status = mended, "repaired" if status == "complete" else status
    bare = unwrapped(content, path)
    if bare is not None:
        repairs.append(f"{path}: The code fence around the file was taken off.")
        content, status = bare, "repaired" if status == "complete" else status
    return with_act(FileBlock(path=path, content=content, status=status), act, repairs)


def _unescaped_again(content: str) -> str | None:
    """The text of a file that was escaped twice; None if there is no strong sign of that."""
    if "\n" in content or content.count("\\n") < MIN_ESCAPED_NEWLINES:
        return None
    return _ESCAPE.sub(lambda found: _PLAIN.get(found[1], found[1] if found[1] in '"\\/' else found[0]), content)


def _steps(value: Any) -> str:
    """The plan as numbered lines, from a text, a list of texts or of {step, description}."""
    if isinstance(value, str):
        return value.strip()
    lines = []
    for number, item in enumerate(_list(value), start=1):
        if isinstance(item, Mapping):
            text = item.get("description") or item.get("text") or item.get("action")
            text = text if isinstance(text, str) else json.dumps(item, ensure_ascii=False)
            lines.append(f"{item.get('step', number)}. {text}")
        else:
            lines.append(f"{number}. {item}")
    return "\n".join(lines)
