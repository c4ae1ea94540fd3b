"""Rust sources with tests in them: the items that are compiled only for tests, and an answer's source with the workspace's tests.

A file's items are told apart by their attributes (`#[cfg(test)]`, `#[test]`); an item inside another (a test-only method of an `impl`)
belongs to it and stays the answer's. Not a parser: braces, strings and comments are all that must be known.
"""

import re

_TOKEN = re.compile(
    r"""(?P<quiet>//[^\n]*|/\*|b?r(?P<hash>\#*)"|b?"(?:\\.|[^"\\])*"|b?'(?:\\(?:u\{[^}]*\}|x..|.)|[^'\\\n])'|'[A-Za-z_]\w*)"""
    r"""|(?P<inner>\#!)|(?P<open>[\[({])|(?P<close>[\])}])|(?P<end>;)""",
    re.DOTALL,
)
_TEST = re.compile(r"#\s*\[\s*(?:cfg\s*\(\s*(?:test\b|all\s*\([^\]]*\btest\b)|(?:\w+\s*::\s*)*test\b|rstest\b|bench\b)")
_INNER_DOC = re.compile(r"^\s*//![^\n]*\n?", re.MULTILINE)
_COMMENT_LINES = re.compile(r"^\s*//[^\n]*$", re.MULTILINE)


def test_items(source: str) -> str:
    """The items of a file that are compiled only for tests, one after the other."""
    return "".join(_INNER_DOC.sub("", item) for item in _items(source) if _is_test(item))


def laid_over(before: str, after: str) -> str | None:
    """The answer's source (`after`) with the workspace's test items; None if those are the same."""
    old = test_items(before)
    if _plain(old) == _plain(test_items(after)):
        return None
    kept = "".join(item for item in _items(after) if not _is_test(item))
    return f"{kept.rstrip()}\n{old}\n"


def _plain(text: str) -> str:
    return " ".join(text.split())


def _is_test(item: str) -> bool:
    head = re.split(r"[{;]", _COMMENT_LINES.sub("", item), maxsplit=1)[0]
    return bool(_TEST.search(head)) and "macro_rules" not in head


def _items(source: str) -> list[str]:
    """The top-level items, with what stands before each; together they are the whole text."""
    items, start, depth, at = [], 0, 0, 0
    is_inner = False
    while (token := _TOKEN.search(source, at)) is not None:
        at = token.end()
        if token["quiet"]:
            at = _after(source, token)
        elif token["inner"]:
            is_inner = depth == 0
        elif token["open"]:
            depth += 1
        elif token["close"] or token["end"]:
            depth = max(0, depth - bool(token["close"]))
            is_over = depth == 0 and (token[0] in "};" or (token[0] == "]" and is_inner))
            if is_over:
                rest = re.compile(r"\s*;").match(source, at) if token[0] == "}" else None
                at = rest.end() if rest else at
                items.append(source[start:at])
                start, is_inner = at, False
    return [*items, source[start:]]


def _after(source: str, token: re.Match[str]) -> int:
    """Where a comment or a raw string ends. Block comments nest."""
    if token[0] == "/*":
        depth, at = 1, token.end()
        while depth and (mark := re.compile(r"/\*|\*/").search(source, at)) is not None:
            depth, at = depth + (1 if mark[0] == "/*" else -1), mark.end()
        return len(source) if depth else at
    if token["hash"] is not None:
        end = source.find(f'"{token["hash"]}', token.end())
        return len(source) if end < 0 else end + 1 + len(token["hash"])
    return token.end()
