"""Runs many changed tests of a file in one process: they are written into it as functions that one test calls, and compiled once.

What does not compile is left out, by the lines that the compiler names; what ends the process, or takes too long, is left out and the
rest is run again. Every test runs twice, the second time in the opposite order: what differs is unstable.
"""

import asyncio
import json
import re
import time
from collections.abc import Callable, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.mutated.harness import HARNESSES, Harness
from dce.workspace.judging.behaviour.mutated.many import SAID
from dce.workspace.judging.behaviour.mutated.trees import tree_of
from dce.workspace.judging.behaviour.probe import Outcome, Probe
from dce.workspace.judging.check_run import text_of
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.folders import clear
from dce.workspace.judging.lanes.lane import Lane, RunOptions
from dce.workspace.judging.report_files import read

BUDGET_S = 30.0
"""How long compiling and running may take for one answer."""

MAX_ROUNDS = 12
"""How often what is left is compiled or run again."""

MAX_SHOWN = 120
"""Longest result that is shown in a cell of the table, in characters."""

_LAID = 'cat -- "$1" >"$2"'
_WRAPPED = '{flags}; exec "$@"'
_ADDRESS = re.compile(r"0x[0-9a-fA-F]{6,}")


class File(msgspec.Struct, frozen=True, kw_only=True):
    """A test file: its text with the workspace's tests, and where in it more functions can stand (in bytes)."""

    path: str
    text: str
    place: int


class _Said:
    """What one function said, by round. `ended`: the rounds that it finished."""

    def __init__(self) -> None:
        self.lines: dict[int, list[str]] = {}
        self.ended: set[int] = set()
        self.is_late = False


async def run_together(
    lane: Lane,
    checks: Sequence[Check],
    probes: Sequence[Probe],
    files: Callable[[str], File | None],
    single: frozenset[str],
) -> dict[str, Outcome]:
    """The outcomes by id; nothing for probes of a file with which this does not work here. `single`: functions with one result."""
    found: dict[str, Outcome] = {}
    end = time.monotonic() + BUDGET_S
    for path in dict.fromkeys(probe.header[0] for probe in probes):
        harness = next((row for row in HARNESSES if path.endswith(row.suffix)), None)
        file = files(path)
        if harness is None or file is None:
            continue
        own = [probe for probe in probes if probe.header[0] == path]
        found |= await _Together(lane, checks, harness, file, end).run(own, single)
    return found


class _Together:
    """One file with many functions."""

    def __init__(self, lane: Lane, checks: Sequence[Check], harness: Harness, file: File, end: float) -> None:
        self._lane = lane
        self._checks = checks
        self._harness = harness
        self._file = file
        self._end = end

    async def run(self, probes: Sequence[Probe], single: frozenset[str]) -> dict[str, Outcome]:
        functions = {
            number: self._harness.function(probe.steps[0], number, single) for number, probe in enumerate(probes)
        }
        left = [number for number in functions if self._is_whole(functions[number])]
        refused: set[int] = set(functions) - set(left)
        said: dict[int, _Said] = {}
        is_elsewhere = False
        for _ in range(MAX_ROUNDS):
            if not left or time.monotonic() > self._end:
                break
            text, lines = self._laid(functions, left)
            output, records = await self._once(text, list(said))
            _read(records, said)
            if not records:
                bad = self._named_in(output, lines)
                if not bad:
                    is_elsewhere = not refused and time.monotonic() < self._end
                    break
                refused |= bad
                left = [number for number in left if number not in bad]
                continue
            if all(number in said for number in left):
                break
        await self._lay(self._file.text)
        if is_elsewhere and not said:
            return {}  # this way of running tests is none for this project
        names = dict(enumerate(probes))
        return {names[number].id: _outcome(said.get(number), is_refused=number in refused) for number in functions}

    def _is_whole(self, text: str) -> bool:
        tree = tree_of(("package x\n" if self._file.path.endswith(".go") else "") + text, self._file.path)
        return tree is not None and not tree.root.has_error

    def _laid(self, functions: Mapping[int, str], numbers: Sequence[int]) -> tuple[str, list[tuple[int, int, int]]]:
        """The text, and which lines are whose: the number, the first line and the last."""
        content = self._file.text.encode()
        before, after = content[: self._file.place].decode(), content[self._file.place :].decode()
        if self._harness.before:
            before = re.sub(r"(?m)^(package\s+\w+)", lambda match: match[1] + self._harness.before, before, count=1)
        text = before + "\n" + self._harness.main(numbers, str(self._lane.tmp / SAID))
        lines = []
        at = text.count("\n") + 1
        for number in numbers:
            piece = functions[number] + "\n"
            lines.append((number, at, at + piece.count("\n") - 1))
            text += piece
            at += piece.count("\n")
        return text + after, lines

    async def _once(self, text: str, done: Sequence[int]) -> tuple[str, list[tuple[int, int, str, str]]]:
        """One run of the checks: what was printed and what was said."""
        said = self._lane.written_tmp / SAID
        await asyncio.to_thread(clear, said)
        skip = said.with_name(f"{SAID}.skip")
        await asyncio.to_thread(clear, skip)
        await asyncio.to_thread(skip.write_text, "".join(f",{number}," for number in done), "utf-8")
        await self._lay(text)
        output = ""
        for check in self._checks:
            left_s = max(1.0, self._end - time.monotonic())
            command = ("/bin/sh", "-c", _WRAPPED.format(flags=self._harness.flags), "sh", *check.command)
            ended = await self._lane.run(
                command, RunOptions(timeout_s=min(check.timeout_s, left_s), cwd=check.cwd, env=check.env)
            )
            output += text_of(ended)
            data = await asyncio.to_thread(read, [said])
            if data:
                return output, [line for text in data.values() for line in _records(text)]
        return output, []

    async def _lay(self, text: str) -> None:
        target = self._lane.written_tmp / "dce-mutated"
        await asyncio.to_thread(clear, target)
        await asyncio.to_thread(target.write_bytes, text.encode("utf-8", "replace"))
        command = ("/bin/sh", "-c", _LAID, "sh", str(self._lane.tmp / "dce-mutated"), self._file.path)
        await self._lane.run(command, RunOptions(timeout_s=20.0))

    def _named_in(self, output: str, lines: Sequence[tuple[int, int, int]]) -> set[int]:
        """The functions on whose lines the compiler found errors."""
        found: set[int] = set()
        for places in _errors(output, self._file.path):
            # The first place is the error's own; one in a macro stands elsewhere, and the rest says where that is used.
            owners = [{number for number, first, last in lines if first <= at <= last} for at in places]
            found |= next((owner for owner in owners if owner), set())
        return found


def _errors(output: str, path: str) -> list[list[int]]:
    """The lines of a file that each error of a compiler names. Rust shows more of them beside the source; its warnings do not count."""
    name = re.escape(path.rsplit("/", 1)[-1])
    is_error = not path.endswith(".rs")
    found: list[list[int]] = []
    for line in output.splitlines():
        text = line[:500]
        if path.endswith(".rs") and re.match(r"(?:error|warning)\b", text):
            is_error = text.startswith("error")
            found.append([])
        match = re.search(rf"(?:^|[\s/]){name}:(\d+)(?::\d+)?", text)
        shown = re.match(r"\s*(\d+)\s+\|", text) if path.endswith(".rs") else None
        if is_error and match and path.endswith(".rs") and found:
            found[-1].append(int(match[1]))
        elif is_error and match:
            found.append([int(match[1])])
        elif is_error and shown and found:
            found[-1].append(int(shown[1]))
    return found


def _records(data: bytes) -> list[tuple[int, int, str, str]]:
    found = []
    for line in data.decode("utf-8", "replace").splitlines():
        match = re.fullmatch(r"(-?\d{1,9})\t(\d)\t(\w+)\t(.*)", line)
        if match:
            found.append((int(match[1]), int(match[2]), match[3], match[4]))
    return found


def _read(records: Sequence[tuple[int, int, str, str]], said: dict[int, _Said]) -> None:
    """Adds what was said. The first process that ran a function counts: another target may run the same tests again."""
    fresh: dict[int, _Said] = {}
    for number, rounds, kind, text in records:
        if kind == "done":
            break
        one = fresh.setdefault(number, _Said())
        if kind == "begin":
            one.lines[rounds] = []
        elif kind == "end":
            one.ended.add(rounds)
        elif kind == "late":
            one.is_late = True
        else:
            one.lines.setdefault(rounds, []).append(_ADDRESS.sub("<address>", text))
    for number, one in fresh.items():
        said.setdefault(number, one)


def _outcome(said: _Said | None, *, is_refused: bool) -> Outcome:
    if is_refused:
        return Outcome(kind="raised", text="does not compile", shown="does not compile")
    if said is None:
        return Outcome(kind="not run", text="not run", shown="not run")
    if said.is_late:
        return Outcome(kind="timeout", text="timeout", shown="no result in time")
    first = said.lines.get(0, [])
    if 0 not in said.ended:
        return Outcome(kind="died", text="died", shown="the process ended")
    if 1 in said.ended and said.lines.get(1, []) != first:
        return Outcome(kind="unstable", text="unstable", shown="changes from run to run")
    shown = " ".join(first)[-MAX_SHOWN:] or "nothing is said"
    return Outcome(kind="value", text=json.dumps({"said": first}), shown=shown)
