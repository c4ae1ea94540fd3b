"""The list of a workspace's files, updated incrementally: after a change, only the changed paths are examined again.

What must always hold: after any sequence of updates, the list equals what `list_files` would return. Where that cannot be derived from
the changed paths (ignore rules, folders, many files at once), everything is listed again.
"""

import os
from collections.abc import Iterable

from dce.workspace.project import Project
from dce.workspace.tree.files import FileEntry, entries_of, git_names, list_files

MAX_UPDATED = 500
"""With more changed paths than this (a checkout, a build), everything is listed again: it costs about as much."""

_RULES = frozenset({".gitignore", ".ignore", ".gitattributes", ".gitmodules"})
_STATE_RULES = frozenset({".dce/config.toml", ".git/info/exclude", ".git/HEAD", ".git/config"})


class Listing:
    """The files of a workspace as of the last update. Not thread-safe."""

    def __init__(self, project: Project) -> None:
        self._project = project
        self._entries = _by_path(list_files(project))

    def entries(self) -> list[FileEntry]:
        """The files, sorted by path, as `list_files` returns them."""
        return [self._entries[path] for path in sorted(self._entries)]

    def paths(self) -> frozenset[str]:
        """The paths of all files."""
        return frozenset(self._entries)

    def get(self, path: str) -> FileEntry | None:
        """The file at a path, if one is listed there."""
        return self._entries.get(path)

    def update(self, changed: Iterable[str]) -> frozenset[str]:
        """Examines paths that may have been changed, created or deleted; returns those whose entries changed."""
        paths = {path for path in changed if path}
        if not paths:
            return frozenset()
        if len(paths) > MAX_UPDATED or any(self._is_beyond(path) for path in paths):
            return self._replace(_by_path(list_files(self._project)))
        inside = sorted(path for path in paths if not path.startswith((".git/", ".dce/")))
        present = [path for path in inside if os.path.lexists(self._project.root / path)]
        names = git_names(self._project.root, present) if present else []
        if present and not names and not all(path in self._entries for path in present):
            # Outside a repository nothing says whether a new file is ignored; inside one, git ignores them all or the repository is gone.
            return self._replace(_by_path(list_files(self._project)))
        listed = names or [path for path in present if path in self._entries]
        return self._patch(paths, _by_path(entries_of(self._project, listed)))

    def _is_beyond(self, path: str) -> bool:
        """Whether a change of this path may affect the entries of other paths."""
        if path in _STATE_RULES or path.rsplit("/", 1)[-1] in _RULES:
            return True
        if path.startswith((".git/", ".dce/")):
            return False
        is_folder = os.path.isdir(self._project.root / path)  # noqa: PTH112 - a Path for each is slower
        # A folder now, or formerly one: then files below it are listed.
        return is_folder or (path not in self._entries and any(known.startswith(path + "/") for known in self._entries))

    def _patch(self, paths: Iterable[str], now: dict[str, FileEntry]) -> frozenset[str]:
        """Replaces the entries of these paths. The other entries, possibly many, are not touched."""
        updated = set()
        for path in {*paths, *now}:
            before, after = self._entries.pop(path, None), now.get(path)
            if after is not None:
                self._entries[path] = after
            if before != after:
                updated.add(path)
        return frozenset(updated)

    def _replace(self, entries: dict[str, FileEntry]) -> frozenset[str]:
        before, self._entries = self._entries, entries
        return frozenset(path for path in before.keys() | entries.keys() if before.get(path) != entries.get(path))


def _by_path(entries: Iterable[FileEntry]) -> dict[str, FileEntry]:
    return {entry.path: entry for entry in entries}
