"""Guessing the encoding of a file that is not UTF-8, measured on a corpus. `-s` prints the confusion table."""

import sys
from collections import Counter
from pathlib import Path

import pytest

from dce.workspace.tree.encodings import decode
from dce.workspace.tree.guessing import MAX_EXAMINED_BYTES, guess
from tests.workspace.encoding_corpus import ENCODINGS, SENTENCES, samples

INPUTS = Path(__file__).parents[1] / "fixtures/faults/02-old-encodings-guessed"

MIN_RIGHT_SHARE = 0.99
"""Files whose text is exactly right. The reader before this one had 49 %, chardet alone has 99.1 %."""

MIN_CERTAIN_SHARE = 0.7
"""Files whose text is right and not in doubt."""


def test_no_guess_on_the_corpus_is_wrong_without_being_doubtful() -> None:
    """Of 680 files in 34 pairs of encoding and language, 99 % are read exactly, and every wrong text is marked as doubtful."""
    outcomes: Counter[tuple[str, str, str]] = Counter()
    for sample in samples():
        text, encoding, certainty = decode(sample.content)
        outcome = "right" if text == sample.text else f"wrong ({encoding})"
        outcomes[sample.encoding, sample.language, f"{outcome}, {certainty}"] += 1
    for (encoding, language, outcome), count in sorted(outcomes.items()):
        sys.stdout.write(f"{encoding:12} {language:6} {count:3} {outcome}\n")
    right = sum(count for (*_, outcome), count in outcomes.items() if outcome.startswith("right"))
    certain = sum(count for (*_, outcome), count in outcomes.items() if outcome == "right, guessed")
    total = outcomes.total()
    sys.stdout.write(f"{right} of {total} right, {certain} of them certain\n")
    assert len(ENCODINGS) * 20 == total
    assert not [key for key in outcomes if key[2].startswith("wrong") and not key[2].endswith("doubtful")]
    assert right >= MIN_RIGHT_SHARE * total
    assert certain >= MIN_CERTAIN_SHARE * total


@pytest.mark.parametrize(
    ("name", "encoding", "words"),
    [("ru.py", "cp1251", "Привет мир"), ("pl.py", "iso8859-2", "Zażółć gęślą jaźń"), ("zh.c", "gbk", "初始化配置参数")],
)
def test_common_encodings_win_over_rare_ones(name: str, encoding: str, words: str) -> None:
    """[02] cp1251 is not taken for mac_cyrillic, Latin-2 not for iso8859_10, a short comment in GBK not for cp1252."""
    decoded = decode((INPUTS / f"{name}.txt").read_bytes())
    assert (decoded.encoding, decoded.certainty) == (encoding, "guessed")
    assert words in decoded.text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [("# caf\u00e9\n", "cp1252"), ("# Дата\n", "cp1251"), ("/* 配置 */\n", "gbk"), ("# Größe und Länge\n", "cp850")],
)
def test_a_word_or_two_are_always_in_doubt(text: str, encoding: str) -> None:
    """A guess from very little text, and one of a rare encoding, is never more than doubtful."""
    found = guess(text.encode(encoding))
    assert found is not None
    assert found.is_doubtful


@pytest.mark.parametrize(
    ("encoding", "language"), [("cp1251", "ru"), ("cp1252", "fr"), ("cp1250", "pl"), ("gbk", "zh"), ("euc_jp", "ja")]
)
def test_a_repeated_line_is_no_more_evidence_than_one(encoding: str, language: str) -> None:
    """The same line a hundred times gives the guess, and the doubt, that it gives once; ASCII around it changes nothing."""
    line = f"# {SENTENCES[language].splitlines()[0]}\n"
    once = guess(line.encode(encoding))
    assert guess((line * 100).encode(encoding)) == once
    assert guess((f"x = 1\n{line}y = 2\n" * 100).encode(encoding)) == once


@pytest.mark.parametrize(
    ("encoding", "language"),
    [("cp850", "de"), ("cp852", "pl"), ("mac_roman", "fr"), ("mac_cyrillic", "ru"), ("iso8859-5", "ru")],
)
def test_a_rare_encoding_is_in_doubt_however_long_the_text(encoding: str, language: str) -> None:
    """A long text in a rare encoding is read as it is, and still in doubt."""
    found = guess(SENTENCES[language].encode(encoding))
    assert found is not None
    assert SENTENCES[language].encode(encoding).decode(found.encoding) == SENTENCES[language]
    assert found.is_doubtful


def test_text_in_two_encodings_is_in_doubt() -> None:
    """A file to which people have added in different encodings is never read with certainty."""
    one, other = SENTENCES["ru"].encode("cp1251"), SENTENCES["ru"].encode("koi8-r")
    assert guess(one) == guess(one + b"\n")
    assert not guess(one).is_doubtful  # type: ignore[union-attr]
    for content in (one + b"\n" + other[:60], one * 3 + b"\n" + other[:40], other + b"\n" + one[:60]):
        assert guess(content).is_doubtful  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "text",
    [
        "# アプリケーションサーバー\n",
        "# ファイルディレクトリ\n# メニューバー\n",
        'name = "%(user)s データベースエラー"\n# キャンセルボタン\n',
    ],
)
def test_a_text_that_resembles_nothing_is_in_doubt(text: str) -> None:
    """Katakana in EUC-JP can be read as Thai of a kind that nobody writes: that is never certain."""
    found = guess(text.encode("euc_jp"))
    assert found is None or found.is_doubtful or text.encode("euc_jp").decode(found.encoding) == text


def test_repeated_lines_do_not_hide_the_telling_ones() -> None:
    """The lines examined are different ones: a line that fills the beginning of a file is looked at once."""
    content = b"# \xe9\n" * MAX_EXAMINED_BYTES + SENTENCES["fr"].encode("cp1252")
    found = guess(content)
    assert found is not None
    assert (found.encoding, found.is_doubtful) == ("cp1252", False)


def test_a_character_cut_at_the_end_of_what_is_examined_does_no_harm() -> None:
    """Only the beginning of a large file is examined, wherever that cuts a character; all of it is decoded."""
    for shift in range(3):
        lines = [f"# {number} {SENTENCES['zh'].splitlines()[number % 10]}\n" for number in range(2000)]
        text = "#" * shift + "".join(lines)
        content = text.encode("gbk")
        assert len(content) > MAX_EXAMINED_BYTES
        assert decode(content) == (text, "gbk", "guessed")


def test_a_wrong_byte_in_utf8_is_no_reason_to_read_all_of_it_as_something_else() -> None:
    """UTF-8 with a few wrong bytes is refused, naming the first one; a few valid pairs by accident do not make UTF-8."""
    text = f"# {SENTENCES['ru']}\n"
    with pytest.raises(ValueError, match="UTF-8 but for 1 byte, the first one in line 11: 0xe9"):
        decode(text.encode() + b"# caf\xe9\n")
    with pytest.raises(ValueError, match="UTF-8 but for 2 bytes, the first one in line 1: 0xff"):
        decode(b"\xff" + text.encode() + b"\xff\n")
    assert decode(text.encode("cp1251") + "# Ж\n".encode()).encoding == "cp1251"


def test_what_no_candidate_decodes_is_no_text() -> None:
    """Bytes that no encoding in use reads as words are refused; control characters make a file binary."""
    with pytest.raises(ValueError, match="neither UTF-8 nor an encoding that can be guessed"):
        decode(bytes(number for number in range(128, 256) if number not in {0x9A, 0xA0}))
    with pytest.raises(ValueError, match="binary"):
        decode(b"\x00\x01\xff\xfe\xfd")
