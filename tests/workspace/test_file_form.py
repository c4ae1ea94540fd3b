"""The form of a file on disk, which its replacement keeps."""

import codecs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dce.workspace.tree.declared import Declared
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
    assert "'☃'" in form_of(LATIN.encode("cp1252"), Declared(("cp1252",), "config.toml")).unwritable("☃")
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


@pytest.mark.parametrize(
    ("before", "content", "after"),
    [
        (b"a\r\nb\nc\r\nd\n", "a\nb\nX\nc\nd\n", b"a\r\nb\nX\nc\r\nd\n"),
        (b"a\rb\r\nc\rd\r\n", "a\nb\nX\nc\nd\n", b"a\rb\r\nX\r\nc\rd\r\n"),
        (b"a\rb\r\nc\rd\r\n", "a\rb\nX\nc\rd\n", b"a\rb\r\nX\r\nc\rd\r\n"),
        (b"a\rb\nc\rd\n", "a\nb\nX\nc\nd\n", b"a\rb\nX\nc\rd\n"),
        (b"a\rb\nc\rd\n", "a\nb\nc\nd\n", b"a\rb\nc\rd\n"),
        (b"a\r\r\nb\r\r\n", "a\nX\nb\n", b"a\r\r\nX\r\r\nb\r\r\n"),
        (b"a\r\nb\r\nc\nd\r\ne\r\n", "a\nb\nc2\nd\ne\n", b"a\r\nb\r\nc2\nd\r\ne\r\n"),
        (b"one\r\ntwo\nthree\rfour\r\nfive\nsix", "one\ntwo\nT\nthree\nfour\nfive\nsix\n",
         b"one\r\ntwo\nT\nthree\rfour\r\nfive\nsix"),
        (b"one\r\ntwo\nthree\rfour", "one\ntwo\nthree\nfour\nfive\n", b"one\r\ntwo\nthree\rfour\rfive"),
        (b"b\rc\n", "a\nb\nc\n", b"a\rb\rc\n"),
        (b"a\nb\n", 'a\nprint("x\ry")\nb\n', b'a\nprint("x\ry")\nb\n'),
        (b"a\r\nb\nc\rd\n", "a\nb\nx\ry\nc\nd\n", b"a\r\nb\nx\ry\nc\rd\n"),
        (b"a\r\nb\nc\rd\n", "x\ra\nb\nc\nd\n", b"x\ra\r\nb\nc\rd\n"),
        (b"a\r\nb\nc", "", b""),
    ],
)  # fmt: skip
def test_every_line_keeps_its_own_end(before: bytes, content: str, after: bytes) -> None:
    """Kept lines keep their ends, CR alone too; a changed line takes the end of the one it replaces, an added one that before it."""
    assert form_of(before).bytes_to_write(content) == after


ANY_ENDS = st.lists(st.sampled_from(["\n", "\r\n", "\r"]), min_size=10, max_size=10)


@settings(deadline=None)
@given(st.lists(st.sampled_from("abcdef"), min_size=1, max_size=10, unique=True), ANY_ENDS, st.data())
def test_a_changed_line_changes_no_other(lines: list[str], ends: list[str], data: st.DataObject) -> None:
    """Property: with one line changed, removed or added, the bytes of all the others stay, whatever their ends are."""
    old = [line + end for line, end in zip(lines, ends, strict=False)]
    at = data.draw(st.integers(0, len(lines) - 1))
    form = form_of("".join(old).encode())
    answers = {
        "changed": ([*lines[:at], "new", *lines[at + 1 :]], [*old[:at], "new" + ends[at], *old[at + 1 :]]),
        "removed": (lines[:at] + lines[at + 1 :], old[:at] + old[at + 1 :]),
        "added": ([*lines[: at + 1], "new", *lines[at + 1 :]], [*old[: at + 1], "new" + ends[at], *old[at + 1 :]]),
    }
    for new, wanted in answers.values():
        content = "".join(f"{line}\n" for line in new)
        assert form.bytes_to_write(content) == "".join(wanted).encode()


RUSSIAN = "# Проверка связи\nx = 1\n"


def test_new_words_are_not_written_in_a_guessed_encoding() -> None:
    """[02] Where the encoding is only guessed, words of the file may stay or move, new ones outside ASCII may not be written."""
    form = form_of(RUSSIAN.encode("cp1251"))
    assert form.is_guessed
    assert form.unwritable(RUSSIAN.replace("1", "2")) == ""
    assert form.unwritable("y = 'связи'\n" + RUSSIAN) == ""
    assert form.bytes_to_write("x = 2  # Проверка связи\n") == "x = 2  # Проверка связи\n".encode("cp1251")
    assert "only guessed" in form.unwritable(RUSSIAN + "# Новая\n")
    assert "only guessed" in form.unwritable(RUSSIAN + "# связист\n")
    assert "only guessed" in form.unwritable(RUSSIAN + "# связи_1\n")


@pytest.mark.parametrize("encoding", ["cp1251", "koi8-r", "cp866"])
def test_the_words_kept_get_their_own_bytes_even_if_the_guess_is_wrong(encoding: str) -> None:
    """Whatever encoding is guessed, a text made of the file's own words gets exactly the bytes that they have in the file."""
    for true in ("cp1251", "mac_cyrillic", "iso8859-5", "koi8-u"):
        data = RUSSIAN.encode(true)
        form = form_of(data, Declared((encoding,), "config.toml"))
        first, second = form.text.splitlines(keepends=True)
        assert form.bytes_to_write(second + first) == "".join(reversed(RUSSIAN.splitlines(keepends=True))).encode(true)


def test_a_declared_encoding_is_written() -> None:
    """With a declaration, new text is written in the encoding that it names, and what it lacks is refused."""
    form = form_of(RUSSIAN.encode("cp1251"), Declared(("cp1251",), "config.toml"))
    assert form.unwritable(RUSSIAN + "# Новая\n") == ""
    assert form.bytes_to_write(RUSSIAN + "# Новая\n") == (RUSSIAN + "# Новая\n").encode("cp1251")
    assert "cannot hold '☃'" in form.unwritable("☃")


def test_a_file_shown_in_another_encoding_is_noticed() -> None:
    """Words outside ASCII that the file does not have now were shown in another encoding; in UTF-8, that is never asked."""
    form = form_of(RUSSIAN.encode("cp1251"), Declared(("cp1251",), "config.toml"))
    assert form.lacks_words_of(RUSSIAN.encode("cp1251").decode("cp1252"))
    assert not form.lacks_words_of(RUSSIAN)
    assert not form_of(RUSSIAN.encode()).lacks_words_of("ïðîâåðêà")
