"""Stand-ins for what a test runner gives to tests: `capsys`, `monkeypatch`, `tmp_path_factory`, `caplog`.

Sent to the lane as text with the probes, so it imports nothing of DCE and nothing but the standard library. Python 3.8 or later.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import os
import sys
from collections import namedtuple
from pathlib import Path
from typing import Any

_GONE: Any = object()
_Captured = namedtuple("_Captured", ["out", "err"])


class Capture:
    """`capsys`: what was printed since it was last asked."""

    def __init__(self, output: io.StringIO, errors: io.StringIO) -> None:
        self._streams = (output, errors)
        self._read = [0, 0]

    def readouterr(self) -> _Captured:
        """Standard output and standard error."""
        texts = []
        for number, stream in enumerate(self._streams):
            text = stream.getvalue()
            texts.append(text[self._read[number] :])
            self._read[number] = len(text)
        return _Captured(*texts)


class MonkeyPatch:
    """`monkeypatch`: changes that are taken back at the end of the probe."""

    def __init__(self) -> None:
        self._undone: list[Any] = []

    def setattr(self, target: Any, name: Any, value: Any = _GONE, raising: bool = True) -> None:
        """Both forms: an object and a name, or a dotted name."""
        if value is _GONE:
            where, _, last = target.rpartition(".")
            target, name, value = importlib.import_module(where), last, name
        old = getattr(target, name) if raising else getattr(target, name, _GONE)
        self._undone.append(lambda: delattr(target, name) if old is _GONE else setattr(target, name, old))
        setattr(target, name, value)

    def delattr(self, target: Any, name: str, raising: bool = True) -> None:
        """Removes an attribute."""
        if raising or hasattr(target, name):
            old = getattr(target, name)
            self._undone.append(lambda: setattr(target, name, old))
            delattr(target, name)

    def setitem(self, target: Any, name: Any, value: Any) -> None:
        """Sets an item of a mapping."""
        old = target.get(name, _GONE)
        self._undone.append(lambda: target.pop(name, None) if old is _GONE else target.__setitem__(name, old))
        target[name] = value

    def delitem(self, target: Any, name: Any, raising: bool = True) -> None:
        """Removes an item of a mapping."""
        if raising or name in target:
            old = target.pop(name)
            self._undone.append(lambda: target.__setitem__(name, old))

    def setenv(self, name: str, value: str, prepend: Any = None) -> None:
        """Sets an environment variable."""
        self.setitem(
            os.environ, name, f"{value}{prepend}{os.environ[name]}" if prepend and name in os.environ else value
        )

    def delenv(self, name: str, raising: bool = True) -> None:
        """Removes an environment variable."""
        self.delitem(os.environ, name, raising)

    def syspath_prepend(self, path: Any) -> None:
        """Puts a folder in front of those that modules are searched in."""
        sys.path.insert(0, str(path))
        self._undone.append(lambda: sys.path.remove(str(path)))

    def chdir(self, path: Any) -> None:
        """Changes the current folder; the probe's end changes it back in any case."""
        os.chdir(path)

    @contextlib.contextmanager
    def context(self) -> Any:
        """A stand-in of its own for a block."""
        inner = MonkeyPatch()
        try:
            yield inner
        finally:
            inner.undo()

    def undo(self) -> None:
        """Takes everything back, the last first."""
        while self._undone:
            with contextlib.suppress(Exception):
                self._undone.pop()()


class TmpPaths:
    """`tmp_path_factory`: folders within the probe's own."""

    def __init__(self, folder: str) -> None:
        self._folder = folder

    def mktemp(self, name: str, numbered: bool = True) -> Any:
        """A new folder."""
        number = len(list(Path(self._folder).iterdir()))
        made = Path(self._folder) / (f"{name}{number}" if numbered else name)
        made.mkdir()
        return made


class CapturedLog:
    """`caplog`, as far as probes go: nothing is kept, because words in a log are worded differently."""

    text = ""

    def __init__(self) -> None:
        self.records: list[Any] = []
        self.messages: list[str] = []

    def set_level(self, *_: Any, **__: Any) -> None:
        """Nothing to do."""

    def at_level(self, *_: Any, **__: Any) -> Any:
        """A block in which nothing is different."""
        return contextlib.nullcontext()

    def clear(self) -> None:
        """Nothing to forget."""


@contextlib.contextmanager
def provided(folder: str, output: io.StringIO, errors: io.StringIO) -> Any:
    """The stand-ins by the names that tests use; at the end the process is as it was."""
    monkeypatch = MonkeyPatch()
    kept = (Path.cwd(), dict(os.environ), sys.argv[:], sys.stdin, sys.path[:])
    capture = Capture(output, errors)
    names = {"capsys": capture, "capfd": capture, "monkeypatch": monkeypatch, "caplog": CapturedLog()}
    names["tmp_path_factory"] = TmpPaths(folder)
    sys.argv[:] = ["probe"]
    sys.stdin = io.StringIO("")
    try:
        yield names
    finally:
        monkeypatch.undo()
        with contextlib.suppress(OSError):
            os.chdir(kept[0])
        os.environ.clear()
        os.environ.update(kept[1])
        sys.argv[:], sys.stdin, sys.path[:] = kept[2], kept[3], kept[4]
