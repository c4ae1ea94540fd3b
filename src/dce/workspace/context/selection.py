"""Which files go into the prompt: the current selection, and named sets of files that a team can share.

Paths are canonical (relative, POSIX) and unique, however they were given. The current selection is kept in the store; named sets are
in `.dce/selections.toml`, which people may edit and commit, so its content is validated like any other input.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec
import tomli_w

from dce import durable
from dce.wire.errors import DceError
from dce.wire.nearest import did_you_mean, nearest
from dce.workspace.file_update import updating
from dce.workspace.project import Project
from dce.workspace.record.meta import MetaStore
from dce.workspace.record.selected_files import Detail, SetFile
from dce.workspace.tree.extract import format_of
from dce.workspace.tree.files import FileEntry, list_files, read_text
from dce.workspace.tree.secret_names import touches_secrets

META_KEY = "selection"
"""Key of the current selection in the store's meta table, a JSON list."""

DETAILS_KEY = "selection_details"
"""Key of the levels of detail: a JSON object of the files that are not shown whole."""

PAGES_KEY = "selection_pages"
"""Key of the page ranges, likewise."""

_RANGES = re.compile(r"\d{1,6}(?:-\d{1,6})?(?:,\d{1,6}(?:-\d{1,6})?)*")

SETS_FILE = "selections.toml"

MAX_COMPARED_NAMES = 5_000
"""How many names are compared to suggest the nearest one: comparing is slow, and a suggestion is optional."""


class SetDifference(msgspec.Struct, frozen=True, kw_only=True):
    """The difference of two sets of paths. `shown_differently`: paths in both sets whose level of detail or pages differ."""

    only_first: tuple[str, ...]
    only_second: tuple[str, ...]
    both: tuple[str, ...]
    shown_differently: tuple[str, ...] = ()


class Match(msgspec.Struct, frozen=True, kw_only=True):
    """What patterns match: the files that can be selected, and those below a named folder or matched by a glob that are left out, with
    the reason."""

    paths: tuple[str, ...]
    passed_over: dict[str, str]


class Selection:
    """The current selection of a workspace and its named sets."""

    def __init__(self, project: Project, store: MetaStore) -> None:
        self._project = project
        self._store = store

    def paths(self) -> tuple[str, ...]:
        """The selected paths, sorted. They may no longer exist."""
        value = self._store.get(META_KEY)
        if value is None:
            return ()
        try:
            return tuple(msgspec.json.decode(value, type=list[str]))
        except msgspec.MsgspecError as error:
            raise DceError("store_unreadable", f"The stored selection is not a list of paths: {error}.") from error

    def add(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Selects files, folders (all files in them that can go in) and globs (`src/**/*.py`); returns the newly selected paths.

        A file named in full is selected even if git ignores it, and refused (invalid_input) if it is not text; an unknown name
        raises not_found. Nothing is selected if any pattern fails.
        """
        return self.include(self.match(patterns))

    def include(self, match: Match) -> tuple[str, ...]:
        """Selects the matched files; returns the newly selected paths."""
        found = set(match.paths)
        with self._store.updating():
            before = set(self.paths())
            self._keep(before | found)
        return tuple(sorted(found - before))

    def match(self, patterns: Iterable[str]) -> Match:
        """What `add` would select and what it would leave out. Raises the same errors."""
        entries = {entry.path: entry for entry in list_files(self._project)}
        found: set[str] = set()
        passed_over: dict[str, str] = {}
        for pattern in patterns:
            found.update(self._matching(pattern, entries, passed_over))
        reasons = {path: reason for path, reason in sorted(passed_over.items()) if path not in found}
        return Match(paths=tuple(sorted(found)), passed_over=reasons)

    def remove(self, patterns: Iterable[str]) -> tuple[str, ...]:
        """Removes files, folders and globs from the selection; returns the removed paths. Raises not_found if a pattern matches nothing."""
        with self._store.updating():
            before = self.paths()
            gone = _selected(patterns, before)
            self._keep(set(before) - gone)
        return tuple(sorted(gone))

    def replace(
        self,
        paths: Iterable[str],
        entries: Mapping[str, FileEntry] | None = None,
        seen: Iterable[str] | None = None,
    ) -> None:
        """Makes exactly these files the selection. Newly added ones must be text files of the workspace.

        `entries`: the workspace's files, if the caller has them; None: they are listed. `seen`: the selection that the caller
        edited; changes that another process made since then are kept. None: the present selection is replaced.
        """
        before = set(self.paths())
        known = before if entries is None else before | entries.keys()
        wanted = {path if path in known else self._project.canonical(path) for path in paths}
        if wanted - before:
            entries = entries or {entry.path: entry for entry in list_files(self._project)}
            for path in sorted(wanted - before):
                self._check_file(path, entries)
        with self._store.updating():
            base = set(self.paths()) if seen is None else set(seen)
            self._keep((set(self.paths()) | (wanted - base)) - (base - wanted))

    def details(self) -> dict[str, Detail]:
        """The level of detail of each selected path that is not shown whole."""
        value = self._store.get(DETAILS_KEY)
        if value is None:
            return {}
        try:
            details = msgspec.json.decode(value, type=dict[str, Detail])
        except msgspec.MsgspecError as error:
            raise DceError("store_unreadable", f"The stored levels of detail cannot be read: {error}.") from error
        selected = set(self.paths())
        return {path: detail for path, detail in details.items() if path in selected}

    def show(self, patterns: Iterable[str], detail: Detail) -> tuple[str, ...]:
        """Sets how much of the matching selected files is shown; returns their paths. Raises not_found if a pattern matches no selected file."""
        with self._store.updating():
            hit = _selected(patterns, self.paths())
            details = {path: level for path, level in self.details().items() if path not in hit}
            if detail != "full":
                details |= dict.fromkeys(sorted(hit), detail)
            self._store.set(DETAILS_KEY, msgspec.json.encode(details).decode())
        return tuple(sorted(hit))

    def pages(self) -> dict[str, str]:
        """The pages, sheets or slides ("1-3,7") of each selected document that is not shown whole."""
        value = self._store.get(PAGES_KEY)
        if value is None:
            return {}
        try:
            pages = msgspec.json.decode(value, type=dict[str, str])
        except msgspec.MsgspecError as error:
            raise DceError("store_unreadable", f"The stored page ranges cannot be read: {error}.") from error
        selected = set(self.paths())
        return {path: numbers for path, numbers in pages.items() if path in selected}

    def show_pages(self, path: str, numbers: str) -> None:
        """Shows only these pages ("1-3,7"; "" or "all" for all) of a selected document. Raises not_found and invalid_input."""
        if path not in self.paths():
            raise _unknown(path, self.paths(), "is selected")
        if not format_of(path):
            raise DceError("invalid_input", f"{path} is not a document and has no pages.")
        wanted = "" if numbers == "all" else "".join(numbers.split())
        if wanted and not _RANGES.fullmatch(wanted):
            raise DceError("invalid_input", f"{numbers!r} is not a page range: write 1-3,7 or all.")
        with self._store.updating():
            pages = self.pages() | {path: wanted}
            self._store.set(PAGES_KEY, msgspec.json.encode({p: n for p, n in pages.items() if n}).decode())

    def merge(self, name: str) -> tuple[str, ...]:
        """Adds the named set to the selection, with its levels of detail; returns the files left out because they no longer exist."""
        existing, missing = self._existing(name)
        with self._store.updating():
            self._become([*self._current(), *existing])
        return missing

    def difference(self, name: str, other: str | None = None) -> SetDifference:
        """The difference between the named set and another (None: the selection). Raises not_found."""
        sets = self._sets()
        for wanted in filter(None, (name, other)):
            if wanted not in sets:
                raise _unknown(wanted, tuple(sets), "is a selection set")
        first = {file.path: file for file in sets[name]}
        second = {file.path: file for file in (self._current() if other is None else sets[other])}
        both = sorted(first.keys() & second.keys())
        return SetDifference(
            only_first=tuple(sorted(first.keys() - second.keys())),
            only_second=tuple(sorted(second.keys() - first.keys())),
            both=tuple(both),
            shown_differently=tuple(path for path in both if first[path] != second[path]),
        )

    def clear(self) -> None:
        """Empties the selection."""
        self._keep(set())

    def save(self, name: str, files: Iterable[SetFile] | None = None) -> None:
        """Saves the current selection with its levels of detail (or `files`) as the named set; replaces a set of the same name."""
        if not name.strip() or not name.isprintable():
            raise DceError(
                "invalid_input", f"{name!r} is not a valid name for a selection set: use letters, digits and spaces."
            )
        kept = tuple(self._current() if files is None else files)
        with updating(self._project.state_dir):
            self._write(self._sets() | {name: kept})

    def delete(self, name: str) -> None:
        """Deletes the named set; the selection is unchanged. Raises not_found."""
        with updating(self._project.state_dir):
            sets = self._sets()
            if sets.pop(name, None) is None:
                raise _unknown(name, tuple(sets), "is a selection set")
            self._write(sets)

    def load(self, name: str) -> tuple[str, ...]:
        """Replaces the selection with the named set and its levels of detail; returns the files left out because they no longer exist."""
        existing, missing = self._existing(name)
        with self._store.updating():
            self._become(existing)
        return missing

    def sets(self) -> dict[str, tuple[str, ...]]:
        """The paths of the named sets. Raises invalid_input if the file does not have the format that `save` writes."""
        return {name: tuple(file.path for file in files) for name, files in self._sets().items()}

    def sets_as_shown(self) -> dict[str, tuple[SetFile, ...]]:
        """The named sets with their levels of detail. Raises the same errors as `sets`."""
        return self._sets()

    def as_shown(self) -> tuple[SetFile, ...]:
        """The current selection with its levels of detail."""
        return tuple(self._current())

    def _existing(self, name: str) -> tuple[list[SetFile], tuple[str, ...]]:
        """The files of a named set that exist, and the paths of those that do not. Raises not_found."""
        sets = self._sets()
        if name not in sets:
            raise _unknown(name, tuple(sets), "is a selection set")
        missing = {file.path for file in sets[name] if not self._project.resolve(file.path).is_file()}
        existing = [file for file in sets[name] if file.path not in missing]
        named = [msgspec.structs.replace(file, path=self._project.canonical(file.path)) for file in existing]
        return named, tuple(sorted(missing))

    def _current(self) -> list[SetFile]:
        details, pages = self.details(), self.pages()
        return [SetFile(path, details.get(path, "full"), pages.get(path, "")) for path in self.paths()]

    def _become(self, files: Sequence[SetFile]) -> None:
        """Makes these files the selection; if a path occurs twice, the last entry counts."""
        details = {file.path: file.show for file in files}
        pages = {file.path: file.pages for file in files}
        self._keep(set(details))
        shown = {path: detail for path, detail in details.items() if detail != "full"}
        self._store.set(DETAILS_KEY, msgspec.json.encode(shown).decode())
        self._store.set(PAGES_KEY, msgspec.json.encode({p: n for p, n in pages.items() if n}).decode())

    def _write(self, sets: Mapping[str, Sequence[SetFile]]) -> None:
        """Writes a file shown whole as its path, any other as a table, to keep the file readable."""
        plain = {name: [_plain(file) for file in files] for name, files in sorted(sets.items())}
        durable.write(self._sets_file, tomli_w.dumps(plain).encode())

    def _sets(self) -> dict[str, tuple[SetFile, ...]]:
        try:
            content = self._sets_file.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            sets = msgspec.convert(tomllib.loads(content.decode()), dict[str, tuple[str | SetFile, ...]])
        except (tomllib.TOMLDecodeError, UnicodeDecodeError, msgspec.ValidationError) as error:
            hint = 'Each line is: name = ["path", {path = "path", show = "outline"}].'
            raise DceError("invalid_input", f"{self._sets_file} cannot be read: {error}.", hint=hint) from error
        for file in (file for files in sets.values() for file in files if isinstance(file, SetFile)):
            if file.pages and not _RANGES.fullmatch(file.pages):
                raise DceError("invalid_input", f"{self._sets_file} is invalid: {file.pages!r} is not a page range.")
        whole = {
            name: [SetFile(file) if isinstance(file, str) else file for file in files] for name, files in sets.items()
        }
        return {name: tuple(whole[name]) for name in sorted(whole)}

    @property
    def _sets_file(self) -> Path:
        return self._project.state_dir / SETS_FILE

    def _keep(self, paths: set[str]) -> None:
        self._store.set(META_KEY, msgspec.json.encode(sorted(paths)).decode())

    def _matching(self, pattern: str, entries: dict[str, FileEntry], passed_over: dict[str, str]) -> set[str]:
        """The files that a pattern selects; for files that it matches but does not select, the reason is added to `passed_over`."""
        is_plain = pattern.rstrip("/") in entries or _is_there(self._project, pattern)
        path = "." if _is_root(pattern) else self._project.canonical(pattern) if is_plain else pattern
        if is_plain and path != "." and not (self._project.root / path).is_dir():
            return {self._check_file(path, entries)}
        meant = _hits(path, tuple(entries))
        reasons = {hit: _why_not_along(entries[hit], is_pattern=not is_plain) for hit in meant}
        passed_over.update((hit, reason) for hit, reason in reasons.items() if reason)
        taken = {hit for hit, reason in reasons.items() if not reason}
        if taken:
            return taken
        if is_plain or reasons:
            first = "; ".join(f"{hit}: {reason}" for hit, reason in sorted(reasons.items())[:1])
            raise DceError("not_found", f"{pattern} contains no text file that can be selected. {first}".strip())
        raise _unknown(pattern, tuple(entries), "is in the workspace")

    def _check_file(self, path: str, entries: Mapping[str, FileEntry]) -> str:
        entry = entries.get(path)
        if entry is not None and entry.excluded:
            hint = "`dce files` lists the files that can be selected, and why the others cannot."
            raise DceError("invalid_input", f"{path} cannot be selected: {entry.excluded}.", hint=hint)
        if entry is None:
            if not self._project.resolve(path).exists():
                raise _unknown(path, tuple(entries), "is in the workspace")
            read_text(self._project, path)
        return path


def _why_not_along(entry: FileEntry, *, is_pattern: bool) -> str:
    """Why a file is not selected with its folder or by a glob; "" if it is.

    Files that may hold keys or passwords are selected only by their full path; documents and pictures only by a name or glob.
    """
    if entry.excluded:
        return entry.excluded
    if touches_secrets(entry.path):
        return "its name suggests keys or passwords: it is selected only if named in full"
    return "a document: it is selected only if named" if format_of(entry.path) and not is_pattern else ""


def _is_root(pattern: str) -> bool:
    return pattern.rstrip("/") == "."


def _is_there(project: Project, pattern: str) -> bool:
    """Whether the pattern is the plain name of an existing file or folder. Raises outside_workspace for a path that may not be named."""
    return _is_root(pattern) or project.resolve(pattern).exists()


def _hits(pattern: str, paths: Sequence[str]) -> set[str]:
    """The paths that a pattern matches: the path itself, everything below it as a folder, or its matches as a glob."""
    if _is_root(pattern):
        return set(paths)
    name = pattern.removeprefix("./").rstrip("/")
    hits = {path for path in paths if path == name or path.startswith(name + "/")}
    if not hits and any(char in pattern for char in "*?["):
        import pathspec  # noqa: PLC0415 - seldom needed

        hits = set(pathspec.GitIgnoreSpec.from_lines([pattern.removeprefix("./")]).match_files(paths))
    return hits


def _selected(patterns: Iterable[str], selected: Sequence[str]) -> set[str]:
    """The selected paths that the patterns match. Raises not_found for a pattern that matches none."""
    found: set[str] = set()
    for pattern in patterns:
        hits = _hits(pattern, selected)
        if not hits:
            raise _unknown(pattern, selected, "is selected")
        found |= hits
    return found


def _plain(file: SetFile) -> str | dict[str, str]:
    """A file's entry in the file of sets."""
    entry = {"path": file.path} | ({"show": file.show} if file.show != "full" else {})
    entry |= {"pages": file.pages} if file.pages else {}
    return entry if len(entry) > 1 else file.path


def _unknown(name: str, known: Sequence[str], what: str) -> DceError:
    """A not_found error that suggests the nearest known name, compared in full or by its last part."""
    known = known[:MAX_COMPARED_NAMES]
    by_last = {path.rsplit("/", 1)[-1]: path for path in known}
    last = name.rstrip("/").rsplit("/", 1)[-1]
    near = by_last.get(last) or nearest(name, known) or by_last.get(nearest(last, by_last), "")
    return DceError("not_found", f"Nothing named {name} {what}.", hint=did_you_mean(near))
