"""Changes of texts of several lines: tables, settings, logs. A line is a row of fields; another row like it is what most inputs are made of."""

import random
from collections.abc import Callable, Sequence

SEPARATORS = (";", "\t", "|", ",", "=", ":", " ")
"""What fields stand between, the most telling first."""

MAX_LINES = 40


def changed_lines(text: str, rng: random.Random, change: Callable[[str], str], others: Sequence[str]) -> str | None:
    """Another text of lines; None for a text of one. `change` makes another field of a field, `others` are words that may be one."""
    lines = text.split("\n")
    filled = [at for at, line in enumerate(lines) if line.strip()]
    if len(filled) < 2:
        return None
    at = rng.choice(filled)
    act = rng.randrange(12)
    if act < 4 and len(lines) < MAX_LINES:  # one more row that differs in a field
        lines.insert(rng.choice([at, at + 1, filled[-1] + 1]), _with_field(lines, at, rng, change, others))
    elif act < 8:
        lines[at] = _with_field(lines, at, rng, change, others)
    elif act == 8:
        del lines[at]
    elif act == 9:
        other = rng.choice(filled)
        lines[at], lines[other] = lines[other], lines[at]
    elif act == 10:
        lines.insert(at, rng.choice(["", lines[at]]))
    else:
        lines[at] = rng.choice([f"  {lines[at]}", f"{lines[at]} ", f"{lines[at]}\r", lines[at].strip()])
    return "\n".join(lines)


def _with_field(
    lines: Sequence[str], at: int, rng: random.Random, change: Callable[[str], str], others: Sequence[str]
) -> str:
    """A line with one of its fields changed: to that of another line, mostly of the same column, to a word, or in itself."""
    line = lines[at]
    sign = next((sign for sign in SEPARATORS if sign in line.strip()), "")
    if not sign:
        return rng.choice(others) if others and rng.random() < 0.3 else change(line)
    fields = line.split(sign)
    column = rng.choice([number for number, field in enumerate(fields) if field] or [0])
    rows = [other.split(sign) for other in lines if other.strip()]
    alike = [row[column] for row in rows if len(row) > column and row[column] != fields[column]]
    anywhere = [field for row in rows for field in row if field]
    act = rng.random()
    if alike and act < 0.4:
        fields[column] = rng.choice(alike)
    elif act < 0.55:
        fields[column] = rng.choice(anywhere)
    elif others and act < 0.65:
        fields[column] = rng.choice(others)
    elif act < 0.7:
        del fields[column]
    else:
        fields[column] = change(fields[column])
    return sign.join(fields)
