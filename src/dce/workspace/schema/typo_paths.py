"""Finds the shown files that a new file's path may be a slip for: `function/inc.js` for `functions/inc.js`, `semver.js` for one of two.

Only a doubt is raised, and projects are full of names that differ by a letter on purpose (`encode.py` and `decode.py`, `item.py` and
`items.py`, `a1.sql` and `a2.sql`). So the rules are narrow where the folder exists, and wider where it does not.
"""

import re
from collections.abc import Callable, Iterable

MAX_SLIPS = 2
"""Most letters that are added, left out, changed or swapped in a path that counts as a slip."""

LONG_STEM = 6
"""Shorter names that differ by a letter are different names."""

VERY_LONG_STEM = 12
"""Names at least this long may differ by two letters."""

MAX_COMPARED = 2_000
"""Most shown paths that a new one is compared with."""


def near_misses(path: str, shown: Iterable[str], is_folder: Callable[[str], bool]) -> list[str]:
    """The shown paths that the path may be a slip for, sorted."""
    folder, _, name = path.rpartition("/")
    is_there = not folder or is_folder(folder)
    found = []
    for other in sorted(shown)[:MAX_COMPARED]:
        its_folder, _, its_name = other.rpartition("/")
        if abs(len(path) - len(other)) > MAX_SLIPS:
            continue
        if folder == its_folder:
            is_near = _is_misspelt(name, its_name)
        else:
            is_near = (
                not is_there
                and bool(its_folder)
                and (name == its_name or _is_misspelt(name, its_name))
                and _without_digits(folder) != _without_digits(its_folder)
                and slips(path, other) <= MAX_SLIPS
            )
        if is_near:
            found.append(other)
    return found


def _is_misspelt(name: str, other: str) -> bool:
    """Whether one file name is probably the other with a slip: not its plural, its continuation or its next number."""
    stem, dot, suffix = name.partition(".")
    its_stem, its_dot, its_suffix = other.partition(".")
    shortest = min(len(stem), len(its_stem))
    if (dot, suffix) != (its_dot, its_suffix) or shortest < LONG_STEM or stem[0] != its_stem[0]:
        return False
    if stem.startswith(its_stem) or its_stem.startswith(stem) or _without_digits(stem) == _without_digits(its_stem):
        return False
    return slips(stem, its_stem) <= (MAX_SLIPS if shortest >= VERY_LONG_STEM else 1)


def _without_digits(text: str) -> str:
    return re.sub(r"\d+", "", text)


def slips(one: str, other: str) -> int:
    """How many letters must be added, left out, changed or swapped with the next one; more than `MAX_SLIPS` counts as one more."""
    if abs(len(one) - len(other)) > MAX_SLIPS:
        return MAX_SLIPS + 1
    before: list[int] = []
    row = list(range(len(other) + 1))
    for at, char in enumerate(one, start=1):
        following = [at]
        for to, its_char in enumerate(other, start=1):
            cost = min(row[to] + 1, following[-1] + 1, row[to - 1] + (char != its_char))
            is_swapped = at > 1 and to > 1 and char == other[to - 2] and one[at - 2] == its_char
            following.append(min(cost, before[to - 2] + 1) if is_swapped else cost)
        if min(following) > MAX_SLIPS:
            return MAX_SLIPS + 1
        before, row = row, following
    return min(row[-1], MAX_SLIPS + 1)
