"""Encodings that the settings, the file itself or .editorconfig declare."""

from collections.abc import Callable
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.cards import Cards
from dce.workspace.encoding_names import encodings_of
from dce.workspace.key_vault import KeyVault
from dce.workspace.project import Project
from dce.workspace.tree.current import look
from dce.workspace.tree.declared import Declarations, Declared, declared_in, how_to_declare
from dce.workspace.tree.encodings import decode
from dce.workspace.tree.files import list_files, read_text
from dce.workspace.tree.text_reader import TextReader

RUSSIAN = "# Проверка\n"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """An empty workspace."""
    return Project.init(tmp_path)


def _write(project: Project, files: dict[str, str | bytes]) -> None:
    for name, content in files.items():
        path = project.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


READERS: tuple[Callable[[Project, str], tuple[str, str, str]], ...] = (
    lambda project, path: ((file := read_text(project, path)).text, file.encoding, file.certainty),
    lambda project, path: ((file := TextReader(project).read(path)).text, file.encoding, file.certainty),
    lambda project, path: ((form := look(project, path).form).text, form.encoding, form.certainty),
)


@pytest.mark.parametrize("read", READERS)
def test_the_setting_settles_the_encoding(
    project: Project, read: Callable[[Project, str], tuple[str, str, str]]
) -> None:
    """[02] The last pattern that matches names the encoding, for the prompt and for accepting alike, also through a link."""
    _write(
        project,
        {
            ".dce/config.toml": 'encoding = {"*.py" = "cp1251", "/old/" = "koi8-r", "/old/dos.py" = "cp866"}\n',
            "a.py": RUSSIAN.encode("cp1251"),
            "old/b.py": RUSSIAN.encode("koi8-r"),
            "old/dos.py": RUSSIAN.encode("cp866"),
            "c.txt": RUSSIAN.encode("cp1251"),
        },
    )
    (project.root / "link").symlink_to("old")
    assert read(project, "a.py") == (RUSSIAN, "cp1251", "declared")
    assert read(project, "old/b.py") == (RUSSIAN, "koi8-r", "declared")
    assert read(project, "link/b.py") == (RUSSIAN, "koi8-r", "declared")
    assert read(project, "old/dos.py") == (RUSSIAN, "cp866", "declared")
    assert read(project, "c.txt")[2] == "doubtful"


@pytest.mark.parametrize(
    ("start", "encoding"),
    [
        ("# -*- coding: cp1251 -*-\n", "cp1251"),
        ("#!/usr/bin/env python\n# vim: set fileencoding=koi8-r :\n", "koi8-r"),
        ("# encoding: windows-1251\n", "cp1251"),
        ("// -*- mode: c++; coding: cp866 -*-\n", "cp866"),
        ('<?xml version="1.0" encoding="windows-1251"?>\n', "cp1251"),
        ('<html><head><meta charset="windows-1251">\n', "cp1251"),
        ("<META http-equiv='Content-Type' content='text/html; charset=koi8-r'>\n", "koi8-r"),
        ('@charset "cp866";\n', "cp866"),
        ('msgid ""\nmsgstr ""\n"Content-Type: text/plain; charset=KOI8-R\\n"\n', "koi8-r"),
    ],
)
def test_a_file_may_name_its_own_encoding(start: str, encoding: str) -> None:
    """Comments of PEP 263, Emacs and Vim, XML, HTML, CSS and gettext are evidence; the words must be where programs look for them."""
    text = start + RUSSIAN
    assert decode(text.encode(encoding)) == (text, encoding, "declared")
    late = "x = 1\n" * 300 + text
    assert decode(late.encode(encoding)).certainty == "doubtful"


def test_the_evidence_counts_in_a_stated_order(project: Project) -> None:
    """Byte-order mark, UTF-8, setting, file, .editorconfig, guess: the first of them that there is."""
    in_file = "# -*- coding: koi8-r -*-\n" + RUSSIAN
    _write(
        project,
        {
            ".editorconfig": "root = true\n[*.py]\ncharset = cp866\n",
            "marked.py": RUSSIAN.encode("utf-16"),
            "utf8.py": "# coding: koi8-r\n" + RUSSIAN,
            "file.py": in_file.encode("koi8-r"),
            "editor.py": RUSSIAN.encode("cp866"),
            "other.txt": (RUSSIAN * 2).encode("cp1251"),
        },
    )
    found = {path: read_text(project, path) for path in ("marked.py", "utf8.py", "file.py", "editor.py", "other.txt")}
    assert {path: (file.encoding, file.certainty) for path, file in found.items()} == {
        "marked.py": ("utf-16", "known"),
        "utf8.py": ("utf-8", "known"),
        "file.py": ("koi8-r", "declared"),
        "editor.py": ("cp866", "declared"),
        "other.txt": ("cp1251", "doubtful"),
    }
    _write(project, {".dce/config.toml": 'encoding = {"*.py" = "cp1251"}\n', "file.py": in_file.encode("cp1251")})
    assert read_text(project, "file.py").text == in_file
    assert read_text(project, "utf8.py").text.endswith(RUSSIAN)


def test_a_short_text_that_happens_to_be_utf8_is_read_as_declared(project: Project) -> None:
    """One or two characters of an older encoding may be valid UTF-8: the setting decides, and nothing else does."""
    content = "/* 模 */\n".encode("gbk")
    assert content.decode() != "/* 模 */\n"
    _write(project, {"a.c": content, ".editorconfig": "[*]\ncharset = gbk\n"})
    assert read_text(project, "a.c").encoding == "utf-8"
    _write(project, {".dce/config.toml": 'encoding = {"*.c" = "gbk"}\n'})
    assert read_text(project, "a.c").text == "/* 模 */\n"


def test_a_declaration_that_cannot_be_right_is_no_evidence(project: Project) -> None:
    """A file that contradicts itself is guessed, in doubt; one that contradicts the settings is refused, and both are named."""
    text = '<meta charset="utf-8">\n' + "Größe, Länge, Änderung, Schlüssel, Übung, öffnen, süß, Straße\n" * 2
    assert decode(text.encode("cp1252")) == (text, "cp1252", "doubtful")
    assert decode(text[23:].encode("cp1252")).certainty == "guessed"
    _write(project, {"a.js": b"// \xff\xfd\n", ".dce/config.toml": 'encoding = {"*.js" = "gbk"}\n'})
    with pytest.raises(DceError, match=r"not valid gbk, which `encoding` in config\.toml says"):
        read_text(project, "a.js")
    assert look(project, "a.js").problem == "it is not text now"


def test_a_superset_is_read_where_the_name_means_one() -> None:
    """As in browsers: Latin-1 with quotation marks is cp1252, gb2312 is GBK; without need, the name is taken at its word."""
    declared = Declared(encodings_of("iso-8859-1"), ".editorconfig")
    assert decode(b"\x93h\xe9\x94", declared) == ("“hé”", "cp1252", "declared")
    assert decode(b"h\xe9", declared) == ("hé", "iso8859-1", "declared")
    assert decode("镕".encode("gbk"), Declared(encodings_of("gb2312"), ".editorconfig")) == ("镕", "gbk", "declared")


def test_the_users_word_is_taken_even_with_control_characters() -> None:
    """A setting whose encoding decodes the bytes is followed; a file's own claim is not, if it gives control characters."""
    content = b"caf\xe9 \x81"
    assert decode(content, Declared(("iso8859-1",), "config.toml")) == ("café \x81", "iso8859-1", "declared")
    assert decode(content, Declared(("iso8859-1",), ".editorconfig")).certainty == "doubtful"


def test_wide_encodings_without_a_mark_can_be_declared(project: Project) -> None:
    """UTF-16 without a byte-order mark looks binary; with a setting it is listed and read."""
    _write(project, {"a.rc": "naïve ы\n".encode("utf-16-le"), "b.rc": b"\0\1\2"})
    assert [entry.excluded for entry in list_files(project)] == ["binary", "binary"]
    _write(project, {".dce/config.toml": 'encoding = {"a.rc" = "utf-16-le"}\n'})
    entries = {entry.path: (entry.excluded, entry.encoding) for entry in list_files(project)}
    assert entries == {"a.rc": ("", "utf-16-le"), "b.rc": ("binary", "")}
    assert read_text(project, "a.rc").text == "naïve ы\n"


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ('encoding = {"*.py" = "cp-no"}', "there is no encoding 'cp-no'"),
        ('encoding = {"*.py" = "rot13"}', "'rot13' is not an encoding that DCE reads"),
        ('encoding = {"*.py" = "utf-7"}', "'utf-7' is not an encoding that DCE reads"),
        ('encoding = {"*.py" = "unicode_escape"}', "is not an encoding that DCE reads"),
        ('encoding = "cp1251"', "is not a table"),
        ('encoding = {"*.py" = 3}', "is not a table"),
    ],
)
def test_a_bad_setting_is_named(project: Project, config: str, message: str) -> None:
    """An encoding that does not exist, and a setting of another form, are errors that name the setting."""
    _write(project, {".dce/config.toml": config + "\n"})
    with pytest.raises(DceError, match=message) as caught:
        Declarations(project)
    assert "encoding in config.toml" in caught.value.message
    assert caught.value.hint
    assert ("Python knows" in caught.value.hint) == ("there is no" in message)


@pytest.mark.parametrize("name", ["utf-7", "rot13", "idna", "cp-no", "mbcs", "hex"])
def test_a_name_that_fails_later_is_not_taken(project: Project, name: str) -> None:
    """`settings set` refuses an encoding that no file can be read in: it would make every verb fail."""
    with pytest.raises(DceError, match="cannot be used"):
        Cards(project.state_dir, KeyVault(project.state_dir, None)).set_value("encoding", f"*.txt={name}")
    assert not (project.state_dir / "config.toml").exists()


def test_editorconfig_is_read_as_its_specification_says(project: Project) -> None:
    """The nearest file wins, in it the last section; braces are alternatives; `root` ends the search; a broken one says nothing."""
    _write(
        project,
        {
            ".editorconfig": "root = true\n[*]\ncharset = latin1\n[*.{ru,bg}]\ncharset = cp1251\n[v{1..3}.txt]\n  charset = cp866\n",
            "deep/.editorconfig": "[*.ru]\ncharset = koi8-r\n",
            "own/.editorconfig": "root = TRUE\n[/top.ru]\ncharset=gbk\n",
            "broken/.editorconfig": b"\xff[*\n",
        },
    )
    declarations = Declarations(project)
    wanted = {
        "a.c": "iso8859-1",
        "a.bg": "cp1251",
        "v2.txt": "cp866",
        "v4.txt": "iso8859-1",
        "deep/er/a.ru": "koi8-r",
        "deep/a.bg": "cp1251",
        "own/top.ru": "gbk",
        "own/in/top.ru": "",
        "broken/a.ru": "cp1251",
    }
    assert {path: (declarations.of(path).encodings or ("",))[0] for path in wanted} == wanted


def test_names_that_are_no_encoding_of_a_file_declare_nothing() -> None:
    """Unknown names, and codecs that are no encoding of text, are passed over."""
    assert declared_in(b"# coding: rot13\n") == declared_in(b"# coding: no-such\n") == ((), "")
    assert declared_in(b"x = 'coding: cp1251'\n") == ((), "")
    assert encodings_of("UTF8") == encodings_of("utf-8-unix") == ("utf-8",)
    assert encodings_of("utf-16") == ("utf-16-le", "utf-16-be")


@pytest.mark.parametrize("path", ["a.py", "src/[id].tsx", "a*b?.c", "back/ü #1.txt"])
def test_the_hint_names_exactly_one_file(project: Project, path: str) -> None:
    """The setting that a refusal proposes can be pasted as it is, and matches this file only, whatever its name."""
    hint = how_to_declare(path, "cp1251")
    line = hint[hint.index("encoding = {") : hint.index("}") + 1]
    _write(project, {".dce/config.toml": line + "\n"})
    declarations = Declarations(project)
    assert declarations.of(path).encodings == ("cp1251",)
    assert not declarations.of(f"x/{path}").encodings
    assert not declarations.of("src/i.tsx").encodings
