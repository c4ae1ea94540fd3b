"""Looks at every answer, without any configuration: what does not parse, which imports lead nowhere, which secrets are in the code.

Invariants: nothing is run; only what the answer brings counts. A fault that the file had before, an import that it had, a value that the
workspace's files hold already are not the answer's. Ten answers cost milliseconds, so this is done whenever the board is shown.
"""

from collections.abc import Iterator
from functools import lru_cache

from dce.wire.errors import DceError
from dce.workspace.judging.always import python_imports, script_imports
from dce.workspace.judging.always.after import After
from dce.workspace.judging.always.parsing import KEPT, Parsers
from dce.workspace.judging.always.problem import Problem
from dce.workspace.judging.lanes.lane import LaidFile
from dce.workspace.outbound.allowlist import AllowList
from dce.workspace.outbound.secrets import CONTROL, Finding, scan
from dce.workspace.project import Project
from dce.workspace.schema.reading import Reading
from dce.workspace.tree.current import CurrentFiles

MAX_PROBLEMS = 50
"""Maximum problems of one answer: more say nothing new."""


class Looking:
    """Looks at the answers of one generation; what they share is read once."""

    def __init__(self, project: Project, files: CurrentFiles | None = None) -> None:
        self._project = project
        self._files = files or CurrentFiles(project)
        self._parsers = Parsers(project.root)
        try:
            self._allowed = AllowList.of(project)
        except DceError:
            self._allowed = AllowList(())

    def problems(self, reading: Reading) -> tuple[Problem, ...]:
        """What is wrong with an answer's files."""
        if not reading.files:
            return ()
        after = After(self._project, reading)
        known = {
            secret.fingerprint
            for file in after.written
            for secret in _scanned(self._files.at(file.path).text, file.path)
        }
        found: list[Problem] = []
        for file in after.written:
            found += self._of_file(after, file, known)
        return tuple(found[:MAX_PROBLEMS])

    def _of_file(self, after: After, file: LaidFile, known: set[str]) -> Iterator[Problem]:
        current = self._files.at(file.path)
        data = file.data or b""
        if current.data == data:
            return
        fault = self._parsers.fault(file.path, data)
        if fault is not None and (current.data is None or self._parsers.fault(file.path, current.data) is None):
            yield Problem(flag="does_not_compile", path=file.path, line=fault[0], text=f"does not parse: {fault[1]}")
        text = data.decode("utf-8", "replace")
        if fault is None:
            yield from _imports(after, file.path, text, current.text)
        for secret in self._allowed.unresolved(_scanned(text, file.path)):
            if secret.rule != CONTROL and secret.fingerprint not in known:
                said = f"holds what looks like a secret ({secret.rule}: {secret.masked})"
                yield Problem(flag="secret_in_code", path=file.path, line=secret.line, text=said)


@lru_cache(maxsize=KEPT)
def _scanned(text: str, path: str) -> tuple[Finding, ...]:
    return scan(text, path)


def _imports(after: After, path: str, text: str, before: str) -> Iterator[Problem]:
    reader = (
        python_imports
        if path.endswith((".py", ".pyi"))
        else script_imports
        if path.endswith(script_imports.SUFFIXES)
        else None
    )
    if reader is not None:
        for line, why in reader.unresolved(after, path, text, before):
            yield Problem(flag="unresolved_import", path=path, line=line, text=f"imports what is not there: {why}")
