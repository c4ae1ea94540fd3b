"""DCE's own exclude patterns: tracked files that never belong in a prompt (snapshots, vendored code, data).

They are in `.dce/config.toml`, `exclude = ["*.snap", "/vendor/"]`, in .gitignore syntax, relative to the workspace root.
"""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.settings import CONFIG_FILE, read_config

if TYPE_CHECKING:
    import pathspec


class Excludes:
    """A workspace's exclude patterns."""

    _spec: "pathspec.GitIgnoreSpec | None" = None

    def __init__(self, patterns: Sequence[str] = ()) -> None:
        self._patterns = patterns
        if not patterns:
            return
        import pathspec  # noqa: PLC0415 - most workspaces have none

        try:
            self._spec = pathspec.GitIgnoreSpec.from_lines(patterns)
        except ValueError as error:
            raise DceError(
                "invalid_input", f"exclude in {CONFIG_FILE} contains an invalid pattern: {error}."
            ) from error

    @classmethod
    def of(cls, project: Project) -> "Excludes":
        """The patterns in the workspace's configuration. Raises invalid_input."""
        patterns = read_config(project.state_dir / CONFIG_FILE).get("exclude", [])
        if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
            raise DceError("invalid_input", f"exclude in {CONFIG_FILE} is not a list of patterns.")
        return cls(patterns)

    def among(self, paths: Iterable[str]) -> frozenset[str]:
        """The excluded paths among `paths`."""
        return frozenset(self._spec.match_files(paths)) if self._spec else frozenset()

    def reason(self, path: str) -> str:
        """Why a path is excluded, naming the pattern; "" if it is not excluded."""
        if self._spec is None:
            return ""
        result = self._spec.check_file(path)
        if not result.include or result.index is None:
            return ""
        return f"excluded by {self._patterns[result.index]!r} in {CONFIG_FILE}"
