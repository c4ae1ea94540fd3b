"""The original's other format: the whole answer is one JSON object with summary, course_of_action and files.

JSON is decoded once, by its standard. A lenient parser repairs what models break (raw newlines and bare quotes in strings, wrong
escapes, missing commas, a missing end), and notes say so. A file whose string has no end is truncated, one with unescaped
quotes is ambiguous. Keys may come in any order, and any may be missing.
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from dce.workspace.schema.acts import Act, act_of, with_act
from dce.workspace.schema.assembly import assemble_blocks, canonical, without_fence
from dce.workspace.schema.forms import find_files
from dce.workspace.schema.json_shapes import files_in
from dce.workspace.schema.lenient_json import Broken, parse_broken, whole_characters
from dce.workspace.schema.plain import PlainSchema
from dce.workspace.schema.prose import Prose
from dce.workspace.schema.reading import BlockStatus, FileBlock, Reading, Shown, nothing_shown
from dce.workspace.schema.reasoning import thoughts

MAX_STARTS = 20
"""How many opening braces are tried: the answer's object is one of the first, but prose may contain a few."""

MIN_ESCAPED_NEWLINES = 3
"""A file without newlines counts as escaped twice if it has at least this many `\\n`; a one-line program may have one or two."""

_START = re.compile(r"\{(?=\s*(?:\"|'|$))|\[(?=\s*\{\s*\")")
_OTHER_FORM = re.compile(r"^[ \t]*<(?:file|summary|plan|course_of_action|edit)\b", re.MULTILINE)
_MARKER = re.compile(r"(?:.*?assistantfinal|.*?<\|channel\|>final<\|message\|>)(?=\s*(?:```\w*\s*)?\{)", re.DOTALL)
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_SAID = ("course_of_action", "plan", "curator_activity", "activity", "files_updated")
"""Keys of an answer's other texts, besides its summary and files."""
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
    """Schema `json`. It has no grammar: models forced into JSON write worse code, and the reader repairs what they break."""

    name = "json"

    def __init__(self) -> None:
        super().__init__(_INSTRUCTIONS)

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:  # noqa: ARG002
        """The reading; None if no object with files or a summary comes before the tags of another format."""
        start = thoughts(text, is_strict=True).end
        marker = _MARKER.match(text, start)
        if marker is not None and not _START.search(text, start, marker.end()):
            start = marker.end()
        other = _OTHER_FORM.search(text, start)
        end = other.start() if other else len(text)
        for number, brace in enumerate(_START.finditer(text, start, end)):
            if number == MAX_STARTS:
                break
            value, broken, stop = _decoded(text, brace.start())
            if _is_answer(value) and not _is_in_file(text, brace.start(), value):
                value, broken, behind = _with_further(text, value, broken, stop)
                beside = f"{text[start : brace.start()]}\n{behind}".replace("```json", "").replace("```", "")
                return _reading(value, broken, beside.strip(), is_reasoned=start > 0)
        return None


def _is_in_file(text: str, at: int, value: Any) -> bool:
    """Whether a value in another shape than the schema's is inside a file of another form, and so is that file's text."""
    if isinstance(value, dict) and (isinstance(value.get("files"), list) or "course_of_action" in value):
        return False
    return any(file.start <= at < file.end for _, file in find_files(text))


def _decoded(text: str, start: int) -> tuple[Any, Broken | None, int]:
    try:
        value, stop = json.JSONDecoder().raw_decode(text, start)
    except (ValueError, RecursionError):  # RecursionError: thousands of brackets, which are no answer
        broken = parse_broken(text, start)
        return broken.value, broken, broken.end
    return _whole(value) if "\\ud" in text.lower() else value, None, stop


def _whole(value: Any) -> Any:
    """The value with half surrogate pairs replaced in every string."""
    if isinstance(value, str):
        return whole_characters(value)
    if isinstance(value, list):
        return [_whole(item) for item in value]
    return {_whole(key): _whole(item) for key, item in value.items()} if isinstance(value, dict) else value


def _with_further(text: str, value: Any, broken: Broken | None, stop: int) -> tuple[Any, Broken | None, str]:
    """The answer's object with the files of later ones (one object per file, or a draft before the answer), and the text between."""
    values, outside, tried = [value], [], 0
    for brace in _START.finditer(text, stop):
        if brace.start() < stop:
            continue
        tried += 1
        if tried > MAX_STARTS:
            break
        following, mended, end = _decoded(text, brace.start())
        if not _is_answer(following):
            continue
        values.append(following)
        outside.append(text[stop : brace.start()])
        broken, stop = mended or broken, end
    if len(values) == 1:
        return value, broken, text[stop:]
    joined: dict[str, Any] = {}
    files: list[Any] = []
    for each in values:
        found, lost = files_in(each)
        files += [*({**said, "path": path, "content": content} for path, content, said in found), *lost]
        joined |= {key: each[key] for key in _SAID if isinstance(each, dict) and key in each}
    said = dict.fromkeys(
        each["summary"] for each in values if isinstance(each, dict) and isinstance(each.get("summary"), str)
    )
    joined |= {"files": files, "summary": "\n".join(said)}
    note = f"The answer holds {len(values)} JSON objects: their files were read together."
    broken = Broken(value=joined, end=stop, repairs=[*(broken.repairs if broken else []), note])
    return joined, broken, "\n".join([*outside, text[stop:]])


def _is_answer(value: Any) -> bool:
    if files_in(value)[0]:
        return True
    return (
        isinstance(value, dict)
        and isinstance(value.get("summary"), str)
        and bool({"course_of_action", "files"} & set(value))
    )


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _reading(value: Any, broken: Broken | None, beside: str, *, is_reasoned: bool) -> Reading:
    repairs = list(broken.repairs) if broken else []
    items, lost = files_in(value)
    blocks = [_block(path, content, broken, repairs, act_of({**said, "path": path})) for path, content, said in items]
    if lost:
        repairs.append(f"{len(lost)} entries of `files` have no path or no content and are left out.")
    value = value if isinstance(value, Mapping) else {}
    remarks = ["Reasoning before the answer is not shown."] if is_reasoned else []
    if beside:
        remarks.append("There is text outside the JSON object: see the raw answer.")
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


def _block(path: str, content: str, broken: Broken | None, repairs: list[str], act: Act) -> FileBlock:
    path = canonical(path)
    status: BlockStatus = "complete"
    if broken is not None and broken.is_cut(content):
        status = "truncated"
        repairs.append(f"{path}: The text ends before the file does.")
    elif broken is not None and broken.is_guessed(content):
        status = "ambiguous"
        repairs.append(f"{path}: It has unescaped quotes; its end was guessed.")
    mended = _unescaped_again(content)
    if mended is not None:
        repairs.append(f"{path}: It was escaped twice: it has no newlines, so each \\n became one.")
        content, status = mended, "repaired" if status == "complete" else status
    content, status = without_fence(content, path, status, repairs)
    return with_act(FileBlock(path=path, content=content, status=status), act, repairs)


def _unescaped_again(content: str) -> str | None:
    """The unescaped text of a file that was escaped twice; None if there is no strong sign of that."""
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
