"""Characters that look like ASCII ones, or are invisible: models write them in paths, and readers cannot see the difference.

A short table, not Unicode's whole list of confusables: the letters of Cyrillic and Greek that have a Latin twin, and the dashes and
slashes. Full-width forms and ligatures need no row, because NFKC maps them.
"""

import unicodedata

_TWINS = {
    "АВЕЅІЈКМНОРСТУХҮԌԜЅԛавеѕіјкмнорстухһԁԝѵ": "ABESIJKMHOPCTYXYGWSqabesijkmhopctyxhdwv",
    "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧαινορτυχϲ": "ABEZHIKMNOPTYXaivoptuxc",
    "\u0131\u0251\u0261\u2113": "iagl",  # dotless i, Latin alpha, script g, script l
    "\u2010\u2011\u2012\u2013\u2014\u2015\u2212": "-------",  # dashes and the minus sign
    "\u2044\u2215\u29f8": "///",  # slashes
}
_TABLE = {ord(one): other for ones, others in _TWINS.items() for one, other in zip(ones, others, strict=True)}


def folded(text: str) -> str:
    """The text in a form in which look-alike spellings are equal: without case, combining marks and invisible characters."""
    if text.isascii():
        return text.casefold()
    seen = unicodedata.normalize("NFC", visible(text)).translate(_TABLE)
    return unicodedata.normalize("NFKC", seen).casefold()


def visible(text: str) -> str:
    """The text without zero-width characters, and with unusual spaces replaced by plain ones."""
    if text.isascii():
        return text
    return "".join(" " if unicodedata.category(char) == "Zs" else char for char in text if not _is_invisible(char))


def printable(path: str) -> str:
    """The path with its invisible characters made visible."""
    return "".join(char if char.isprintable() else f"\\u{ord(char):04x}" for char in path)


def has_look_alike(text: str) -> bool:
    """Whether a name mixes ASCII letters with letters that only look like them."""
    has_ascii = any(char.isascii() and char.isalpha() for char in text)
    return has_ascii and any(ord(char) in _TABLE for char in text)


def _is_invisible(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f"
