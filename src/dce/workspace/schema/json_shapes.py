"""The shapes in which models put files into JSON: a list, a map from path to text, one object for a file, or a tool's call.

Each row is a function from a decoded value to its files; the first that finds one is taken.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from dce.workspace.schema.acts import act_of
from dce.workspace.schema.found import is_path

_PATH_KEYS = ("path", "file_path", "filePath", "filepath", "filename", "file_name", "file", "name", "target_file")
_TEXT_KEYS = ("content", "contents", "code", "text", "file_text", "source", "body", "new_content")
_LIST_KEYS = ("files", "changes", "edits", "artifacts", "outputs", "file_changes", "modified_files", "tool_calls")
_CALL_KEYS = ("arguments", "args", "input", "parameters", "function")

Item = tuple[str, str, Mapping[str, str]]
"""Path, text, and the other keys with text values: an entry may say that the file is deleted, renamed or executable."""


def files_in(value: Any) -> tuple[list[Item], list[Any]]:
    """The files in a decoded value, and the list entries that are not files (the last one of a broken answer may lack its text)."""
    for shape in _SHAPES:
        items, lost = shape(value)
        if items:
            return items, lost
    return [], _listed(value)


def file_item(item: Any) -> Item | None:
    """Path and text of an object that has both, or of a call whose arguments do."""
    if not isinstance(item, Mapping):
        return None
    for key in _CALL_KEYS:
        inner = file_item(item.get(key)) if isinstance(item.get(key), Mapping) else None
        if inner is not None:
            return inner
    path = next((item[key] for key in _PATH_KEYS if isinstance(item.get(key), str) and item[key].strip()), None)
    text = next((_text(item[key]) for key in _TEXT_KEYS if _text(item.get(key)) is not None), None)
    skipped = {*_PATH_KEYS, *_TEXT_KEYS}
    said = {key: str(value) for key, value in item.items() if key not in skipped and isinstance(value, str | bool)}
    act = act_of({**said, "path": path or ""})
    if act.path and (act.action in {"delete", "mode"} or act.from_path):
        path, text = act.path, text or ""
        said |= {"from": act.from_path, "to": ""} if act.from_path else {}
    if path is None or text is None:
        return None
    return (path, text, said) if "path" in item or act.action != "write" or is_path(path.strip()) else None


def _text(value: Any) -> str | None:
    """A text, or a list of its lines joined."""
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(isinstance(line, str) for line in value):
        return "".join(line.removesuffix("\n") + "\n" for line in value)
    return None


def _listed(value: Any) -> list[Any]:
    if isinstance(value, Mapping):
        for key in _LIST_KEYS:
            if isinstance(value.get(key), list):
                return list(value[key])
    return list(value) if isinstance(value, list) else []


def _list(value: Any) -> tuple[list[Item], list[Any]]:
    """`{"files": [{"path", "content"}]}`, and a bare list of such objects."""
    entries = _listed(value)
    items = [(entry, file_item(entry)) for entry in entries]
    return [item for _, item in items if item is not None], [entry for entry, item in items if item is None]


def _single(value: Any) -> tuple[list[Item], list[Any]]:
    """`{"path", "content"}` for one file."""
    item = file_item(value)
    return ([item] if item is not None else []), []


def _map(value: Any) -> tuple[list[Item], list[Any]]:
    """`{"src/a.py": "text"}`, bare or under `files`; the text may be an object with `content`."""
    maps: Sequence[Any] = [value.get(key) for key in _LIST_KEYS] + [value] if isinstance(value, Mapping) else []
    for entries in maps:
        if isinstance(entries, Mapping):
            items = list(_pairs(entries))
            if items:
                lost = [key for key in entries if is_path(str(key)) and key not in {item[0] for item in items}]
                return items, lost
    return [], []


def _pairs(entries: Mapping[str, Any]) -> Iterator[Item]:
    for path, inner in entries.items():
        text = _text(inner)
        if text is None and isinstance(inner, Mapping):
            text = next((found for key in _TEXT_KEYS if (found := _text(inner.get(key))) is not None), None)
        if is_path(path.strip()) and text is not None:
            yield path, text, {}


_SHAPES: tuple[Callable[[Any], tuple[list[Item], list[Any]]], ...] = (_list, _single, _map)
