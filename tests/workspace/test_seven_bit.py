"""Encodings whose bytes are all ASCII: ISO-2022-JP and its kin, which change to other characters by escape sequences."""

from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.accepting.accept import accept, plan
from dce.workspace.project import Project
from dce.workspace.tree.declared import Declared
from dce.workspace.tree.encodings import decode
from dce.workspace.tree.files import list_files, read_text
from dce.workspace.tree.text_reader import TextReader
from tests.workspace.judging import Bench

JAPANESE = "# 設定ファイル\nname = 1\n# 日本語の説明\n"
KOREAN = "# 한국어 설명\nname = 1\n"
CHINESE = "# 中文说明\nname = 1\n"
KINDS = [("iso2022_jp", JAPANESE), ("iso2022_jp_ext", "# ｶﾅ 設定\nname = 1\n"), ("iso2022_kr", KOREAN), ("hz", CHINESE)]


@pytest.mark.parametrize(("encoding", "text"), KINDS)
def test_a_declared_seven_bit_encoding_is_read_and_written(tmp_path: Path, encoding: str, text: str) -> None:
    """The settings name it: the prompt shows characters, and an edited file keeps its encoding, every untouched line byte for byte."""
    config = f'encoding = {{"*.txt" = "{encoding}"}}\n'
    bench = Bench(tmp_path, {"a.txt": text.encode(encoding), ".dce/config.toml": config})
    assert read_text(bench.project, "a.txt").text == text
    file = TextReader(bench.project).read("a.txt")
    assert (file.text, file.encoding, file.certainty) == (text, encoding, "declared")
    after = text.replace("name", "title") + text.partition("\n")[0] + "\n"
    accept(bench, bench.answer({"a.txt": after}), 1)
    assert (tmp_path / "a.txt").read_bytes() == after.encode(encoding)


@pytest.mark.parametrize("named", ["iso-2022-jp", "ISO-2022-JP", "csiso2022jp"])
def test_a_file_may_name_it_itself(named: str) -> None:
    """A declaration inside the file counts, in any spelling; one of the settings counts more."""
    text = f'<meta charset="{named}">\n設定\n'
    assert decode(text.encode("iso2022_jp")) == (text, "iso2022_jp", "declared")
    assert decode(text.encode("iso2022_jp"), Declared(("iso2022_jp_3",), "config.toml")).encoding == "iso2022_jp_3"


def test_a_superset_is_read_where_the_name_means_one(tmp_path: Path) -> None:
    """Half-width kana, which ISO-2022-JP proper lacks, are read under its name."""
    text = "# ｶﾅ 設定\n"
    config = 'encoding = {"*.txt" = "iso-2022-jp"}\n'
    bench = Bench(tmp_path, {"a.txt": text.encode("iso2022_jp_ext"), ".dce/config.toml": config})
    assert read_text(bench.project, "a.txt").text == text


def test_undeclared_it_is_a_guess(tmp_path: Path) -> None:
    """Without a declaration it is recognised, called a guess, and written only with the words that it has."""
    bench = Bench(tmp_path, {"a.txt": JAPANESE.encode("iso2022_jp")})
    file = read_text(bench.project, "a.txt")
    assert (file.text, file.encoding, file.certainty) == (JAPANESE, "iso2022_jp", "guessed")
    assert [entry.encoding for entry in list_files(bench.project)] == ["older"]
    generation = bench.answer({"a.txt": JAPANESE + "# 新しい\n"}, {"a.txt": JAPANESE.replace("1", "2")})
    assert "only guessed" in plan(bench, generation, 1)[0].refused
    accept(bench, generation, 2)
    assert (tmp_path / "a.txt").read_bytes() == JAPANESE.replace("1", "2").encode("iso2022_jp")


@pytest.mark.parametrize(
    "content", [b"a\x1b[31mred\x1b[0m\n", b"x = {~{}}\n", b"plain\n", b"esc ) \x1b(B\n", b"\x1b$no\n"]
)
def test_other_ascii_stays_utf8(tmp_path: Path, content: bytes) -> None:
    """Colours of a terminal, braces and broken sequences are what they were; a setting for all files changes plain ASCII nowhere."""
    assert decode(content) == (content.decode(), "utf-8", "known")
    for name in ("hz", "utf-16-le", "cp037", "shift_jisx0213"):
        if name != "hz" or b"~" not in content:
            assert decode(content, Declared((name,), "config.toml")).encoding == "utf-8"
    (tmp_path / "a.txt").write_bytes(content)
    assert read_text(Project.init(tmp_path), "a.txt").encoding == "utf-8"


def test_a_setting_that_cannot_be_right_is_refused() -> None:
    """Bytes with escape sequences that the declared encoding does not have are not shown as they are."""
    with pytest.raises(ValueError, match=r"not valid iso2022_jp, which `encoding` in config\.toml says"):
        decode(b"\x1b$Bxx", Declared(("iso2022_jp",), "config.toml"))


def test_a_file_that_would_not_come_back_is_not_written(tmp_path: Path) -> None:
    """Bytes that this encoding would write otherwise (a doubled escape) are refused, never changed unasked."""
    config = 'encoding = {"*.txt" = "iso2022_jp"}\n'
    bench = Bench(tmp_path, {"a.txt": b"\x1b$B\x1b$B@_Dj\x1b(B\n1\n", ".dce/config.toml": config})
    generation = bench.answer({"a.txt": "設定\n2\n"})
    with pytest.raises(DceError, match="not text"):
        accept(bench, generation, 1)
