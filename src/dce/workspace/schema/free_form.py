"""The reader for the free forms: what their finders found becomes a reading."""

from collections.abc import Sequence

import msgspec

from dce.workspace.schema.assembly import assemble_blocks, canonical, without_fence
from dce.workspace.schema.edit_blocks import edited_file
from dce.workspace.schema.edits import Edit
from dce.workspace.schema.forms import find_files
from dce.workspace.schema.found import Found
from dce.workspace.schema.prose import read_prose
from dce.workspace.schema.reading import FileBlock, Reading, Shown, Unapplied, nothing_shown
from dce.workspace.schema.reasoning import thoughts
from dce.workspace.schema.spans import Span


class FreeReader:
    """Reads answers in any of the free forms, also mixed."""

    name = "free"

    def read(self, text: str, nonce: str, shown: Shown = nothing_shown) -> Reading | None:  # noqa: ARG002
        """The reading; None if no form finds a file. The notes name the forms."""
        found = find_files(text, shown)
        if not found:
            return None
        thought = thoughts(text, [Span(file.path, file.start, file.start, file.end - 1, file.end) for _, file in found])
        if thought.end:
            cut = text[thought.end :]
            found = [(name, _moved(file, thought.end)) for name, file in find_files(cut, shown)]
        drafts = [range(start, end) for start, end in thought.regions]
        found = [pair for pair in found if not any(pair[1].start in draft for draft in drafts)]
        if not found:
            return None
        files, unapplied, repairs = _made([file for _, file in found], shown)
        names = ", ".join(dict.fromkeys(name for name, _ in found))
        repairs.insert(0, f"Form: {names}.")
        prose = read_prose(_outside(text, thought.end, [file for _, file in found]))
        remarks = ["Reasoning before the answer is not shown."] if thought.end else []
        if thought.is_open:
            repairs.append("The answer begins with a reasoning tag that is never closed: its files may be drafts.")
            files = [msgspec.structs.replace(file, status="ambiguous") for file in files]
        return assemble_blocks(files, prose, repairs=repairs, remarks=remarks, unapplied=unapplied)


def _moved(file: Found, by: int) -> Found:
    return file._replace(start=file.start + by, end=file.end + by)


def _outside(text: str, start: int, found: Sequence[Found]) -> str:
    parts, at = [], start
    for file in found:
        parts.append(text[at : file.start])
        at = file.end
    return "\n".join([*parts, text[at:]])


def _made(found: Sequence[Found], shown: Shown) -> tuple[list[FileBlock], list[Unapplied], list[str]]:
    """The files, those that could not be made, and the repairs."""
    files: list[FileBlock] = []
    repairs: list[str] = []
    edits: dict[str, list[Edit]] = {}
    failed: dict[str, Unapplied] = {}
    for file in found:
        path = canonical(file.path)
        if file.error:
            failed.setdefault(path, Unapplied(path=path, reason=file.error))
        elif file.action != "write":
            files.append(FileBlock(path=path, content="", action=file.action, from_path=canonical(file.from_path)))
        elif file.edits and file.from_path:
            renamed = edited_file(canonical(file.from_path), file.edits, shown)
            if isinstance(renamed, Unapplied):
                failed[path] = msgspec.structs.replace(renamed, path=path)
            else:
                files.append(msgspec.structs.replace(renamed[0], path=path, from_path=canonical(file.from_path)))
                repairs += [f"{path}: {repair}" for repair in renamed[1]]
        elif file.edits:
            edits.setdefault(path, []).extend(file.edits)
        else:
            if file.note:
                repairs.append(f"{path}: {file.note}")
            content, status = without_fence(file.content, path, file.status, repairs)
            files.append(FileBlock(path=path, content=content, status=status))
    for path, pairs in edits.items():
        made = failed.get(path) or edited_file(path, pairs, shown)
        if isinstance(made, Unapplied):
            failed[path] = made
        else:
            files.append(made[0])
            repairs += [f"{path}: {repair}" for repair in made[1]]
    return files, list(failed.values()), repairs
