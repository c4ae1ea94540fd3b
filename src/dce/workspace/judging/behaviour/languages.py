"""The table of languages whose answers can be compared by behaviour."""

from collections.abc import Iterable

from dce.workspace.judging.behaviour.javascript_row import JAVASCRIPT
from dce.workspace.judging.behaviour.language import Language
from dce.workspace.judging.behaviour.other_row import OTHERS
from dce.workspace.judging.behaviour.python_row import PYTHON

LANGUAGES: tuple[Language, ...] = (PYTHON, JAVASCRIPT, OTHERS)
"""The first row that speaks for a file has it; a row for all other files comes last."""


def by_language(paths: Iterable[str], languages: Iterable[Language] = LANGUAGES) -> dict[str, list[str]]:
    """The paths that some row speaks for and that are no tests, by the row's name, in the table's order."""
    rows = tuple(languages)
    found: dict[str, list[str]] = {row.name: [] for row in rows}
    for path in sorted(set(paths)):
        row = next((row for row in rows if row.speaks_for(path)), None)
        if row is not None and not row.is_test(path):
            found[row.name].append(path)
    return {name: paths for name, paths in found.items() if paths}
