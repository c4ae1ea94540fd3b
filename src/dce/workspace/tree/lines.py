"""Lines of a text. Only LF ends a line: `str.splitlines` would also cut at form feeds and U+2028."""


def split_lines(text: str) -> list[str]:
    """Lines with their ends; only LF ends one."""
    lines = text.split("\n")
    last = lines.pop()
    return [line + "\n" for line in lines] + ([last] if last else [])
