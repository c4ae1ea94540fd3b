"""JUnit XML, which most runners can write: pytest, vitest, Maven, Gradle, PHPUnit, ctest, node and others.

Reports are written by code that a model wrote, so a document type, with which XML can be made to grow without bound, is refused.
"""

from collections.abc import Iterator
from xml.etree import ElementTree

import msgspec

from dce.workspace.judging.results.outcome import Outcome, Results, numbered, results

_OUTCOMES: tuple[tuple[str, Outcome], ...] = (("error", "error"), ("failure", "failed"), ("skipped", "skipped"))
"""Element in a test case → how the test ended. The first that is there counts."""

_RUNNERS = {"vitest tests": "vitest", "jest tests": "jest", "Mocha Tests": "mocha"}
"""Name of a whole report → the runner that gives it this name."""

_NO_CLASSES = frozenset({"", "test"})
"""Class names that say nothing: node writes `test` for every one."""


def read_junit(data: bytes, folder: str = "") -> Results | None:  # noqa: ARG001 - a row of WRITTEN
    """The results in a report; None if this is no JUnit XML."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return None
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a document type, nothing expands
    except ElementTree.ParseError:
        return None
    if root.tag not in {"testsuites", "testsuite"}:
        return None
    tests: list[tuple[str, Outcome]] = []
    is_broken = False
    for case, suites in _cases(root):
        is_file = _is_file(case, suites)
        outcome = _outcome(case)
        if is_file and outcome == "failed":
            outcome = "error"
        is_broken = is_broken or (is_file and outcome == "error")
        tests.append((case.get("classname") or _name(case, suites) if is_file else _name(case, suites), outcome))
    is_pytest = any(suite.get("name") == "pytest" for suite in root.iter("testsuite"))
    found = results("pytest", tests) if is_pytest else numbered(_RUNNERS.get(root.get("name") or "", "junit"), tests)
    return msgspec.structs.replace(found, stop="broken") if is_broken else found


def _is_file(case: ElementTree.Element, suites: tuple[str, ...]) -> bool:
    """Whether a case stands for a whole file, which could not be loaded: so pytest and vitest report it."""
    group = case.get("classname") or ""
    return not group if suites[-1:] == ("pytest",) else bool(group) and group == case.get("name")


def _cases(root: ElementTree.Element) -> Iterator[tuple[ElementTree.Element, tuple[str, ...]]]:
    """Each test case with the names of the suites around it."""
    pending: list[tuple[ElementTree.Element, tuple[str, ...]]] = [
        (root, (root.get("name") or "",) if root.tag == "testsuite" else ())
    ]
    while pending:
        suite, names = pending.pop()
        for child in suite:
            if child.tag == "testcase":
                yield child, names
            elif child.tag == "testsuite":
                pending.append((child, (*names, child.get("name") or "")))


def _outcome(case: ElementTree.Element) -> Outcome:
    tags = {child.tag for child in case}
    return next((outcome for tag, outcome in _OUTCOMES if tag in tags), "passed")


def _name(case: ElementTree.Element, suites: tuple[str, ...]) -> str:
    """The test's name: as pytest's node id if the report is pytest's, else class and name, or suites and name without a class."""
    name, group, file = case.get("name") or "", case.get("classname") or "", case.get("file") or ""
    if suites[-1:] == ("pytest",):
        return _node_id(name, group, file)
    around = tuple(part for part in suites if part) if group in _NO_CLASSES else (group,)
    return " > ".join((*around, name))


def _node_id(name: str, group: str, file: str) -> str:
    module = file.removesuffix(".py").replace("\\", "/").replace("/", ".")
    if not file:  # another junit_family leaves the file out
        return "::".join(part for part in (group, name) if part)
    if not group:
        return file.replace("\\", "/")  # the file could not be loaded
    classes = group[len(module) + 1 :].split(".") if group.startswith(f"{module}.") else []
    return "::".join((file.replace("\\", "/"), *classes, name))
