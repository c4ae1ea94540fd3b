"""A shell test that says what the code under test does: for every command that runs it, the exit code, what it prints, and whether it
complains. What the words of a complaint are is nobody's business, so they are left out.

Works on the source: what is inserted changes nothing that the test sees but the order of output and messages. The test goes on after
what would end it, so that the rest of it is seen too.
"""

import re
from collections.abc import Iterator
from typing import Any

from dce.workspace.judging.behaviour.mutated.changes import Change, changed
from dce.workspace.judging.behaviour.mutated.trees import Tree, tree_of, walk

SHELLS = (".sh", ".bash")
_PROGRAMS = frozenset({"sh", "bash", "dash", "zsh", "ksh"})

_PRELUDE = r"""__dce_f=SAID
__dce_say() { { printf '%s\037' "$@"; printf '\036'; } >>"$__dce_f"; }
__dce_run() {
  local __dce_o __dce_s __dce_v __dce_c
  __dce_o="$__dce_f.$1" __dce_v= __dce_c=quiet; shift
  "$@" >"$__dce_o.out" 2>"$__dce_o.err"
  __dce_s=$?
  if [ -s "$__dce_o.out" ]; then __dce_v=$(cat "$__dce_o.out"; echo .); __dce_v=${__dce_v%.}; printf %s "$__dce_v"; fi
  if [ -s "$__dce_o.err" ]; then cat "$__dce_o.err" >&2; __dce_c=complains; fi
  __dce_say run "$__dce_s" $__dce_c "$__dce_v"
  return $__dce_s
}
__dce_test() { __dce_say test "$@"; [ "$@"; }
__dce_on() { return 0; }
"""


def recording(text: str, path: str, names: frozenset[str], said: str) -> str:
    """The script with what it needs to say what happens, to the file `said`; as it is if it cannot be read."""
    tree = tree_of(text, path)
    if tree is None:
        return text
    head, _, rest = text.partition("\n") if text.startswith("#!") else ("#!/bin/sh", "", text)
    prelude = _PRELUDE.replace("SAID", "'" + said.replace("'", "") + "'")
    body = changed(tree.content, list(_changes(tree, names)))
    if text.startswith("#!"):
        head, _, rest = body.partition("\n")
    else:
        rest = body
    return f"{head}\n{prelude}{rest}"


def runs_code(tree: Tree, node: Any, names: frozenset[str]) -> bool:
    """Whether a command runs a script of the project, or calls a function that the answers define."""
    words = [child for child in node.named_children if child.type != "variable_assignment"]
    if not words or words[0].type != "command_name":
        return False
    program = tree.text(words[0]).strip("\"'")
    if program in names or "/" in program or program.endswith(SHELLS):
        return not program.startswith(("/bin/", "/usr/bin/"))
    return program in _PROGRAMS and len(words) > 1 and not tree.text(words[1]).startswith("-c")


def functions(tree: Tree) -> Iterator[tuple[str, Any]]:
    """The functions that a script defines, with their bodies."""
    for node in walk(tree.root):
        name, body = node.child_by_field_name("name"), node.child_by_field_name("body")
        if node.type == "function_definition" and name is not None and body is not None:
            yield tree.text(name), body


def _changes(tree: Tree, names: frozenset[str]) -> Iterator[Change]:
    number = 0
    called = {
        name for name, body in functions(tree) if not any(runs_code(tree, one, names) for one in walk(body))
    } - names
    for name, body in functions(tree):
        if name in called and body.type == "compound_statement":
            yield Change(body.start_byte + 1, body.start_byte + 1, f' __dce_say {name} "$@";')
    for node in walk(tree.root):
        text = tree.text(node)
        if node.type == "test_command" and re.match(r"\[\s", text) and not _is_in_function(node):
            yield Change(node.start_byte, node.start_byte + 1, "__dce_test")
        if node.type != "command":
            continue
        if re.fullmatch(r"set\s+-\w*e\w*(?:\s.*)?", text):
            yield Change(node.start_byte, node.end_byte, ":")
        elif re.fullmatch(r"exit(?:\s+\S+)?", text) and not _is_beside(node):
            yield Change(node.start_byte, node.end_byte, "__dce_on")
        elif runs_code(tree, node, names):
            number += 1
            has_own = node.named_children[0].type == "variable_assignment"
            yield Change(node.start_byte, node.start_byte, f"__dce_run {number} {'env ' if has_own else ''}")


def _is_in_function(node: Any) -> bool:
    while node is not None:
        if node.type == "function_definition":
            return True
        node = node.parent
    return False


def _is_beside(node: Any) -> bool:
    """Whether `exit` ends only a subshell."""
    while node is not None:
        if node.type in {"subshell", "command_substitution", "pipeline", "process_substitution"}:
            return True
        node = node.parent
    return False
