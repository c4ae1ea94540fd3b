"""Splits text into lines. Only LF ends a line: `str.splitlines` would also split at form feeds and U+2028."""


def split_lines(text: str) -> list[str]:
    """The lines of `text`, each with its line ending; only LF ends a line."""
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])
