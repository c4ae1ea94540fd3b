"""Text is extracted from documents, within limits, and an unreadable document is reported (faults P7, P9)."""

import asyncio
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.tree.extract import FORMATS, MAX_DOCUMENT_BYTES, extract
from dce.workspace.tree.extract.worker import MAX_UNPACKED_BYTES, Refused, extracted
from dce.workspace.tree.files import list_files, read_text
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider


def pdf_of(*pages: str) -> bytes:
    """A PDF with a line of text on each page, made by hand."""
    objects = ["<< /Type /Catalog /Pages 2 0 R >>", ""]
    kids = []
    for text in pages:
        stream = f"BT /F1 12 Tf 72 700 Td ({text}) Tj ET"
        kids.append(f"{len(objects) + 1} 0 R")
        font = "<< /Font << /F1 << /Type /Font /Subtype /Type1 /BaseFont /Helvetica >> >> >>"
        objects.append(
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {font} /Contents {len(objects) + 2} 0 R >>"
        )
        objects.append(f"<< /Length {len(stream)} >>\nstream\n{stream}\nendstream")
    objects[1] = f"<< /Type /Pages /Kids [{' '.join(kids)}] /Count {len(kids)} >>"
    out, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, start=1):
        places.append(len(out))
        out += f"{number} 0 obj\n{body}\nendobj\n".encode()
    table = "".join(f"{place:010} 00000 n \n" for place in places)
    head = f"xref\n0 {len(objects) + 1}\n0000000000 65535 f \n{table}"
    return out + f"{head}trailer << /Size {len(objects) + 1} /Root 1 0 R >>\nstartxref\n{len(out)}\n%%EOF".encode()


def docx_of() -> bytes:
    """A Word document with a heading, a list and a table."""
    docx = pytest.importorskip("docx")
    document = docx.Document()
    document.add_heading("Plan", 1)
    document.add_paragraph("First, think.")
    document.add_paragraph("one", style="List Bullet")
    table = document.add_table(rows=2, cols=2)
    for cell, text in zip([*table.rows[0].cells, *table.rows[1].cells], ["a", "b|c", "0", "line\nline"], strict=True):
        cell.text = text
    out = io.BytesIO()
    document.save(out)
    return out.getvalue()


def ods_of(sheets: dict[str, list[list[Any]]]) -> bytes:
    """An OpenDocument spreadsheet made by hand."""

    def cell(value: Any) -> str:
        if isinstance(value, bool):
            return f'<table:table-cell office:value-type="boolean" office:boolean-value="{str(value).lower()}"/>'
        if isinstance(value, int | float):
            return f'<table:table-cell office:value-type="float" office:value="{value}"/>'
        return f'<table:table-cell office:value-type="string"><text:p>{value}</text:p></table:table-cell>'

    body = "".join(
        f'<table:table table:name="{name}">'
        + "".join(f"<table:table-row>{''.join(map(cell, row))}</table:table-row>" for row in rows)
        + "</table:table>"
        for name, rows in sheets.items()
    )
    names = "".join(f'xmlns:{n}="urn:oasis:names:tc:opendocument:xmlns:{n}:1.0" ' for n in ("office", "table", "text"))
    content = f"<office:document-content {names}><office:body><office:spreadsheet>{body}</office:spreadsheet></office:body></office:document-content>"
    kind = "application/vnd.oasis.opendocument.spreadsheet"
    space = "urn:oasis:names:tc:opendocument:xmlns:manifest:1.0"
    manifest = f'<manifest:manifest xmlns:manifest="{space}"><manifest:file-entry manifest:full-path="/" manifest:media-type="{kind}"/></manifest:manifest>'
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("mimetype", "application/vnd.oasis.opendocument.spreadsheet")
        archive.writestr("META-INF/manifest.xml", manifest)
        archive.writestr("content.xml", content)
    return out.getvalue()


NOTEBOOK = json.dumps(
    {
        "metadata": {"kernelspec": {"language": "python"}},
        "cells": [
            {"cell_type": "markdown", "source": ["# Title\n", "text"]},
            {"cell_type": "code", "source": "print(1)", "outputs": [{"text": "HUGE OUTPUT"}]},
        ],
    }
).encode()
PNG = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR" + (640).to_bytes(4, "big") + (480).to_bytes(4, "big") + b"\x08\x06"


def test_pdf_pages() -> None:
    """Each page has its number; a range gives only those pages."""
    pytest.importorskip("pypdfium2")
    text, problem = extracted("pdf", pdf_of("first", "second", "third"))
    assert (text.splitlines()[:3], problem) == (["## Page 1 of 3", "", "first"], "")
    assert "third" in text
    text, _ = extracted("pdf", pdf_of("first", "second", "third"), "2-3")
    assert "first" not in text
    assert "second" in text


def test_docx() -> None:
    """Headings, lists and tables become Markdown; a cell\'s bars and line ends keep the table whole."""
    text, _ = extracted("docx", docx_of())
    assert text.splitlines() == [
        *("# Plan", "", "First, think.", "", "- one", ""),
        *("| a | b\\|c |", "| --- | --- |", "| 0 | line<br>line |"),
    ]


def test_sheets() -> None:
    """Every sheet is a table under its name; 0 and False are values (fault P9); a range picks sheets."""
    pytest.importorskip("python_calamine")
    book = ods_of({"One": [["n", "ok"], [0, False], [2.5, True]], "Two": [["x"]]})
    text, _ = extracted("sheets", book)
    assert text.splitlines()[:5] == ["### Sheet: One", "", "| n | ok |", "| --- | --- |", "| 0 | False |"]
    assert "### Sheet: Two" in text
    assert extracted("sheets", book, "2")[0].startswith("### Sheet: Two")


def test_slides() -> None:
    """Each slide has its number, its texts and its notes."""
    pptx = pytest.importorskip("pptx")
    deck = pptx.Presentation()
    slide = deck.slides.add_slide(deck.slide_layouts[1])
    slide.shapes.title.text = "Goals"
    slide.placeholders[1].text = "Ship it"
    slide.notes_slide.notes_text_frame.text = "Smile"
    out = io.BytesIO()
    deck.save(out)
    text, _ = extracted("pptx", out.getvalue())
    assert [line for line in text.splitlines() if line] == ["## Slide 1 of 1", "Goals", "Ship it", "Notes: Smile"]


def test_notebooks_without_their_outputs() -> None:
    """Cells come with their sources; outputs do not."""
    assert extracted("ipynb", NOTEBOOK)[0] == "[cell 1]\n# Title\ntext\n\n[cell 2]\n```python\nprint(1)\n```\n"


@pytest.mark.parametrize(
    ("content", "shown"),
    [
        (PNG, "PNG, 640 × 480"),
        (b"GIF89a" + (3).to_bytes(2, "little") + (4).to_bytes(2, "little"), "GIF, 3 × 4"),
        (b"\xff\xd8\xff\xe0\0\x04ab\xff\xc0\0\x11\x08\0\x05\0\x07" + b"\0" * 20, "JPEG, 7 × 5"),
        (b"BM" + b"\0" * 16 + (9).to_bytes(4, "little") + (8).to_bytes(4, "little"), "BMP, 9 × 8"),
    ],
)
def test_pictures(content: bytes, shown: str) -> None:
    """A picture is described by its kind and size."""
    assert shown in extracted("image", content)[0]


def test_a_bomb_is_not_unpacked() -> None:
    """An archive that would unpack to far more than its size is refused by its declared sizes, before unpacking."""
    out = io.BytesIO()
    with (
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("word/document.xml", "w", force_zip64=True) as member,
    ):
        for _ in range(MAX_UNPACKED_BYTES // 10_000_000 + 1):
            member.write(b" " * 10_000_000)
    with pytest.raises(Refused, match="unpack"):
        extracted("docx", out.getvalue())


@pytest.mark.parametrize("suffix", sorted(FORMATS))
def test_a_damaged_document_gives_a_line_that_says_so(tmp_path: Path, suffix: str) -> None:
    """Whatever the bytes, the result is a text that names the file and the problem, and the process has ended."""
    found = extract(Project.init(tmp_path), f"a{suffix}", b"PK\x03\x04 no document")
    assert found.text.startswith(f"[a{suffix} cannot be read: ")
    assert found.problem


def test_a_page_range_that_names_nothing_is_refused() -> None:
    """Words and endless ranges are not valid pages."""
    for pages in ("x", "1-", "1-999999999", "-3"):
        with pytest.raises(Refused, match="page range"):
            extracted("ipynb", NOTEBOOK, pages)


def test_extractions_are_kept_by_content(tmp_path: Path) -> None:
    """The same bytes are opened once, whatever the file's name; changed bytes are opened again (fault P7)."""
    project = Project.init(tmp_path)
    first = extract(project, "a.ipynb", NOTEBOOK)
    kept = list((project.state_dir / "cache" / "extract").iterdir())
    assert len(kept) == 1
    kept[0].write_bytes(kept[0].read_bytes().replace(b"Title", b"Kept!"))
    assert "Kept!" in extract(project, "b.ipynb", NOTEBOOK).text
    assert extract(project, "a.ipynb", NOTEBOOK + b" ").text == first.text


def test_too_large_documents_are_not_opened(tmp_path: Path) -> None:
    """The limit is checked before a process starts."""
    assert "larger than" in extract(Project.init(tmp_path), "a.pdf", bytes(MAX_DOCUMENT_BYTES + 1)).problem


def test_documents_in_a_prompt(tmp_path: Path) -> None:
    """A document goes in when it is named, as an excerpt that no answer can rewrite; pages can be chosen; secrets are found in it."""
    (tmp_path / "a.ipynb").write_bytes(NOTEBOOK)
    (tmp_path / "b.py").write_text("b = 1\n")
    (tmp_path / "logo.png").write_bytes(PNG)
    project = Project.init(tmp_path)
    assert {entry.path: entry.encoding for entry in list_files(project)} == {
        "a.ipynb": "ipynb",
        "b.py": "",
        "logo.png": "image",
    }
    assert read_text(project, "logo.png").encoding == "image"
    with Workspace.open(project, Settings(), Clock(), ScriptedProvider([])) as workspace:
        workspace.cycles.create("t", "Do it.")
        assert workspace.selection.add(["."]) == ("b.py",)
        assert workspace.selection.add(["a.ipynb", "*.png"]) == ("a.ipynb", "logo.png")
        workspace.selection.show_pages("a.ipynb", "2")
        prompt = asyncio.run(workspace.preparation.build(1)).prompt
        assert '<excerpt path="a.ipynb" shows="extract"' in prompt.text
        assert "print(1)" in prompt.text
        assert "# Title" not in prompt.text
        assert [entry.path for entry in prompt.manifest] == ["b.py"]
        workspace.selection.show_pages("a.ipynb", "all")
        assert workspace.selection.pages() == {}
        for path, numbers in (("b.py", "1"), ("a.ipynb", "x"), ("c.pdf", "1")):
            with pytest.raises(DceError):
                workspace.selection.show_pages(path, numbers)
