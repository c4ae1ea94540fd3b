"""Extracts text from documents: PDF, Word, spreadsheets, slides, notebooks; for pictures, a description of the file.

What must always hold: a document is untrusted input, so it is opened in a separate process with limits on time, memory and the
unpacked size of zip archives; a document that cannot be read yields a line that says so, never an exception or empty text.
"""

import hashlib
import json
import subprocess
import sys
from pathlib import Path

import msgspec

from dce import durable
from dce.workspace.project import Project

MAX_DOCUMENT_BYTES = 50_000_000
"""Largest document that is opened."""

TIMEOUT_S = 30.0
"""Timeout of an extraction: a thousand pages of PDF take a few seconds."""

MAX_CACHED = 500
"""How many extractions are kept in `.dce/cache/extract`; the oldest are removed first."""

VERSION = 1
"""Part of every cache key; increased when an extractor's output changes."""

_CANNOT = " cannot be read: "

FORMATS: dict[str, str] = {
    ".pdf": "pdf",
    ".docx": "docx",
    ".xlsx": "sheets",
    ".xlsm": "sheets",
    ".xlsb": "sheets",
    ".xls": "sheets",
    ".ods": "sheets",
    ".pptx": "pptx",
    ".ipynb": "ipynb",
    **dict.fromkeys((".png", ".jpg", ".jpeg", ".gif", ".webp", ".bmp"), "image"),
}
"""File suffix → the extractor in `worker.py` that reads it. Any other file is text or is excluded; CSV and SVG are text."""


class Extraction(msgspec.Struct, frozen=True, kw_only=True):
    """A document's text; `problem` says why it is missing or incomplete."""

    text: str
    problem: str = ""


def format_of(path: str) -> str:
    """The extractor for a path; "" for none."""
    # Called for every file of a workspace; creating a Path each time would dominate the cost.
    name = path.rpartition("/")[2]
    stem, dot, suffix = name.rpartition(".")
    return FORMATS.get(f".{suffix.lower()}", "") if dot and stem else ""


def extract(project: Project, path: str, content: bytes, pages: str = "") -> Extraction:
    """The text of a document, or a line in brackets that says why there is none. `pages`: "1-3,7" (pages, sheets, slides)."""
    if len(content) > MAX_DOCUMENT_BYTES:
        return _failed(path, f"larger than {MAX_DOCUMENT_BYTES // 1_000_000} MB")
    key = hashlib.sha256(b"%d\0%b\0%b\0" % (VERSION, format_of(path).encode(), pages.encode()) + content).hexdigest()
    kept = project.state_dir / "cache" / "extract" / f"{key}.json"
    try:
        return msgspec.json.decode(kept.read_bytes(), type=Extraction)
    except (OSError, msgspec.MsgspecError):
        pass
    found = _run(path, content, pages)
    if not found.problem:  # a failure may succeed later: with the extra installed, on a machine with more memory
        _keep(kept, found)
    return found


def _run(path: str, content: bytes, pages: str) -> Extraction:
    command = [sys.executable, "-I", "-m", "dce.workspace.tree.extract.worker", format_of(path), pages]
    try:
        done = subprocess.run(command, input=content, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        return _failed(path, f"it took longer than {TIMEOUT_S:.0f} s")
    except OSError as error:
        return _failed(path, f"no process could be started ({error.strerror})")
    try:
        answer = json.loads(done.stdout)
        text, problem = str(answer["text"]), str(answer["problem"])
    except (ValueError, KeyError, TypeError):
        return _failed(path, f"the extractor exited with status {done.returncode}: out of memory, or a damaged file")
    if problem and not text:
        return _failed(path, problem)
    return Extraction(text=text, problem=problem)


def problem_in(path: str, text: str) -> str:
    """Why a document could not be read, parsed from the line that replaces its text; "" if `text` is not such a line."""
    begin, end = f"[{path}{_CANNOT}", "]\n"
    return text[len(begin) : -len(end)] if text.startswith(begin) and text.endswith(end) else ""


def _failed(path: str, problem: str) -> Extraction:
    return Extraction(text=f"[{path}{_CANNOT}{problem}]\n", problem=problem)


def _keep(place: Path, found: Extraction) -> None:
    """Writes to the cache. The cache is optional, so a full disk is not an error."""
    try:
        place.parent.mkdir(parents=True, exist_ok=True)
        durable.write(place, msgspec.json.encode(found))
        kept = sorted(place.parent.glob("*.json"), key=lambda file: file.stat().st_mtime)
        for old in kept[:-MAX_CACHED]:
            old.unlink(missing_ok=True)
    except OSError:
        return
