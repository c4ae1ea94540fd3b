"""The process that opens a document: `python -m dce.workspace.tree.extract.worker FORMAT PAGES`, bytes in, JSON out.

It limits its own memory and CPU time, and forbids itself to write files, before it reads anything. Output: `{"text": …, "problem": …}`;
a problem with text is a warning (cut off), one without text is a failure.
"""

import contextlib
import io
import json
import struct
import sys
import zipfile
from collections.abc import Callable, Iterable, Sequence
from typing import Any

MAX_MEMORY_BYTES = 1_500_000_000
"""Address space limit of this process: ordinary PDF pages need a tenth of it."""

MAX_CPU_S = 25
"""CPU time limit of this process, below the parent's timeout."""

MAX_TEXT_CHARS = 4_000_000
"""Longest text returned: a million tokens, more than any context window."""

MAX_UNPACKED_BYTES, MAX_RATIO, MAX_MEMBERS = 400_000_000, 200, 20_000
"""Limits on what a zip archive declares: unpacked size, ratio to its own size, number of files. Beyond them it is a zip bomb."""

MAX_ROWS = 5_000
"""Rows returned per sheet: more than this is data, not something to read."""


class Refused(Exception):
    """The document is refused; the message says why."""


def main(arguments: Sequence[str]) -> int:
    """Reads the document from standard input, writes the result to standard output."""
    form, pages = arguments
    with contextlib.suppress(ImportError, ValueError, OSError):
        _limit()
    content = sys.stdin.buffer.read()
    try:
        text, problem = extracted(form, content, pages)
    except Refused as error:
        text, problem = "", str(error)
    except ModuleNotFoundError as error:
        text, problem = "", f"it needs {error.name}: pip install 'dce[docs]'"
    except MemoryError:
        text, problem = "", "it needs too much memory"
    except Exception as error:  # noqa: BLE001 - whatever a library raises for a damaged file becomes one sentence for the reader
        text, problem = "", f"damaged or encrypted ({type(error).__name__}: {str(error)[:200]})"
    if len(text) > MAX_TEXT_CHARS:
        text, problem = text[:MAX_TEXT_CHARS] + "\n[… cut off here …]\n", "cut off: too long"
    sys.stdout.buffer.write(json.dumps({"text": text, "problem": problem}).encode())
    return 0


def extracted(form: str, content: bytes, pages: str = "") -> tuple[str, str]:
    """Text and problem of a document. Raises Refused, and whatever a library raises for a damaged file."""
    if content[:2] == b"PK":
        _check_archive(content)
    text = _EXTRACTORS[form](content, _numbers(pages))
    return text if not text or text.endswith("\n") else text + "\n", ""


def _limit() -> None:
    import resource  # noqa: PLC0415 - not on Windows

    resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY_BYTES, MAX_MEMORY_BYTES))
    resource.setrlimit(resource.RLIMIT_CPU, (MAX_CPU_S, MAX_CPU_S + 1))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _check_archive(content: bytes) -> None:
    """Raises Refused for an archive that would unpack to too much. Readers allocate what an archive declares."""
    members = zipfile.ZipFile(io.BytesIO(content)).infolist()
    unpacked = sum(member.file_size for member in members)
    if (
        len(members) > MAX_MEMBERS
        or unpacked > MAX_UNPACKED_BYTES
        or unpacked > max(10_000_000, MAX_RATIO * len(content))
    ):
        raise Refused(f"it would unpack to {unpacked / 1e6:,.0f} MB in {len(members):,} files")


def _numbers(pages: str) -> frozenset[int] | None:
    """The page numbers in "1-3,7"; None for all. Raises Refused."""
    if not pages.strip():
        return None
    found: set[int] = set()
    for part in pages.split(","):
        first, dash, last = part.strip().partition("-")
        if not first.isdigit() or (dash and not last.isdigit()) or int(last or first) - int(first) > 100_000:
            raise Refused(f"{pages!r} is not a page range: write 1-3,7")
        found.update(range(int(first), int(last or first) + 1))
    return frozenset(found)


def _picked(items: Iterable[Any], pages: frozenset[int] | None) -> Iterable[tuple[int, Any]]:
    return ((number, item) for number, item in enumerate(items, start=1) if pages is None or number in pages)


def _pdf(content: bytes, pages: frozenset[int] | None) -> str:
    import pypdfium2  # noqa: PLC0415

    document = pypdfium2.PdfDocument(content)
    parts = []
    for number, page in _picked(document, pages):
        text = page.get_textpage().get_text_bounded().replace("\r\n", "\n").strip()
        parts.append(f"## Page {number} of {len(document)}\n\n{text or '[no text: a picture, or a scan]'}\n")
    return "\n".join(parts)


def _docx(content: bytes, pages: frozenset[int] | None) -> str:  # noqa: ARG001 - pages exist only when it is laid out
    import docx  # noqa: PLC0415
    from docx.table import Table  # noqa: PLC0415

    parts = []
    for block in docx.Document(io.BytesIO(content)).iter_inner_content():
        if isinstance(block, Table):
            parts.append(_table([cell.text for cell in row.cells] for row in block.rows))
            continue
        style = block.style.name if block.style is not None else ""
        level = style.removeprefix("Heading ") if style else ""
        if style == "Title" or (level.isdigit() and block.text.strip()):
            parts.append(f"{'#' * (1 if style == 'Title' else min(6, int(level)))} {block.text.strip()}\n")
        elif block.text.strip():
            parts.append(("- " if style and style.startswith("List") else "") + block.text.strip() + "\n")
    return "\n".join(parts)


def _sheets(content: bytes, pages: frozenset[int] | None) -> str:
    import python_calamine  # noqa: PLC0415

    book = python_calamine.CalamineWorkbook.from_filelike(io.BytesIO(content))
    parts = []
    for _, name in _picked(book.sheet_names, pages):
        rows = book.get_sheet_by_name(name).to_python(skip_empty_area=True)
        more = f"\n[… {len(rows) - MAX_ROWS} more rows …]\n" if len(rows) > MAX_ROWS else ""
        parts.append(f"### Sheet: {name}\n\n{_table([_cell(cell) for cell in row] for row in rows[:MAX_ROWS])}{more}")
    return "\n".join(parts)


def _cell(value: object) -> str:
    """A cell as a spreadsheet shows it: 0 and False are values, 3.0 is 3."""
    if value is None:
        return ""
    return str(int(value)) if isinstance(value, float) and value.is_integer() and abs(value) < 1e15 else str(value)


def _table(rows: Iterable[Sequence[str]]) -> str:
    """Rows as a Markdown table; the first row is the header."""
    lines = [
        [cell.replace("|", "\\|").replace("\r\n", "\n").replace("\n", "<br>").strip() for cell in row] for row in rows
    ]
    if not lines:
        return "[empty]\n"
    head, *body = (f"| {' | '.join(line)} |" for line in lines)
    return "\n".join([head, "|" + " --- |" * len(lines[0]), *body]) + "\n"


def _pptx(content: bytes, pages: frozenset[int] | None) -> str:
    import pptx  # noqa: PLC0415

    slides = list(pptx.Presentation(io.BytesIO(content)).slides)
    parts = []
    for number, slide in _picked(slides, pages):
        lines = [f"## Slide {number} of {len(slides)}\n"]
        for shape in slide.shapes:
            if shape.has_text_frame and shape.text_frame.text.strip():
                lines.append(shape.text_frame.text.strip() + "\n")
            if getattr(shape, "has_table", False):
                lines.append(_table([cell.text for cell in row.cells] for row in shape.table.rows))
        if slide.has_notes_slide and slide.notes_slide.notes_text_frame.text.strip():
            lines.append(f"Notes: {slide.notes_slide.notes_text_frame.text.strip()}\n")
        parts.append("\n".join(lines))
    return "\n".join(parts)


def _ipynb(content: bytes, pages: frozenset[int] | None) -> str:
    notebook = json.loads(content)
    language = str(notebook.get("metadata", {}).get("kernelspec", {}).get("language", "python"))
    parts = []
    for number, cell in _picked(notebook["cells"], pages):
        source = cell.get("source", "")
        text = "".join(source) if isinstance(source, list) else str(source)
        if cell.get("cell_type") == "code":
            parts.append(f"[cell {number}]\n```{language}\n{text}\n```\n")
        elif text.strip():
            parts.append(f"[cell {number}]\n{text}\n")
    return "\n".join(parts)


def _image(content: bytes, pages: frozenset[int] | None) -> str:  # noqa: ARG001
    kind, width, height = _picture(content)
    if not kind:
        raise Refused("unknown picture format")
    size = f", {width} × {height} pixels" if width else ""
    return f"[a picture: {kind}{size}, {len(content):,} bytes]"


def _picture(content: bytes) -> tuple[str, int, int]:
    """Format, width and height from the file's header; ("", 0, 0) for an unknown format."""
    if content.startswith(b"\x89PNG\r\n\x1a\n") and len(content) >= 24:
        return ("PNG", *struct.unpack(">II", content[16:24]))
    if content[:6] in {b"GIF87a", b"GIF89a"} and len(content) >= 10:
        return ("GIF", *struct.unpack("<HH", content[6:10]))
    if content.startswith(b"BM") and len(content) >= 26:
        width, height = struct.unpack("<ii", content[18:26])
        return "BMP", width, abs(height)
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        if content[12:16] == b"VP8X" and len(content) >= 30:
            return "WebP", int.from_bytes(content[24:27], "little") + 1, int.from_bytes(content[27:30], "little") + 1
        return "WebP", 0, 0
    return ("JPEG", *_jpeg_size(content)) if content.startswith(b"\xff\xd8") else ("", 0, 0)


def _jpeg_size(content: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 <= len(content) and content[at] == 0xFF:
        marker, length = content[at + 1], int.from_bytes(content[at + 2 : at + 4], "big")
        if 0xC0 <= marker <= 0xCF and marker not in {0xC4, 0xC8, 0xCC}:
            height, width = struct.unpack(">HH", content[at + 5 : at + 9])
            return width, height
        at += 2 + max(2, length)
    return 0, 0


_EXTRACTORS: dict[str, Callable[[bytes, frozenset[int] | None], str]] = {
    "pdf": _pdf,
    "docx": _docx,
    "sheets": _sheets,
    "pptx": _pptx,
    "ipynb": _ipynb,
    "image": _image,
}

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
