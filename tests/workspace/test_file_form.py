"""The form of a file on disk, which its replacement keeps."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.workspace.tree.file_form import form_of, text_of

LATIN = "Grüße aus Köln, schöne Straße, für Äpfel und Öl über den Fluß getragen — äöü ÄÖÜ ß\n" * 3


@pytest.mark.parametrize("encoding", ["utf-16", "utf-32", "utf-8-sig", "cp1252"])
def test_the_encoding_is_kept(encoding: str) -> None:
    """One line changes; the others and the byte-order mark keep their bytes."""
    before = (LATIN + "end\n").encode(encoding)
    assert form_of(before).is_text
    assert text_of(before) == LATIN + "end\n"
    after = form_of(before).bytes_to_write(LATIN + "END\n")
    assert after == (LATIN + "END\n").encode(encoding)
    assert form_of(before).bytes_to_write(LATIN + "end\n") == before


def test_an_encoding_that_lacks_a_character_is_said() -> None:
    """Characters that the file's encoding lacks are named; UTF-16 has them all."""
    assert "'☃'" in form_of(LATIN.encode("cp1252")).unwritable("☃")
    assert form_of(codecs.BOM_UTF16_LE + "x".encode("utf-16-le")).unwritable("☃") == ""
    assert form_of(None).unwritable("☃") == ""


LINES = st.lists(st.sampled_from(["a", "b", "", "c c"]), max_size=10)
ENDS = st.lists(st.sampled_from(["\n", "\r\n"]), min_size=10, max_size=10)


@settings(deadline=None)
@given(LINES, ENDS, st.data())
def test_mixed_line_ends_are_kept(lines: list[str], ends: list[str], data: st.DataObject) -> None:
    """Property: with a line appended, every other line of a file of mixed line ends keeps its own end."""
    before = "".join(line + end for line, end in zip(lines, ends, strict=False))
    added = data.draw(st.sampled_from(["new\n", "x\ny\n"]))
    after = form_of(before.encode()).bytes_to_write(before.replace("\r\n", "\n") + added)
    assert after.startswith(before.encode())
    assert after[len(before.encode()) :].replace(b"\r\n", b"\n") == added.encode()
