"""Marks that do not belong in a file: conflict markers, a diff in place of the text, line numbers, escaped text …

Each kind is one row: its flag, its finder, and the files it applies to. Flags with false alarms are soon ignored, so each finder
looks only for clear signs, and marks that the shown file already had are never flagged: some files are about diffs and conflicts.
"""

import ast
import contextlib
import io
import itertools
import re
import tokenize
from collections.abc import Callable, Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

Finder = Callable[[str, str], int]
"""Takes a file's text and suffix; returns the number of the first line with the mark, 0 if there is none."""

MAX_LINE_CHARS = 1_000
"""Longest line searched for entities: longer ones are minified, and rough matching would mistake patterns for strings there."""

MAX_CHARS = 2_000_000
"""Longest file that is searched for marks."""


def _suffixes(names: str) -> frozenset[str]:
    return frozenset(f".{name}" for name in names.split())


_PROSE = _suffixes("md markdown mdx mdc rst txt adoc org tex log") | {""}
_DIFFS = _suffixes("diff patch rej orig")
_OUTPUTS = _suffixes("txt log out")
_TABLES = _suffixes("csv tsv psv log")
_MARKUP = _suffixes(
    "html htm xhtml xml svg vue svelte astro jsx tsx hbs ejs erb j2 jinja jinja2 twig xsl xslt xaml resx plist"
)
_DATA = _suffixes(
    "csv tsv json jsonl json5 yaml yml toml ini cfg conf po pot properties strings lock ipynb snap srt vtt sum"
)
_CODE = _suffixes(
    "py pyi pyx js mjs cjs jsx ts mts cts tsx java kt kts scala groovy gradle c h cc cpp cxx hpp hh m mm cs fs go rs rb php pl pm lua "
    "r jl swift dart ex exs erl hs ml clj sh bash zsh fish ps1 bat sql css scss sass less vue svelte proto tf graphql zig nim v sol "
    "html htm xml toml ini cfg json yaml yml"
)
_HEREDOCS = _suffixes("sh bash zsh fish rb php pl pm")
_BINARY = _suffixes(
    "png jpg jpeg gif webp ico bmp tif tiff avif heic psd pdf zip gz tgz bz2 xz zst 7z rar jar war whl exe dll so dylib o a pyc class "
    "wasm woff woff2 ttf otf eot mp3 mp4 m4a wav ogg flac avi mov mkv webm sqlite xlsx xls docx doc pptx ppt odt ods parquet npy npz "
    "pkl onnx icns"
)

_FENCE = re.compile(r"[ \t]{0,3}(`{3,}|~{3,})[ \t]*([^`\n]*)$")
_HUNK = re.compile(r"@@ -\d+(?:,\d+)? \+\d+(?:,\d+)? @@")
_DIFF_LINE = re.compile(r"[+\-@\\ ]")
_SEARCH, _REPLACE = re.compile(r"<{5,9} ?SEARCH\b"), re.compile(r">{5,9} ?REPLACE\b|\+{5,9} ?REPLACE\b")
_NUMBERED = re.compile(r"[ \t]*(?:[Ll](?:ine )?)?(\d{1,6})[ \t]*[|│┃→]")
_NUMBERED_CODE = re.compile(r"[ \t]*(?:[Ll](?:ine )?)?(\d{1,6})(?:[ \t]*[|│┃→]|:(?=\s|$)|\t|[.)](?=\s|$)| {2})")
_ENTITY = re.compile(r"&(?:lt|gt|amp|quot|apos|nbsp|#0?39|#34|#x27);")
_BEFORE_TAG = re.compile(r"&lt;/?[A-Za-z!?][^\n]{0,200}?&gt;")
_QUOTED = re.compile(
    r"""/\*.*?(?:\*/|\Z)|<!--.*?(?:-->|\Z)|"{3}.*?(?:"{3}|\Z)|'{3}.*?(?:'{3}|\Z)|`(?:\\.|[^`\\])*(?:`|\Z)"""
    r"""|"(?:\\.|[^"\\\n])*(?:"|(?=\n)|\\?\Z)|'(?:\\.|[^'\\\n])*(?:'|(?=\n)|\\?\Z)|(?://|\#(?!include\b|define\b|if\b|elif\b|import\b)|--\s|;;|%)[^\n]*""",
    re.DOTALL,
)
"""A string or a comment. An unclosed one extends to the end of its line or of the text, so that nothing is scanned twice."""
_SMART = re.compile(r"[=(\[{,:+]\s*[“”‘„][^“”‘’„\n]{0,200}[“”’]|\b(?:return|import|from|print|echo|case)\s+[“”‘„]")  # noqa: RUF001
_SMART_ANY = re.compile("[“”‘’„]")  # noqa: RUF001


class Mark(NamedTuple):
    """A kind of mark: its flag, its name in a sentence, its finder, and the suffixes it applies to or not (None: all)."""

    flag: str
    says: str
    find: Finder
    only: frozenset[str] | None = None
    never: frozenset[str] = frozenset()


class Found(NamedTuple):
    """A mark of a file, and the line that shows it."""

    flag: str
    says: str
    line: int


def found(path: str, content: str, shown: str | None) -> Iterator[Found]:
    """The marks in a file that the shown text did not have (`shown` None: the file was not shown)."""
    if len(content) > MAX_CHARS or content == shown:
        return
    suffix = PurePosixPath(path).suffix.lower()
    for mark in MARKS:
        if suffix in mark.never or (mark.only is not None and suffix not in mark.only):
            continue
        line = mark.find(content, suffix)
        if line and not (shown and mark.find(shown, suffix)):
            yield Found(mark.flag, mark.says, line)


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").split("\n")


def _outside_fences(text: str, suffix: str) -> list[tuple[int, str]]:
    """The numbered lines of a file; for prose, without fenced examples."""
    lines = list(enumerate(_lines(text), start=1))
    if suffix not in _PROSE:
        return lines
    kept, fence = [], ""
    for number, line in lines:
        mark = _FENCE.match(line)
        if mark and not fence:
            fence = mark[1]
        elif mark and mark[1].startswith(fence) and not mark[2].strip():
            fence = ""
        elif not fence:
            kept.append((number, line))
    return kept


def _conflict(text: str, suffix: str) -> int:
    """Conflict marks as git and diff3 write them, in their order. A line of `=======` alone may underline a title."""
    begin = middle = 0
    for number, line in _outside_fences(text, suffix):
        if re.match(r"<{7}(?: (?!SEARCH\b)\S|$)", line):
            begin, middle = number, 0
        elif begin and line.rstrip() == "=======":
            middle = number
        elif begin and middle and re.match(r">{7}(?: (?!REPLACE\b)\S|$)", line):
            return begin
    return 0


def _edit(text: str, suffix: str) -> int:
    """SEARCH/REPLACE marks: an edit in place of the whole file."""
    begin = 0
    for number, line in _outside_fences(text, suffix):
        if _SEARCH.match(line):
            begin = number
        elif begin and _REPLACE.match(line):
            return begin
    return 0


def _diff(text: str, suffix: str) -> int:
    """A diff in place of the text: the file begins like one, or consists of hunk lines; in code, a hunk anywhere."""
    whole = _lines(text)
    lines = [(number, line) for number, line in enumerate(whole, start=1) if line.strip()]
    lines = list(itertools.dropwhile(lambda line: _FENCE.match(line[1]) is not None, lines))
    if not lines:
        return 0
    number, first = lines[0]
    second = lines[1][1] if len(lines) > 1 else ""
    begins = first.startswith(("diff --git ", "*** Begin Patch", "Index: ")) or bool(_HUNK.match(first))
    if begins or (first.startswith("--- ") and second.startswith("+++ ")):
        return number
    if suffix not in _CODE:
        return 0
    if second and all(_DIFF_LINE.match(line) for _, line in lines):
        signs = {line[0] for _, line in lines}
        return number if "+" in signs and signs & {"-", " "} else 0
    hunks = [at for at, line in lines if _HUNK.match(line) and _has_changes(whole[at : at + 8])]
    return next(iter(_unquoted(hunks, text)), 0)


def _has_changes(lines: Sequence[str]) -> bool:
    return any(line.startswith(("+", "-")) for line in lines)


def _line_numbers(text: str, suffix: str) -> int:
    """Every line with text begins with its number; blank lines may or may not be counted."""
    pattern = _NUMBERED_CODE if suffix in _CODE - _DATA else _NUMBERED
    first = last = blank = 0
    for number, line in enumerate(_lines(text), start=1):
        if not line.strip():
            blank += 1
            continue
        mark = pattern.match(line)
        if mark is None or (first and int(mark[1]) not in {last + 1, last + 1 + blank}):
            return 0
        first, last, blank = first or number, int(mark[1]), 0
    return first


def _smart_quotes(text: str, suffix: str) -> int:
    """Typographic quotes where the language allows only straight ones."""
    if not _SMART_ANY.search(text):
        return 0
    if suffix in {".py", ".pyi"}:
        try:
            ast.parse(text)
        except SyntaxError as error:
            is_quote = "invalid character" in (error.msg or "") and _SMART_ANY.search(error.msg or "")
            return (error.lineno or 1) if is_quote else 0
        except (ValueError, RecursionError, MemoryError):
            return 0
        return 0
    hit = _SMART.search(_blanked(text))
    return _line_at(text, hit.start()) if hit else 0


def _entities(text: str, suffix: str) -> int:
    """Entities outside strings and comments of code; a markup file whose own tags are escaped."""
    start = text.lstrip("\ufeff \t\r\n")
    if start.startswith("<![CDATA["):
        return _line_at(text, text.index("<![CDATA["))
    if suffix in _MARKUP:
        is_all = "&lt;" in text and "<" not in text and bool(_BEFORE_TAG.search(text))
        return _line_at(text, text.index("&lt;")) if is_all or start.startswith("&lt;") else 0
    if suffix in _PROSE or suffix in _DATA or not _ENTITY.search(text):
        return 0
    if suffix in {".py", ".pyi"}:
        return _entity_token(text)
    lines = zip(_lines(text), _lines(_blanked(text)), strict=True)
    return next((number for number, (line, code) in enumerate(lines, start=1) if _has_bare_entity(line, code)), 0)


def _has_bare_entity(line: str, code: str) -> bool:
    """Whether a line's code has an entity. One after a quote counts as part of a string, even after a pattern like `/"/`."""
    hits = _ENTITY.finditer(code) if len(line) <= MAX_LINE_CHARS else ()
    return any(line[hit.start() - 1 : hit.start()] not in {'"', "'", "`"} for hit in hits)


def _entity_token(text: str) -> int:
    """The line of the first `&lt;` that Python takes for code, not for a part of a string."""
    tokens: list[tokenize.TokenInfo] = []
    with contextlib.suppress(tokenize.TokenError, SyntaxError, ValueError):  # the tokens before the error are enough
        tokens.extend(tokenize.generate_tokens(io.StringIO(text).readline))
    for one, two, three in zip(tokens, tokens[1:], tokens[2:], strict=False):
        is_glued = one.end == two.start and two.end == three.start
        if is_glued and one.string == "&" and three.string == ";" and _ENTITY.fullmatch(f"&{two.string};"):
            return one.start[0]
    return 0


def _blanked(text: str) -> str:
    """Code with strings and comments blanked, positions kept. It is rough, for any language: what remains is certainly code."""
    return _QUOTED.sub(lambda part: re.sub(r"[^\n]", " ", part[0]), text)


def _binary(text: str, suffix: str) -> int:  # noqa: ARG001 - a finder's form
    """Any text: these formats contain bytes that no answer can write, so base64 and remarks are flagged alike."""
    return 1 if text.strip() else 0


def _around_fence(text: str, suffix: str) -> int:
    """A code fence meant to wrap the file, with text before or after it."""
    lines = [(number, line) for number, line in enumerate(_lines(text), start=1) if line.strip()]
    marks = [(number, mark) for number, line in lines if (mark := _FENCE.fullmatch(line.rstrip())) is not None]
    if not marks or len(lines) < 2:
        return 0
    number, mark = marks[0]
    is_first = number == lines[0][0]
    if suffix in _PROSE:
        is_wrapping = is_first and mark[2].strip().lower() in {"markdown", "md"} and marks[-1][0] < lines[-1][0]
        return marks[-1][0] if is_wrapping and len(marks) % 2 == 0 else 0
    if is_first:
        return marks[-1][0]
    unquoted = _unquoted([line for line, _ in marks], text)
    is_loose = bool(unquoted) and (suffix not in _DATA | _HEREDOCS or len(unquoted) % 2 == 1)
    return unquoted[0] if is_loose else 0


def _unquoted(numbers: Sequence[int], text: str) -> list[int]:
    """The lines that are not inside a multi-line string or comment."""
    if not numbers:
        return []
    lines = _lines(text)
    for number in numbers:
        lines[number - 1] = "@"  # a backtick would begin a string
    blanked = _lines(_blanked("\n".join(lines)))
    return [number for number in numbers if blanked[number - 1].strip()]


def _line_at(text: str, offset: int) -> int:
    return text.count("\n", 0, offset) + 1


MARKS = (
    Mark("conflict_marks", "conflict marks", _conflict, never=_DIFFS),
    Mark("diff_in_file", "a diff in place of its text", _diff, never=_DIFFS | _OUTPUTS),
    Mark("edit_in_file", "SEARCH/REPLACE marks in place of its text", _edit),
    Mark("line_numbers", "a number before every line", _line_numbers, never=_TABLES),
    Mark("smart_quotes", "typographic quotes in place of straight ones", _smart_quotes, only=_CODE - _MARKUP),
    Mark("escaped_text", "escaped text (entities or CDATA) in place of the characters", _entities),
    Mark("binary_as_text", "text, though its name is that of a binary file", _binary, only=_BINARY),
    Mark("text_around_fence", "a code fence that was to wrap it, with text around", _around_fence),
)
"""Every kind of mark, in the order in which they are reported."""
