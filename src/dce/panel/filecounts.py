"""The tree's token counts: what every file would cost, without reading a whole large workspace for each look at it."""

import asyncio
from collections.abc import Sequence

from dce.panel.schemas import FileView
from dce.wire.errors import DceError
from dce.workspace.extract import format_of
from dce.workspace.files import FileEntry, list_files, read_text
from dce.workspace.project import Project
from dce.workspace.selection import Selection
from dce.workspace.tokens import Count, TokenCounter

MAX_COUNTED_FILES = 400
MAX_COUNTED_BYTES = 4_000_000
"""Unselected files are read and counted up to these; beyond, their cost is guessed from their size, and shown as a guess."""

BYTES_PER_TOKEN = 4
"""The usual guess for source text."""


async def counted(project: Project, counter: TokenCounter, selection: Selection) -> tuple[FileView, ...]:
    """Every listed file; those of the selection, and of a small workspace all, with the tokenizer's own count."""
    entries, texts = await asyncio.to_thread(_read, project, selection)
    counts = dict(zip(texts, await counter.count(list(texts.values())), strict=True))
    return tuple(_view(entry, counts.get(entry.path)) for entry in entries)


def _read(project: Project, selection: Selection) -> tuple[Sequence[FileEntry], dict[str, str]]:
    entries = list_files(project)
    selected = set(selection.paths())
    pages = selection.pages()
    # The selection first: it is what will be sent, so it is counted however large.
    ordered = sorted((entry for entry in entries if not entry.excluded), key=lambda entry: entry.path not in selected)
    texts: dict[str, str] = {}
    size = 0
    for entry in ordered:
        size += entry.size
        is_within = len(texts) < MAX_COUNTED_FILES and size <= MAX_COUNTED_BYTES
        if entry.path in selected or (is_within and not format_of(entry.path)):
            try:
                texts[entry.path] = read_text(project, entry.path, pages.get(entry.path, "")).text
            except DceError:
                continue  # gone or no text after all: its row shows the guess, the prompt says why
    return entries, texts


def _view(entry: FileEntry, count: Count | None) -> FileView:
    guess = (
        None
        if entry.excluded or format_of(entry.path)
        else Count(tokens=-(-entry.size // BYTES_PER_TOKEN), exact=False)
    )
    return FileView(path=entry.path, size=entry.size, excluded=entry.excluded, count=count or guess)
