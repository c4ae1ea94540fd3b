"""Does a file of an answer parse? Python by its own compiler, other languages by their tree-sitter grammar, JSON and TOML by a reader.

Invariants: nothing is executed; what did not parse before is not the answer's fault; where DCE cannot tell (a grammar that is not installed,
a Python newer than DCE's own, C macros) nothing is said.
"""

import ast
import importlib
import re
import sys
import tomllib
import warnings
from collections.abc import Callable
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import msgspec

from dce.workspace.context.outline import LANGUAGES, Language
from dce.workspace.judging.exam.table import is_in_test_folder
from dce.workspace.judging.lanes.environment import current_variables, find_python

MAX_QUOTED = 40
"""How much of a line that cannot be parsed is shown."""

MAX_FILE_BYTES = 1 << 20
"""Larger files are data, not something that an answer writes by hand."""

KEPT = 256
"""How many files' results are remembered: the board is shown again and again, and its answers do not change."""

_MACROS = frozenset({"tree_sitter_c", "tree_sitter_cpp"})
"""Grammars that do not know the project's macros, so that only brackets count."""

_DIRECTIVES = "tree_sitter_c_sharp"
"""A grammar that stumbles over `#if` and `#pragma` in many places."""

_BRACKETS = {"{": "}", "(": ")", "[": "]"}

Fault = tuple[int, str]
"""Line and what is wrong there."""


class Parsers:
    """The parsers for one workspace. `python`: the version of its interpreter, if it is known."""

    def __init__(self, root: Path) -> None:
        self._python = python_version(root)

    def fault(self, path: str, data: bytes) -> Fault | None:
        """The first place that does not parse; None if all does, or nobody can tell."""
        if len(data) > MAX_FILE_BYTES or b"\0" in data:
            return None
        lowered = path.lower()
        if _TEMPLATE.search(path) or (is_in_test_folder(path) and _is_data(lowered)):
            return None  # may be broken on purpose
        if lowered.endswith((".py", ".pyi")):
            return _fault_of_python(data, self._python)
        if lowered.endswith(".json"):
            return _fault_of_json(data, may_have_comments=lowered.rpartition("/")[2] not in _STRICT_JSON)
        if lowered.endswith(".toml"):
            return _fault_of_data(data, lambda text: tomllib.loads(text.decode()))
        language = next((row for row in LANGUAGES if lowered.endswith(row.suffixes)), None)
        return None if language is None else _fault_of_tree(language, data)


def python_version(root: Path) -> tuple[int, int] | None:
    """The version of the project's Python, as its virtual environment states it: nothing in a workspace is started for this."""
    environment = find_python(current_variables(), root).environment
    if environment is None:
        return None
    try:
        lines = (environment / "pyvenv.cfg").read_text("utf-8", "replace").splitlines()
    except OSError:
        return None
    values = {key.strip(): value.strip() for key, _, value in (line.partition("=") for line in lines)}
    parts = (values.get("version") or values.get("version_info") or "").split(".")
    return (int(parts[0]), int(parts[1])) if len(parts) > 1 and parts[0].isdigit() and parts[1].isdigit() else None


def _is_data(path: str) -> bool:
    """Whether a file in a folder of tests is what tests read, rather than a test."""
    return path.endswith((".json", ".toml")) or bool(_INPUTS.search(path))


_TEMPLATE = re.compile(r"\{\{|\{%|(?:^|/)(?:templates?|cookiecutter|skeletons?)/")
"""Paths of files that become code only when something fills them in."""

_INPUTS = re.compile(
    r"/(?:fixtures?|__fixtures__|data|testdata|test_data|resources|inputs?|cases|samples?|snapshots?|__snapshots__|golden)/"
)
_STRICT_JSON = frozenset({"package.json", "package-lock.json", "composer.json"})
_LENIENT = re.compile(rb'("(?:\\.|[^"\\])*")|//[^\n]*|/\*.*?\*/|,(?=\s*[}\]])', re.DOTALL)
"""What many tools allow in JSON: comments and commas at the end."""


@lru_cache(maxsize=KEPT)
def _fault_of_python(data: bytes, version: tuple[int, int] | None) -> Fault | None:
    ours = sys.version_info[:2]
    if version is not None and version > ours:
        return None  # it may know more than we do
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            tree = ast.parse(data, feature_version=version or ours)
            compile(tree, "<answer>", "exec", dont_inherit=True)
        except SyntaxError as error:
            return error.lineno or 0, error.msg
        except (ValueError, RecursionError, MemoryError) as error:
            return 0, str(error) or type(error).__name__
    return None


def _fault_of_json(data: bytes, *, may_have_comments: bool) -> Fault | None:
    fault = _fault_of_data(data, msgspec.json.decode)
    if fault is None or not may_have_comments:
        return fault
    plain = _LENIENT.sub(lambda found: found[1] or b"", data)
    plain = _LENIENT.sub(lambda found: found[1] or b"", plain)  # a comma before a comment
    return _fault_of_data(plain, msgspec.json.decode) and fault


def _fault_of_data(data: bytes, read: Callable[[bytes], object]) -> Fault | None:
    try:
        read(data.removeprefix(b"\xef\xbb\xbf"))
    except (ValueError, RecursionError) as error:
        return 0, str(error)
    return None


@lru_cache(maxsize=KEPT)
def _fault_of_tree(language: Language, data: bytes) -> Fault | None:
    parser = _parser(language.package, language.function)
    if parser is None:
        return None
    root = parser.parse(data).root_node
    if not root.has_error:
        return None
    if language.package in _MACROS and (b"#if" in data or _is_balanced(root)):
        return None
    if language.package == _DIRECTIVES and re.search(rb"^[ \t]*#", data, re.MULTILINE):
        return None
    node = _first_error(root)
    line = int(node.start_point[0]) + 1
    if node.is_missing:
        return line, f"`{node.type}` is missing"
    quoted = data[node.start_byte : node.start_byte + MAX_QUOTED].decode("utf-8", "replace").split("\n")[0].strip()
    return line, f"cannot be parsed at `{quoted}`" if quoted else "cannot be parsed"


@cache
def _parser(package: str, function: str) -> Any:
    """The parser of a grammar; None if it is not installed."""
    try:
        tree_sitter = importlib.import_module("tree_sitter")
        grammar = importlib.import_module(package)
    except ModuleNotFoundError:
        return None
    return tree_sitter.Parser(tree_sitter.Language(getattr(grammar, function)()))


def _first_error(root: Any) -> Any:
    """The first node that is an error or was missing, in a tree that has one. Trees can be deeper than Python's stack."""
    node = root
    while True:
        inner = next((child for child in node.children if child.has_error or child.is_missing), None)
        if inner is None or node.is_error:
            return node
        node = inner


def _is_balanced(root: Any) -> bool:
    """Whether every bracket outside strings and comments has its counterpart."""
    open_brackets, cursor = [], [root]
    while cursor:
        node = cursor.pop()
        if node.is_missing:
            continue  # the grammar's guess; what counts is what is written
        if node.type in _BRACKETS:
            open_brackets.append(node.type)
        elif node.type in _BRACKETS.values() and (not open_brackets or _BRACKETS[open_brackets.pop()] != node.type):
            return False
        cursor.extend(reversed(node.children))
    return not open_brackets
