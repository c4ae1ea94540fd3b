"""The script that runs probes in the project's own Python, inside a lane. It imports nothing of DCE and nothing but the standard library.

It is given two paths: of a JSON job, and of the file to which it writes one JSON line for each probe. Probes run in child processes, forked from
one that has already imported the project; a child runs as many of them as the job says, and after one that ends it or takes too
long, a new child goes on with the next. What is recorded does not depend on addresses, hash order, the time or the name of the
temporary folder.
Python 3.8 or later: this runs on whatever Python the project has.
"""

from __future__ import annotations

import ast
import contextlib
import functools
import io
import json
import math
import os
import random
import re
import select
import signal
import sys
import tempfile
import time
import types
from collections.abc import Iterator
from typing import Any

MAX_ITEMS = 1000
MAX_DEPTH = 12
MAX_TEXT = 4000
MAX_SHOWN = 160
MAX_RESULT = 200_000
MEMORY_BYTES = 2 * 1024**3

MAX_WORD = 40
PATIENCE = 3
"""How many times its limit a probe may take that had hardly any CPU time: the machine is busy. Not more, because it may sleep."""
_STANDARD = getattr(sys, "stdlib_module_names", ("json", "subprocess", "asyncio", "decimal", "argparse"))
_WORDED = ("err", "stderr", "errors_out")
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")
_PLAIN = ("datetime", "decimal", "fractions", "uuid", "ipaddress", "zoneinfo", "pathlib", "re")


class Describer:
    """Describes values as text: equal values alike, whatever their addresses, hash order and helper classes."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self.attributes: tuple[list[str], list[str]] | None = None
        self._open: set[int] = set()

    def text(self, value: object, depth: int = 0) -> str:
        """The description. Containers that hold themselves, and anything very deep or long, are cut."""
        if depth > MAX_DEPTH:
            return "…"
        if id(value) in self._open:
            return "<itself>"
        self._open.add(id(value))
        try:
            return self._of(value, depth + 1)
        except RecursionError:
            raise
        except Exception as error:  # noqa: BLE001 - a project's own object may raise anything when it is looked at
            return f"<{type(value).__name__} that raises {type(error).__name__}>"
        finally:
            self._open.discard(id(value))

    def _of(self, value: object, depth: int) -> str:
        known = self._simple(value) or self._special(value)
        if known is not None:
            return known
        if isinstance(value, dict):
            return self._dict(value, depth)
        if isinstance(value, (list, tuple)):
            return self._sequence(value, depth)
        if isinstance(value, (set, frozenset)):
            return f"{_name(value)}({', '.join(sorted(self._items(value, depth)))})"
        if hasattr(value, "__next__"):
            return f"iterator({', '.join(self._items(value, depth))})"
        if hasattr(value, "tolist") and hasattr(value, "dtype"):
            return f"{type(value).__name__}({self.text(value.tolist(), depth)})"
        return self._object(value, depth)

    def _simple(self, value: object) -> str | None:
        if value is None or isinstance(value, bool) or value is Ellipsis:
            return repr(value)
        if isinstance(value, str) and type(value) is str:
            return self._cut(repr(value.replace(self._folder, "<tmp>")))
        if isinstance(value, (bytes, bytearray)):
            return self._cut(repr(value))
        if isinstance(value, (int, float, complex)) and type(value) in (int, float, complex):
            return self._number(value)
        if isinstance(value, (type, types.BuiltinFunctionType, types.ModuleType)):
            return f"<{type(value).__name__} {getattr(value, '__name__', '')}>"
        if type(value).__module__.split(".")[0] in _PLAIN or hasattr(value, "_value_"):
            return self._cut(_ADDRESS.sub("", repr(value)).replace(self._folder, "<tmp>"))
        return None

    def _special(self, value: Any) -> str | None:
        """An exception, a function, a program that ended."""
        if isinstance(value, BaseException):
            return self.error(value)
        if isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            return "<function>"  # what an inner function is called is how an answer does it
        if type(value).__name__ == "CompletedProcess":  # what it says on standard error is words
            return f"ended({value.returncode}, {self.text(value.stdout)}, {bool(value.stderr)})"
        return None

    @staticmethod
    def _number(value: Any) -> str:
        """3 and 3.0 are equal in Python and in tests, so they are described alike; the last digits of a float are noise."""
        if isinstance(value, complex):
            return f"({value.real:.9g}{value.imag:+.9g}j)"
        if isinstance(value, float):
            if math.isnan(value) or math.isinf(value):
                return str(value)
            return str(int(value)) if value == int(value) and abs(value) < 1e15 else f"{value:.9g}"
        return str(value) if abs(value) < 10**40 else f"<int of {value.bit_length()} bits, {hash(value)}>"

    def _sequence(self, value: list[Any] | tuple[Any, ...], depth: int) -> str:
        items = ", ".join(self._items(value, depth))
        if isinstance(value, tuple) and hasattr(value, "_fields"):
            return f"{type(value).__name__}({items})"
        opening, closing = ("[", "]") if isinstance(value, list) else ("(", ",)" if len(value) == 1 else ")")
        return opening + items + closing

    def _dict(self, value: dict[Any, Any], depth: int) -> str:
        pairs = [f"{self.text(key, depth)}: {self.text(held, depth)}" for key, held in list(value.items())[:MAX_ITEMS]]
        if type(value).__name__ != "OrderedDict":
            pairs.sort()  # equality ignores the order; a test that looks at it makes a list, which is recorded as such
        return "{" + ", ".join(pairs) + "}"

    def _items(self, value: Any, depth: int) -> list[str]:
        out: list[str] = []
        for number, item in enumerate(value):
            if number >= MAX_ITEMS:
                out.append("…")
                break
            out.append(self.text(item, depth))
        return out

    def _object(self, value: object, depth: int) -> str:
        """An object is described by its public attributes. Private ones are how an answer does it, not what it does."""
        names = list(getattr(value, "__dict__", {}))
        for kind in type(value).__mro__:
            slots = kind.__dict__.get("__slots__", ())
            names += [slots] if isinstance(slots, str) else list(slots)
        if self.attributes and type(value).__module__ in self.attributes[0]:
            known = self.attributes[1]
            names = [name for name in known if name in names or isinstance(getattr(type(value), name, None), property)]
        public = sorted({name for name in names if not name.startswith("_") and hasattr(value, name)})
        held = ", ".join(f"{name}={self.text(getattr(value, name), depth)}" for name in public)
        if not public and hasattr(type(value), "__iter__"):
            held = ", ".join(self._items(value, depth))
        return f"{type(value).__name__}({held})"

    def error(self, error: BaseException) -> str:
        """The kind of an exception, and what a project's own one says in numbers or single words: sentences are worded differently."""
        facts = [f"{name}={self.text(value)}" for name, value in sorted(_facts(error))]
        return type(error).__name__ + (f"({', '.join(facts)})" if facts else "")

    @staticmethod
    def _cut(text: str) -> str:
        return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… ({len(text)} characters, {_digest(text)})"


def _digest(text: str) -> str:
    import hashlib  # noqa: PLC0415 - seldom needed, and each import costs every answer

    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]


def _facts(error: BaseException) -> list[tuple[str, Any]]:
    if type(error).__module__ == "builtins" or type(error).__module__.split(".")[0] in _STANDARD:
        return []
    found = [(name, value) for name, value in vars(error).items() if not name.startswith("_")]
    return [(name, value) for name, value in found if isinstance(value, (int, float)) or _is_word(value)]


def _is_word(value: object) -> bool:
    return isinstance(value, str) and len(value) <= MAX_WORD and not any(char.isspace() for char in value)


def _name(value: object) -> str:
    return "set" if isinstance(value, (set, frozenset)) else type(value).__name__


class Recorder:
    """What one probe showed, in the order in which it happened."""

    def __init__(self, describer: Describer) -> None:
        self.seen: list[tuple[str, str]] = []
        self.describer = describer

    def record(self, value: object) -> object:
        """Records a value and hands it on. What is only begun (a coroutine, an asynchronous generator) is run to its end."""
        if isinstance(value, BaseException):
            self.seen.append(("raised", self.describer.error(value)))
            return value
        if hasattr(value, "__aiter__") and hasattr(value, "__anext__"):
            value = _all_of(value)
        if isinstance(value, types.CoroutineType):
            try:
                value = _run_coroutine(value)
            except Exception as error:  # noqa: BLE001 - as of any step
                return self.record(error)
        self.seen.append(("value", self.describer.text(value)))
        return value


def run_probe(probe: dict[str, Any], folder: str) -> dict[str, Any]:
    """Runs one probe in this process and returns what it showed. `probe["provided"]` makes what a test runner gives to tests."""
    recorder = Recorder(Describer(folder))
    space: dict[str, Any] = {"__name__": "__probe__", "__record__": recorder.record, "__run__": _run_coroutine}
    space["__namespace__"], space["__spoil__"] = types.SimpleNamespace, _spoil
    output, errors = io.StringIO(), io.StringIO()
    random.seed(0)
    began = time.process_time()
    with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
        is_ready = _run_header(probe["header"], space, recorder)
        recorder.describer.attributes = space.pop("__attributes__", None)
        with contextlib.ExitStack() as stack:
            for provided in probe.get("provided", ()):
                names = stack.enter_context(provided(folder, output, errors))
                space.update((name, value) for name, value in names.items() if name not in space)
            if folder != "<none>":
                import pathlib  # noqa: PLC0415 - only for tests that use a folder

                space["tmp_path"] = space["tmpdir"] = pathlib.Path(folder)
            known = set(space)
            for step in probe["steps"] if is_ready else ():
                _run_step(step, space, recorder)
            after = [
                f"{name} = {_after(recorder.describer, name, space[name])}"
                for name in sorted(set(space) - known)
                if _is_data(name, space[name])
            ]
    return {
        "id": probe["id"],
        "seen": recorder.seen,
        "after": after,
        "stdout": output.getvalue()[:MAX_TEXT].replace(folder, "<tmp>"),
        "files": _files(folder, probe) if folder != "<none>" else [],
        "cpu_s": round(time.process_time() - began, 4),
    }


def _spoil(value: Any, depth: int = 0) -> None:
    """Changes a result, and what it holds, the way a careless caller does."""
    if depth < 3 and isinstance(value, (list, dict)):
        for held in list(value.values() if isinstance(value, dict) else value)[:MAX_ITEMS]:
            _spoil(held, depth + 1)
        value.append("spoiled") if isinstance(value, list) else value.update(spoiled=1)


def _after(describer: Describer, name: str, value: object) -> str:
    """What a variable holds at the end; of words on standard error, whether there are any."""
    return describer.text(bool(value) if name in _WORDED and isinstance(value, str) else value)


async def _all_of(values: Any) -> list[Any]:
    return [value async for value in values]


def _run_coroutine(coroutine: Any) -> object:
    import asyncio  # noqa: PLC0415 - a slow import that few tests need

    return asyncio.run(coroutine)


def _run_header(header: list[str], space: dict[str, Any], recorder: Recorder) -> bool:
    try:
        for statement in header:
            exec(compile(statement, "<probe>", "exec"), space)  # noqa: S102 - running it is the purpose
    except BaseException as error:  # noqa: BLE001 - whatever the project's import raises is the result
        recorder.record(error)
        return False
    return True


def _run_step(step: str, space: dict[str, Any], recorder: Recorder) -> None:
    try:
        tree = ast.parse(step)
        if len(tree.body) == 1 and isinstance(tree.body[0], ast.Expr):
            is_recorded = step.startswith("__record__(")
            value = eval(compile(step, "<probe>", "eval"), space)  # noqa: S307
            if not is_recorded:
                recorder.record(value)
        else:
            exec(compile(tree, "<probe>", "exec"), space)  # noqa: S102
    except BaseException as error:  # noqa: BLE001 - SystemExit too: an answer that exits is a result
        recorder.record(error)


def _is_data(name: str, value: object) -> bool:
    return not name.startswith("_") and not isinstance(value, (types.FunctionType, type, types.ModuleType))


def _files(folder: str, probe: dict[str, Any]) -> list[Any]:
    """Files that the probe left in its temporary folder: name, and which text of the probe's own it holds, if it does. The form in which an
    answer keeps something is its own affair: a test that minds reads the file, and that is recorded."""
    own = {_digest(text) for text in _own_texts([*probe["header"], *probe["steps"]])}
    found = []
    for where, _, names in sorted(os.walk(folder)):
        for name in sorted(names)[:MAX_ITEMS]:
            path = os.path.join(where, name)  # noqa: PTH118 - plain strings, no import of pathlib
            with contextlib.suppress(OSError), open(path, "rb") as file:  # noqa: PTH123
                data = file.read(MAX_RESULT).decode("latin-1")
                found.append(
                    [os.path.relpath(path, folder), _digest(data) if _digest(data) in own else f"{bool(data)}"]
                )
    return found


def _own_texts(lines: list[str]) -> Iterator[str]:
    for line in lines:
        with contextlib.suppress(SyntaxError, ValueError):
            for node in ast.walk(ast.parse(line)):
                if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)):
                    data = node.value.encode("utf-8", "replace") if isinstance(node.value, str) else node.value
                    yield data.decode("latin-1")


def _limit_memory() -> None:
    with contextlib.suppress(ImportError, ValueError, OSError):
        import resource  # noqa: PLC0415 - not on every system

        resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))


def _child(probes: list[dict[str, Any]], write_end: int) -> None:
    """Runs probes and writes each result to the pipe at once. Never returns."""
    try:
        _limit_memory()
        with os.fdopen(write_end, "w") as pipe:
            for probe in probes:
                line = json.dumps(_with_folder(probe))
                if len(line) > MAX_RESULT:
                    line = json.dumps({"id": probe["id"], "digest": _digest(line)})
                pipe.write(line + "\n")
                pipe.flush()
    finally:
        os._exit(0)


def _with_folder(probe: dict[str, Any]) -> dict[str, Any]:
    """Runs a probe, with a temporary folder if it uses one."""
    if not any("tmp_path" in step or "tmpdir" in step for step in probe["steps"]):
        return run_probe(probe, "<none>")
    with tempfile.TemporaryDirectory(prefix="probe-") as folder:
        return run_probe(probe, os.path.realpath(folder))


class Batch:
    """Probes that run in one child, one after the other, until one takes too long or ends the child, or all time is used up."""

    def __init__(self, probes: list[dict[str, Any]], limit_s: float, ends_at: float) -> None:
        self._probes, self._limit_s, self._ends_at = probes, limit_s, ends_at
        self._read_end, write_end = os.pipe()
        self._child = os.fork()
        if self._child == 0:
            os.close(self._read_end)
            os.setpgid(0, 0)
            _child(probes, write_end)
        os.close(write_end)
        self.done = 0
        self.is_slow = False

    def results(self) -> Iterator[dict[str, Any]]:
        """Each result as soon as it is known."""
        rest, began, spent_s, patience = b"", time.monotonic(), 0.0, 1
        kind: str | None = "died"
        while self.done < len(self._probes):
            ends_at = min(began + self._limit_s * patience, self._ends_at)
            ready, _, _ = select.select([self._read_end], [], [], max(0.0, ends_at - time.monotonic()))
            if not ready and time.monotonic() < self._ends_at:
                if patience == 1 and _cpu_s(self._child) - spent_s < self._limit_s / 2:
                    patience = PATIENCE
                    continue
                kind = "timeout"
                break
            if not ready:
                kind = None
                break
            chunk = os.read(self._read_end, 65536)
            if not chunk:
                break
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield json.loads(line)
                self.done += 1
                began, spent_s, patience = time.monotonic(), _cpu_s(self._child), 1
        self._end()
        if self.done < len(self._probes) and kind:
            self.is_slow = kind == "timeout"
            yield {"id": self._probes[self.done]["id"], "kind": kind}
            self.done += 1

    def _end(self) -> None:
        for kill in (os.killpg, os.kill):
            with contextlib.suppress(OSError):
                kill(self._child, signal.SIGKILL)
        os.close(self._read_end)
        os.waitpid(self._child, 0)


def _cpu_s(process: int) -> float:
    """CPU time that a process has used; 0 where that cannot be told."""
    try:
        with open(f"/proc/{process}/stat", "rb") as file:  # noqa: PTH123 - see _files
            fields = file.read().rsplit(b")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, IndexError):
        return 0.0


def main() -> None:
    """Reads the job and writes the results, each as soon as it is known."""
    with open(sys.argv[1], encoding="utf-8") as file:  # noqa: PTH123 - see _files
        job = json.load(file)
    out = open(sys.argv[2], "w", encoding="utf-8")  # noqa: PTH123, SIM115 - open until the process ends
    nothing = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nothing, stream)  # what the project prints is of no use to anybody here
    sys.path[:0] = job["paths"]
    provided = [_defined(source)["provided"] for source in job.get("provided", ())]
    probes = [{**probe, "provided": provided} for probe in job["probes"]]
    can_fork = hasattr(os, "fork")
    if can_fork:
        _import_early({line for probe in probes for line in probe["header"]}, job["import_s"])
    ends_at = time.monotonic() + job["total_s"]
    for result in _all_results(probes, job, ends_at) if can_fork else map(_with_folder, probes):
        out.write(json.dumps(result) + "\n")
        out.flush()


def _all_results(probes: list[dict[str, Any]], job: dict[str, Any], ends_at: float) -> Iterator[dict[str, Any]]:
    slow = done = 0
    while done < len(probes) and slow < job["max_timeouts"] and time.monotonic() < ends_at:
        batch = Batch(probes[done : done + job["batch"]], job["probe_s"], ends_at)
        yield from batch.results()
        done += batch.done
        slow += batch.is_slow
    for probe in probes[done:]:
        yield {"id": probe["id"], "kind": "not run"}


def _defined(source: str) -> dict[str, Any]:
    space: dict[str, Any] = {"__name__": "provided"}
    exec(compile(source, "<provided>", "exec"), space)  # noqa: S102 - DCE's own
    return space


class _TooSlowError(BaseException):
    """An import took too long. Not an Exception, so that the imported module does not catch it by accident."""


def _import_early(headers: set[str], limit_s: float) -> None:
    """Imports once what the probes import, in `limit_s` altogether; a failure is ignored here, because each probe meets it again."""

    def stop(*_: object) -> None:
        raise _TooSlowError

    signal.signal(signal.SIGALRM, stop)
    ends_at = time.monotonic() + limit_s
    for header in sorted(headers):
        left_s = ends_at - time.monotonic()
        if left_s <= 0:
            return
        if not header.startswith(("import ", "from ")):
            continue
        try:
            signal.setitimer(signal.ITIMER_REAL, left_s)
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                exec(compile(header, "<probe>", "exec"), {"__name__": "__probe__"})  # noqa: S102
        except BaseException:  # noqa: BLE001, S112 - see the docstring
            continue
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)


if __name__ == "__main__":
    main()
