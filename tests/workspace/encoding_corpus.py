"""A corpus of source files in older encodings: comments and strings of eighteen languages, as programmers write them.

Each language has ten sentences, in `fixtures/encodings/sentences.toml`. Of each encoding there are twenty files: ten with one sentence,
ten with several.
"""

import tomllib
from collections.abc import Iterator
from pathlib import Path

import msgspec

SENTENCES: dict[str, str] = tomllib.loads(
    (Path(__file__).parents[1] / "fixtures/encodings/sentences.toml").read_text("utf-8")
)
"""Language → ten sentences."""

ENCODINGS = (
    *(("cp1252", language) for language in ("fr", "pt", "sv", "de", "es")),
    *((("iso8859-15", "fr"), ("iso8859-1", "de"), ("cp850", "de"), ("mac_roman", "fr"))),
    *(("cp1250", language) for language in ("pl", "cs", "hu")),
    *(("iso8859-2", language) for language in ("pl", "cs", "hu")),
    *(("cp852", "pl"),),
    *((encoding, "ru") for encoding in ("cp1251", "koi8-r", "cp866", "mac_cyrillic", "iso8859-5")),
    *(("cp1251", "uk"), ("koi8-u", "uk")),
    *(("cp1253", "el"), ("iso8859-7", "el"), ("cp1254", "tr"), ("cp1255", "he"), ("cp1256", "ar")),
    *(("gbk", "zh"), ("gb18030", "zh"), ("big5", "zh_TW"), ("shift_jis", "ja"), ("euc_jp", "ja"), ("euc_kr", "ko")),
)
"""Encoding and language: 34 pairs, 25 encodings."""

_TEMPLATES = (
    "# {0}\nimport sys\n\nvalue = 1\n",
    "/* {0} */\nint main(void) {{\n\treturn 0;\n}}\n",
    'print("{0}")\n',
    "<?php\n// {0}\n$count = count($rows);\n",
    "-- {0}\nSELECT name FROM users;\n",
    "# {0}\n# {1}\ndef run(path):\n    return open(path)\n",
    '/**\n * {0}.\n * {1}.\n */\nString text = "{2}";\n',
    "; {0}\n[main]\nlabel={1}\nhelp={2}\n",
    "// {0}\nfunction load() {{\n  // {1}\n  throw new Error('{2}: {3}');\n}}\n",
    '"""{0}.\n\n{1}. {2}.\n"""\nNAME = "{3}"\nLONG = "{4}"\n',
)
"""The first five hold one sentence."""


class Sample(msgspec.Struct, frozen=True):
    """A source file in an older encoding."""

    encoding: str
    language: str
    text: str
    content: bytes


def samples() -> Iterator[Sample]:
    """Twenty files of each encoding and language. Each sentence is used alone once, and several times with others."""
    for encoding, language in ENCODINGS:
        sentences = SENTENCES[language].split("\n")
        assert len(sentences) == 10
        for number in range(20):
            template = _TEMPLATES[number % 5 + 5 * (number // 10)]
            text = template.format(*(sentences[(number + 3 * step) % 10] for step in range(5)))
            yield Sample(encoding, language, text, text.encode(encoding))
