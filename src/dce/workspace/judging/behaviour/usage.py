"""How tests use objects: how they make them, what they call on them, and which functions they give them to."""

import ast
from collections.abc import Collection, Iterator, Sequence
from typing import Self

import msgspec

from dce.workspace.judging.behaviour.literals import literal
from dce.workspace.judging.behaviour.probe import Snippet
from dce.workspace.judging.behaviour.visible_tests import names_in

MAX_STORY = 12
"""Most of a test's calls that are kept in order."""

_TAKING = frozenset(
    {"__record__", "__run__", "__spoil__", "len", "list", "str", "bool", "isinstance", "print", "repr", "sorted"}
)
"""Functions of nobody's own."""

_OF_PLAIN_VALUES = frozenset(
    name for kind in (str, bytes, list, dict, set, int, float) for name in dir(kind) if not name.startswith("_")
)


class Usage(msgspec.Struct):
    """How tests use objects that are made by `makers`: the header that they need, how they make one (what comes before, and the call),
    what they do with it, and how they look at it. A story is what one test does with one, in order. `needs`: the steps
    that give a name to what acts are given besides (`seen = []`).

    An act is a call on `it`, or on something that `made` has a name for, or a call that `it` is given to.
    """

    header: tuple[str, ...] = ()
    made: dict[tuple[tuple[str, ...], str], None] = {}
    acts: dict[str, None] = {}
    looks: dict[str, None] = {}
    stories: dict[tuple[str, ...], None] = {}
    needs: dict[str, str] = {}
    makers: dict[str, None] = {}

    @classmethod
    def together(cls, parts: Sequence[Self]) -> Self:
        """Several usages of one class as one."""
        whole = cls()
        for part in parts:
            whole.header = tuple(dict.fromkeys((*whole.header, *part.header)))
            for name in ("made", "acts", "looks", "stories", "needs", "makers"):
                getattr(whole, name).update(getattr(part, name))
        return whole

    def is_of(self, name: str, methods: Collection[str]) -> bool:
        """Whether these are objects of the class: made by its name, or used by its methods, whatever function makes them."""
        if any(maker.split(".")[-1] == name for maker in self.makers):
            return True
        called = self.called()
        return not any(maker.split(".")[-1][:1].isupper() for maker in self.makers) and bool(called & set(methods))

    def is_imported(self) -> bool:
        """Whether what makes them is not the test file's own: a stand-in for a clock shows nothing of an answer."""
        imported = [line for line in self.header if line.startswith(("import ", "from "))]
        return bool({maker.split(".")[0] for maker in self.makers} & defined_names(imported))

    def called(self) -> set[str]:
        """The methods that are called on the object itself."""
        calls = [ast.parse(act, mode="eval").body for act in self.acts]
        return {
            call.func.attr
            for call in calls
            if isinstance(call, ast.Call)
            and isinstance(call.func, ast.Attribute)
            and ast.unparse(call.func.value) == "it"
        }


def usages(whole: Sequence[Snippet]) -> list[Usage]:
    """How each kind of object that the tests make is used; one entry for each way to make it."""
    found: dict[str, Usage] = {}
    for snippet in whole:
        trees = [ast.parse(step) for step in snippet.steps]
        defined = defined_names(snippet.header)
        made = {variable: (number, call) for number, tree in enumerate(trees) for variable, call in _made(tree, trees)}
        for variable, (number, call) in made.items():
            before = _before(snippet.steps[:number], trees[:number], call)
            if before is None:
                continue
            usage = _usage(found, call, snippet)
            usage.made.setdefault((before, ast.unparse(call)))
            bound = {name for line in before for name in bound_names(line)}
            needs = dict(_plain_values(trees, bound | {variable}))
            usage.needs.update({name: step for name, step in needs.items() if name not in usage.needs})
            known = defined | set(needs)
            story: list[str] = []
            for tree in trees[number + 1 :]:
                story += _acts(tree, variable, bound, known)
                usage.looks.update(dict.fromkeys(_looked_at(tree, variable, known)))
            usage.acts.update(dict.fromkeys(story))
            usage.stories.setdefault(tuple(story[:MAX_STORY]))
        for tree in trees:
            for call, act in _inline(tree):
                usage = _usage(found, call, snippet)
                usage.made.setdefault(((), ast.unparse(call)))
                usage.acts.update(dict.fromkeys([act] if act else []))
    return list(found.values())


def bound_names(step: str) -> list[str]:
    """The names that a step binds at its top level."""
    found = []
    for node in ast.parse(step).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            found.append(node.name)
        else:
            found += [
                part.id for part in ast.walk(node) if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
            ]
    return found


def defined_names(header: Sequence[str]) -> set[str]:
    """The names that a header gives a meaning."""
    found: set[str] = set()
    for line in header:
        for node in ast.parse(line).body:
            if isinstance(node, ast.Import | ast.ImportFrom):
                found |= {(alias.asname or alias.name).split(".")[0] for alias in node.names}
        found.update(bound_names(line))
    return found


def _plain_values(trees: Sequence[ast.Module], others: set[str]) -> Iterator[tuple[str, str]]:
    """Names that a test gives a literal, with the step: what a test gathers results in, as a rule."""
    for tree in trees:
        node = tree.body[0] if tree.body else None
        if not isinstance(node, ast.Assign) or not literal(node.value)[0] or len(node.targets) > 1:
            continue
        if isinstance(node.targets[0], ast.Name) and node.targets[0].id not in others:
            yield node.targets[0].id, ast.unparse(node)


def _usage(found: dict[str, Usage], call: ast.Call, snippet: Snippet) -> Usage:
    usage = found.setdefault(ast.unparse(call.func), Usage())
    usage.header = tuple(dict.fromkeys((*usage.header, *snippet.header)))
    usage.makers.setdefault(ast.unparse(call.func))
    return usage


def _inline(tree: ast.Module) -> Iterator[tuple[ast.Call, str]]:
    """Objects made on the spot (`Money(5).split(2)`), and what is called on them."""
    for node in ast.walk(tree):
        made = node.func.value if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) else node
        if not isinstance(made, ast.Call) or not isinstance(made.func, ast.Name) or not made.func.id[:1].isupper():
            continue
        parts = [*made.args, *(keyword.value for keyword in made.keywords)]
        if not all(literal(part)[0] for part in parts):
            continue
        act = ""
        if made is not node and isinstance(node, ast.Call) and not names_in(ast.Tuple([*node.args])):
            words = [ast.unparse(part) for part in (*node.args, *node.keywords)]
            act = f"it.{node.func.attr}({', '.join(words)})" if isinstance(node.func, ast.Attribute) else ""
        yield made, act


def _made(tree: ast.Module, trees: Sequence[ast.Module]) -> Iterator[tuple[str, ast.Call]]:
    """Variables that are given a new object: of a class (`it = Name(…)`), or of a function, if methods of its own are called on it."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Assign) or not isinstance(node.value, ast.Call) or len(node.targets) != 1:
            continue
        target, name = node.targets[0], ast.unparse(node.value.func).split(".")[-1]
        if not isinstance(target, ast.Name) or (name.startswith("__") and name.endswith("__")):
            continue
        if name[:1].isupper() or _methods_called(trees, target.id) - _OF_PLAIN_VALUES:
            yield target.id, node.value


def _methods_called(trees: Sequence[ast.Module], variable: str) -> set[str]:
    return {
        node.func.attr
        for tree in trees
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and _is_name(node.func.value, variable)
    }


def _before(steps: Sequence[str], trees: Sequence[ast.Module], call: ast.Call) -> tuple[str, ...] | None:
    """The steps that give names to what the call is given; None if one of them is bound in a way that is not understood."""
    wanted = names_in(call)
    kept: list[str] = []
    for step, tree in zip(reversed(steps), reversed(trees), strict=True):
        names = set(bound_names(step))
        if names & wanted:
            if not isinstance(tree.body[0], ast.Assign | ast.FunctionDef | ast.AnnAssign):
                return None
            kept.append(step)
            wanted |= names_in(tree)
    return tuple(reversed(kept))


def _acts(tree: ast.Module, variable: str, bound: set[str], known: set[str]) -> Iterator[str]:
    """Calls on the object (written on `it`) or on what was there before it, and calls of what the file knows that the object is given to, if
    all their names are known."""
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        parts = (*node.args, *node.keywords)
        free = set().union(*(names_in(part) for part in parts))
        is_usable = free <= bound | known | {variable}
        if isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            if owner in {variable, *bound} and not node.func.attr.startswith("__") and is_usable:
                yield _on_it(node, variable)
        elif isinstance(node.func, ast.Name) and node.func.id in known - _TAKING and variable in free and is_usable:
            yield _on_it(node, variable)


def _looked_at(tree: ast.Module, variable: str, known: set[str]) -> Iterator[str]:
    """Attributes and items of the object that a test looks at, and functions that tell something of it."""
    called = {id(node.func) for node in ast.walk(tree) if isinstance(node, ast.Call)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and _is_name(node.value, variable) and id(node) not in called:
            yield f"it.{node.attr}"
        elif isinstance(node, ast.Subscript) and _is_name(node.value, variable) and not names_in(node.slice):
            yield f"it[{ast.unparse(node.slice)}]"
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in known - _TAKING:
            if any(_is_name(part, variable) for part in node.args) and len(names_in(node)) == 2:
                yield _on_it(node, variable)
        elif (asked := _recorded_call(node, variable)) and names_in(asked) <= {variable, *known}:
            yield _on_it(asked, variable)


def _recorded_call(node: ast.AST, variable: str) -> ast.Call | None:
    """The call on the object that a test looks at as a whole."""
    if (
        not isinstance(node, ast.Call)
        or ast.unparse(node.func) != "__record__"
        or not isinstance(node.args[0], ast.Call)
    ):
        return None
    asked = node.args[0]
    return asked if isinstance(asked.func, ast.Attribute) and _is_name(asked.func.value, variable) else None


def _on_it(node: ast.AST, variable: str) -> str:
    changed = ast.parse(ast.unparse(node))
    for part in ast.walk(changed):
        if isinstance(part, ast.Name) and part.id == variable:
            part.id = "it"
    return ast.unparse(changed)


def _is_name(node: ast.AST, name: str) -> bool:
    return isinstance(node, ast.Name) and node.id == name
