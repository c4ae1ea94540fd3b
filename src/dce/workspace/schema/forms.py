"""The table of free forms: how models write files when they ignore the form that they were asked for.

A row is a name and a finder. An answer may mix forms, so all finders look at it; where two find the same place, the outer one wins.
"""

from collections.abc import Mapping
from types import MappingProxyType

from dce.workspace.schema.found import Finder, Found
from dce.workspace.schema.named_fences import find_named_fences
from dce.workspace.schema.patch_form import find_patches
from dce.workspace.schema.reading import Shown, nothing_shown
from dce.workspace.schema.search_replace import find_search_replace
from dce.workspace.schema.tool_tags import find_tool_tags

FORMS: Mapping[str, Finder] = MappingProxyType(
    {
        "search-replace": find_search_replace,
        "patch": find_patches,
        "tool tags": find_tool_tags,
        "named fences": find_named_fences,
    }
)
"""Every free form by its name. Of two that begin at one place and are equally long, the first wins."""


def find_files(text: str, shown: Shown = nothing_shown) -> list[tuple[str, Found]]:
    """The files of every form, with the form's name, in text order; none is inside another."""
    every = [(name, found) for name, find in FORMS.items() for found in find(text, shown)]
    every.sort(key=lambda pair: (pair[1].start, -pair[1].end))
    apart: list[tuple[str, Found]] = []
    for name, found in every:
        if not apart or found.start >= apart[-1][1].end:
            apart.append((name, found))
    return apart
