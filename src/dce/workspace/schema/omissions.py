"""Finds lines of a new text that stand in for lines of the old one: `// etc.`, `...`, `# без изменений`, or any comment in place of a block.

Words alone prove little: `// unchanged since 2019` is an ordinary comment. So a line counts only if it is new, if it is a remark (a
comment or dots), and if lines are gone at its place. How many must be gone depends on how clearly the line says so.
"""

import difflib
import re
from collections.abc import Iterator, Sequence
from pathlib import PurePosixPath
from typing import NamedTuple

from dce.workspace.tree.lines import split_lines

CLEAR_LOSS = 2
"""Lines that must be gone where a new remark says clearly that something is left out."""

VAGUE_LOSS = 4
"""Lines that must be gone where only remarks stand, one of them with a word such as "same" or "here"."""

WORDLESS_LOSS = 20
"""Lines of code that must be gone where only one or two remarks stand, whatever they say."""

MAX_REMARKS = 2
"""How many remarks may stand in for a block. A longer comment is more likely to explain something."""

MAX_COMPARED_LINES = 10_000
"""Most differing lines that are compared, as for the diff: more would take seconds."""

MAX_CLEAR_WORDS = 14
"""Longer remarks explain something, whatever words they hold."""

MAX_REMARK_CHARS = 200
"""Longest line that counts as a remark."""

_PROSE = frozenset({".md", ".markdown", ".mdx", ".mdc", ".rst", ".txt", ".adoc", ".org"})
_DOTS = re.compile(r"(?:\.{2,}|…|⋯|⋮|(?:\. ){2,}\.)")
_OPENING = re.compile(
    r"(?:\{\s*/\*|/\*+|//+|<!--|<%--|\{\{!(?:--)?|\{#|\(\*|\{-|--(?=[\s.…\[(-]|$)|%+(?=[\s.…\[(]|$)|;+(?=[\s.…\[(]|$)|!(?=\s)|'(?=\s)"
    r"|\*(?=[\s.…]|$)|(?:REM|dnl)\b|::(?=\s)"
    r"|#+(?!\s*(?:include|define|if|ifdef|ifndef|else|elif|endif|pragma|undef|error|warning|import|using|region|endregion)\b|[!\[\w]))",
    re.IGNORECASE,
)
_MARKUP = re.compile(r"(?:<!--|\{\s*/\*|\{/\*)")
_CLOSING = re.compile(r"\s*(?:\*+/\s*\}?|--%?>|--\}\}|\}\}|#\}|\*\)|-\})\s*$")
_TRAILING = re.compile(r"^\s*(?:pass|return|\{|\}|\.\.\.|\w+\s*=\s*\.\.\.)?;?\s*(?=//|#\s|/\*|<!--|--\s)")
_BLOCK = re.compile(r"/\*|<!--")
_BLOCK_END = re.compile(r"\*/|-->")
_CLEAR = re.compile(
    r"\b(?:unchanged|unmodified|untouched|unaltered|omitted|omit(?:ting)?|elided|snip(?:ped)?|truncated|abbreviated|abridged|skipped|"
    r"remain(?:der|ing)|the rest|rest of|etc|and so (?:on|forth)|for brevity|identical|left out|left as[ -]is|as[ -]is|as before|"
    r"no (?:other |further |functional )?changes?|not changed|not shown|continue[sd]?|existing (?:code|content|implementation|methods?|"
    r"functions?|logic|tests?|imports?|file|lines?|body)|(?:same|original|previous|current) (?:as|code|content|implementation|file|text)|"
    r"(?:implementation|code|content|body|logic|lines?) (?:goes )?here|keep (?:the |all |this |everything )|stays? the same|"
    r"unverändert\w*|bleib\w* (?:gleich|wie)|ausgelassen|weggelassen|gekürzt|wie (?:bisher|zuvor|gehabt|vorher)|usw|restliche\w*|"
    r"inchangée?s?|(?:le )?reste (?:du|de)|omise?s?|identiques?|comme avant|sans changements?|sin (?:cambios|modificar)|resto del?|"
    r"omitid[oa]s?|idénticos?|igual que|sem (?:alterações|mudanças)|restante d[oa]|inalterad[oa]s?|invariat[oaie]|senza modifiche|"
    r"omess[oaie]|come prima|ongewijzigd\w*|weggelaten|bez zmian|pominięt\w+|reszta|beze změn|zbytek|oförändra\w+|resten av|uændre\w+|"
    r"uendre\w+|değişme\w+|geri kalan\w*|tidak berubah|sisanya|không (?:thay )?đổi|giữ nguyên|phần còn lại|neschimbat\w*|restul)\b|"
    r"остальн|без измен|не измен|пропущ|опущен|сокращен|и т\. ?д|и так далее|как (?:раньше|прежде|было)|прежн|решта|без змін|пропущен|"
    r"其余|其他(?:代码|部分|内容|方法|函数)|剩余|剩下|省略|不变|未(?:改|修改|更改|变)|无(?:变化|改动|需修改)|同上|原有|现有代码|保持原样|"
    r"其餘|不變|剩餘|變更なし|変更なし|変更無し|以下同|残り|既存の|そのまま|생략|나머지|변경 ?없|기존 ?코드|동일|دون تغيير|بدون تغيير|باقي|"
    r"अपरिवर्तित|शेष|ללא שינוי|χωρίς αλλαγ",
    re.IGNORECASE,
)
_VAGUE = re.compile(
    r"\b(?:same|similar|rest|other|others|existing|original|previous(?:ly)?|here|above|below|earlier|more|again|keep|kept|stays?|remains?|"
    r"unnecessary|placeholder|code|lines|content|todo|insert|copy|paste|gleich|hier|igual|même|ici|aquí|aqui|qui)\b",
    re.IGNORECASE,
)


class _Place(NamedTuple):
    """A place where the texts differ: the lines that are gone and those that are new, without blank ones."""

    gone: list[str]
    new: list[str]


def omission(before: str, after: str, path: str = "") -> str:
    """The first line of `after` that stands in for lines of `before`, trimmed; "" if there is none."""
    is_prose = PurePosixPath(path).suffix.lower() in _PROSE
    old, new = split_lines(before.replace("\r\n", "\n")), split_lines(after.replace("\r\n", "\n"))
    known = {line.strip() for line in old}
    if not any(line.strip() not in known and _remark(line, is_prose=is_prose) is not None for line in new):
        return ""
    for place in _places(old, new):
        line = _stand_in(place, known, is_prose=is_prose)
        if line:
            return line
    return ""


def _stand_in(place: _Place, known: set[str], *, is_prose: bool) -> str:
    """The remark that stands in for what is gone at this place; "" if none does."""
    remarks = [(line, _remark(line, is_prose=is_prose)) for line in place.new]
    fresh = [(line.strip(), said) for line, said in remarks if said is not None and line.strip() not in known]
    code = [line for line, said in remarks if said is None]
    gone = len(place.gone) - len(code)
    for line, said in fresh:
        if gone >= CLEAR_LOSS and _is_clear(said):
            return line
    if not fresh or code or len(remarks) > MAX_REMARKS:
        return ""
    vague = next((line for line, said in fresh if _VAGUE.search(said)), "")
    if vague and len(_code(place.gone)) >= VAGUE_LOSS:
        return vague
    return fresh[0][0] if len(_code(place.gone)) >= WORDLESS_LOSS else ""


def _is_clear(said: str) -> bool:
    """Whether a remark is nothing but dots, or says that something is left out."""
    return not re.search(r"\w", said) or (len(said.split()) <= MAX_CLEAR_WORDS and _CLEAR.search(said) is not None)


def _remark(line: str, *, is_prose: bool) -> str | None:
    """What a line says if it is nothing but a comment or dots; None if it is anything else."""
    text = line.strip()
    if not text or len(text) > MAX_REMARK_CHARS:
        return None
    bare = text.strip("[]()<>{}*_-–—=~`#/ ")
    if _DOTS.fullmatch(bare) or (_DOTS.match(bare) and _DOTS.search(bare[2:]) and _CLEAR.search(bare)):
        return bare
    if re.fullmatch(r"[\[(<{].*[\])>}]", text) and not re.search(r"[=;\"',/]", text) and _CLEAR.search(text):
        return bare if " " in bare or text[0] in "[(" else None
    opening = (_MARKUP if is_prose else _OPENING).match(text)
    if opening is None and not is_prose and (trailing := _TRAILING.match(text)) is not None and trailing.end():
        text = text[trailing.end() :]
        opening = _OPENING.match(text)
    if opening is None:
        return None
    said = _CLOSING.sub("", text[opening.end() :]).strip(" \t*/#-")
    # A bare comment sign, or a rule of dashes, says nothing.
    return said if re.search(r"\w", said) or _DOTS.search(said) else None


def _code(lines: Sequence[str]) -> list[str]:
    """The lines that are no comments: a licence or an explanation may well shrink to one line."""
    kept, is_inside = [], False
    for line in lines:
        text = line.strip()
        begins = is_inside or _BLOCK.match(text) is not None
        is_inside = begins and _BLOCK_END.search(text) is None
        if not begins and _OPENING.match(text) is None:
            kept.append(line)
    return kept


def _places(old: Sequence[str], new: Sequence[str]) -> Iterator[_Place]:
    """The places where lines are gone and others are new; places that only brackets or blank lines separate are one."""
    head, most = 0, min(len(old), len(new))
    while head < most and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < most - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    old, new = old[head : len(old) - tail], new[head : len(new) - tail]
    if len(old) + len(new) > MAX_COMPARED_LINES:
        return
    gone, fresh = list[str](), list[str]()
    for tag, i1, i2, j1, j2 in difflib.SequenceMatcher(None, old, new).get_opcodes():
        if tag == "equal" and any(re.search(r"\w", line) for line in old[i1:i2]):
            if gone and fresh:
                yield _Place(gone, fresh)
            gone, fresh = [], []
        elif tag != "equal":
            gone += [line for line in old[i1:i2] if line.strip()]
            fresh += [line for line in new[j1:j2] if line.strip()]
    if gone and fresh:
        yield _Place(gone, fresh)
