"""Guesses the encoding of bytes that are not UTF-8, when nothing names it. chardet scores the candidates; DCE decides among them.

What must always hold: only encodings in use are candidates, and a rare one wins only where no common one fits; a guess that could
be another encoding is doubtful. The numbers are from `tests/workspace/encoding_corpus.py` and the translations of Django and Sphinx.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping

import msgspec

MAX_EXAMINED_BYTES = 16_384
"""How much of the telling lines is examined: a few hundred lines say as much as thousands, which would take a tenth of a second."""

MIN_WORDS = 3
"""With fewer different words outside ASCII, every guess is doubtful: a word or two make sense in several encodings."""

MIN_IDEOGRAPHS = 6
"""The same for scripts that put no space between words, in different characters."""

FEW = 6
"""With fewer different words, or letters outside ASCII, than this, other readings must be much less likely."""

MAX_RIVAL_SHARE, MAX_RIVAL_SHARE_OF_FEW = 0.8, 0.5
"""A guess is doubtful if another text gets more than this share of its score."""

MIN_SCORE = 0.03
"""A guess with a lower score is doubtful: nothing that chardet knows looks like this text."""

MAX_FLAWED_SHARE = 0.02
"""A guess is doubtful if a larger share of its words outside ASCII has a flaw."""

MAX_FLAWED_SHARE_OF_TEXT = 0.8
"""Where more words than this have a flaw, the bytes are no text in any encoding that DCE can guess."""

_FLAW_POWER = 3
"""How much flaws cost: the score is multiplied by the share of words without a flaw, to this power."""

_COMMON: Mapping[str, str] = {
    "cp1252": "LATIN",
    "iso8859-15": "LATIN",
    "cp1250": "LATIN",
    "iso8859-2": "LATIN",
    "cp1257": "LATIN",
    "cp1254": "LATIN",
    "cp1251": "CYRILLIC",
    "koi8-r": "CYRILLIC",
    "koi8-u": "CYRILLIC",
    "cp866": "CYRILLIC",
    "cp1253": "GREEK",
    "iso8859-7": "GREEK",
    "cp1255": "HEBREW",
    "iso8859-8": "HEBREW",
    "cp1256": "ARABIC",
    "cp874": "THAI",
    "gb18030": "CHINESE",
    "big5hkscs": "CHINESE",
    "cp932": "JAPANESE",
    "euc_jis_2004": "JAPANESE",
    "cp949": "HANGUL",
}
"""Encoding → the script of its texts, beside ASCII."""

_RARE: Mapping[str, str] = {
    "cp850": "LATIN",
    "cp437": "LATIN",
    "cp852": "LATIN",
    "mac-roman": "LATIN",
    "mac-latin2": "LATIN",
    "iso8859-16": "LATIN",
    "iso8859-5": "CYRILLIC",
    "mac-cyrillic": "CYRILLIC",
    "iso8859-6": "ARABIC",
}
"""Encodings that are always a doubtful guess."""

_RARE_WEIGHT = 0.8
"""The score of a rare encoding is multiplied by this, so that a common one wins where both fit."""

_MOST_COMMON, _MOST_COMMON_WEIGHT = "cp1252", 1.15
"""Where a word or two decide (`naïve café` in an English text), the most common encoding gets this weight."""

_SUBSETS: Mapping[str, tuple[str, ...]] = {
    "gb18030": ("gbk",),
    "big5hkscs": ("cp950",),
    "euc_jis_2004": ("euc_jp",),
    "cp949": ("euc_kr",),
}
"""Candidate → smaller encodings. One that gives the same text is named instead: more programs read all of it."""

_LATIN = (
    "àâæçéèêëîïôœùûüÿ",  # French
    "äöüß",  # German
    "áéíñóúü",  # Spanish
    "áâãàçéêíóôõú",  # Portuguese
    "àèéìíòóùú",  # Italian
    "àçéèíïóòúü",  # Catalan
    "áèéëïíöóúü",  # Dutch
    "åäöé",  # Swedish, Finnish
    "æøåéóòôâ",  # Danish, Norwegian
    "áæéíðóöþúý",  # Icelandic
    "ąćęłńóśźż",  # Polish
    "áčďéěíňóřšťúůýž",  # Czech
    "áäčďéíĺľňóôŕšťúýž",  # Slovak
    "áéíóöőúüű",  # Hungarian
    "čćđšž",  # Croatian, Slovene
    "ăâîşţșț",  # Romanian
    "âçğıiöşüû",  # noqa: RUF001 - Turkish
    "ąčęėįšųūž",  # Lithuanian
    "āčēģīķļņšūž",  # Latvian
    "äõöüšž",  # Estonian
)
_CYRILLIC = (
    "абвгдеёжзийклмнопрстуфхцчшщъыьэюя",  # Russian, Bulgarian
    "абвгґдеєжзиіїйклмнопрстуфхцчшщьюя",  # Ukrainian
    "абвгдеёжзійклмнопрстуўфхцчшыьэюя",  # Belarusian
    "абвгдђежзијклљмнњопрстћуфхцчџш",  # Serbian
    "абвгдѓежзѕијклљмнњопрстќуфхцчџш",  # Macedonian
)
_ALPHABETS: Mapping[str, tuple[frozenset[str], ...]] = {
    "LATIN": tuple(map(frozenset, _LATIN)),
    "CYRILLIC": tuple(map(frozenset, _CYRILLIC)),
}
"""Script → the letters outside ASCII of each language. A text is in one language, apart from a few names."""

_FIRST_RARE: Mapping[str, tuple[str, int]] = {
    "gb18030": ("gb2312", 0xD8),
    "big5hkscs": ("big5", 0xC9),
    "cp932": ("euc_jp", 0xD0),
    "euc_jis_2004": ("euc_jp", 0xD0),
}
"""Candidate → the standard that orders its ideographs by use, and the first lead byte of the rare ones."""

_NO_SPACES = frozenset({"CHINESE", "JAPANESE", "THAI"})
_BESIDE_ASCII = frozenset({"LATIN", "CHINESE", "JAPANESE", "HANGUL", "THAI"})
"""Scripts whose letters stand next to ASCII letters; in the others, there is a space or a mark between them."""

_WORD = re.compile(r"[^\s\x00-\x2f\x3a-\x40\x5b-\x60\x7b-\x7f]+")
_INSIDE_WORDS = frozenset("’‘·‐‑–—ªº°´\u00ad\u200c\u200d")  # noqa: RUF001 - signs that look like others
"""What may stand between the letters of a word although it is no letter."""


class Guess(msgspec.Struct, frozen=True, kw_only=True):
    """The most likely encoding; `is_doubtful`: it could well be another one."""

    encoding: str
    is_doubtful: bool


class _Reading(msgspec.Struct, frozen=True, kw_only=True):
    """What a candidate makes of the telling lines.

    `words`: those with letters outside ASCII (single characters, in a script without spaces); `flawed`: the share nobody would write.
    """

    encoding: str
    script: str
    text: str
    score: float
    words: frozenset[str]
    flawed: float


def guess(content: bytes) -> Guess | None:
    """The encoding of bytes that are not UTF-8; None if no candidate can decode all of them and finds words that someone would write."""
    readings = sorted(_readings(content), key=lambda reading: -reading.score * _weight(reading))
    if not readings or readings[0].flawed > MAX_FLAWED_SHARE_OF_TEXT:
        return None
    order = [*_COMMON, *_RARE]
    same = (reading for reading in readings if (reading.text, reading.script) == (readings[0].text, readings[0].script))
    best = min(
        same, key=lambda reading: order.index(reading.encoding)
    )  # where the text is the same, the most common one
    best = msgspec.structs.replace(best, score=readings[0].score)
    return Guess(encoding=_usual_name(best.encoding, content), is_doubtful=_is_doubtful(best, readings[1:]))


def _is_doubtful(best: _Reading, others: list[_Reading]) -> bool:
    letters = {char for word in best.words for char in word if not char.isascii()}
    if best.script in _NO_SPACES:
        is_little, is_few = len(best.words) < MIN_IDEOGRAPHS, False
    else:
        is_little, is_few = len(best.words) < MIN_WORDS, min(len(letters), len(best.words)) < FEW
    most = best.score * (MAX_RIVAL_SHARE_OF_FEW if is_few else MAX_RIVAL_SHARE)
    return (
        is_little
        or best.encoding in _RARE
        or best.flawed > MAX_FLAWED_SHARE
        or best.score < MIN_SCORE
        or any(other.score > most and other.text != best.text for other in others)
    )


def _weight(reading: _Reading) -> float:
    if reading.encoding == _MOST_COMMON and len(reading.words) < MIN_WORDS:
        return _MOST_COMMON_WEIGHT
    return _RARE_WEIGHT if reading.encoding in _RARE else 1


def _readings(content: bytes) -> Iterator[_Reading]:
    """What every candidate makes of the content that can decode all of it."""
    from chardet import detect_all  # noqa: PLC0415 - its tables take a tenth of a second to load, and it is seldom needed

    # Only lines that are not ASCII tell encodings apart, and a line that is repeated tells nothing new.
    lines = dict.fromkeys(line for line in content.splitlines(keepends=True) if not line.isascii())
    telling = b"".join(lines)[:MAX_EXAMINED_BYTES]
    scripts = {**_COMMON, **_RARE}
    found = detect_all(
        telling, ignore_threshold=True, compat_names=False, include_encodings=scripts, max_bytes=len(telling)
    )
    for row in found:
        name = row["encoding"] or ""
        if name not in scripts or not _decodes(content, name):
            continue
        text = telling.decode(name, "ignore")  # the last character may be cut off
        units = text if scripts[name] in _NO_SPACES else _WORD.findall(text)
        words = frozenset(word for word in units if not word.isascii())
        flawed = _flawed_share(words, name, scripts[name])
        score = row["confidence"] * (1 - flawed) ** _FLAW_POWER
        telling_words = frozenset(word for word in words if any(not char.isascii() and char.isalpha() for char in word))
        yield _Reading(encoding=name, script=scripts[name], text=text, score=score, words=telling_words, flawed=flawed)


def _decodes(content: bytes, encoding: str) -> bool:
    try:
        content.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


def _flawed_share(words: frozenset[str], encoding: str, script: str) -> float:
    """The share of words that nobody would write in the script of this encoding, in any one of its languages."""
    flawed = {word for word in words if _is_flawed(word, encoding, script)}
    if alphabets := _ALPHABETS.get(script):
        letters = {word: {char for char in word.lower() if char.isalpha() and not char.isascii()} for word in words}
        foreign = ({word for word in words if not letters[word] <= alphabet} for alphabet in alphabets)
        flawed = min((flawed | of_others for of_others in foreign), key=len)
    return len(flawed) / len(words) if words else 1.0


def _is_flawed(word: str, encoding: str, script: str) -> bool:
    """Whether a word has a letter of another script, a sign between its letters, or a capital after a small letter, outside ASCII."""
    before = ""
    for char, after in zip(word, [*word[1:], ""], strict=True):
        category = unicodedata.category(char)
        if char.isascii():
            pass
        elif category in {"Cc", "Cn", "Co"}:
            return True
        elif category[0] in "LM":
            is_beside_ascii = any(other.isascii() and other.isalpha() for other in (before, after))
            if not _belongs(char, encoding, script) or (is_beside_ascii and script not in _BESIDE_ASCII):
                return True
            if before.islower() and char.isupper():
                return True
        elif before.isalpha() and after.isalpha() and char not in _INSIDE_WORDS:
            return True
        before = char
    return False


def _belongs(char: str, encoding: str, script: str) -> bool:
    """Whether a letter is one of the script's, and none of its rare ones."""
    name = unicodedata.name(char, "")
    if name.startswith("CJK") and encoding in _FIRST_RARE:
        standard, first_rare = _FIRST_RARE[encoding]
        try:
            return char.encode(standard)[0] < first_rare
        except UnicodeEncodeError:
            return False
    if script == "JAPANESE":
        return name.startswith(("HIRAGANA", "KATAKANA", "FULLWIDTH"))
    return script == "CHINESE" or name.startswith(script) or (script == "LATIN" and char in "ªºµ")


def _usual_name(encoding: str, content: bytes) -> str:
    for name in _SUBSETS.get(encoding, ()):
        if _decodes(content, name) and content.decode(name) == content.decode(encoding):
            return name
    return encoding
