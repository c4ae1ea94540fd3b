"""The functions of the changed modules that no visible test calls, and calls of them with made-up arguments.

Only what most answers define with the same parameters is called: a helper that one answer added shows nothing about the others.
"""

import ast
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence

import msgspec

from dce.workspace.judging.behaviour.literals import module_of
from dce.workspace.judging.behaviour.probe import Snippet

MAX_CALLS = 16
"""Maximum made-up calls of one function."""

ANY = "*"
"""The name of the values that any parameter may have."""

_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "int": ("3", "0", "-1", "10"),
    "float": ("2.5", "0.0", "-1.0", "1e6"),
    "str": ("'abc'", "''", "'Hello, World 12'", "'a b\\nc'"),
    "bool": ("True", "False"),
    "bytes": ("b'abc'", "b''"),
    "list[int]": ("[3, 1, 2]", "[]", "[1, 1, 2]", "[-1, 0, 5]"),
    "list[float]": ("[2.5, 1.0]", "[]", "[1.0, 1.0, -3.5]"),
    "list[str]": ("['b', 'a', 'c']", "[]", "['a', 'a']", "['']"),
    "list": ("[3, 1, 2]", "[]", "['a', 'b', 'a']"),
    "dict": ("{'a': 1, 'b': 2}", "{}"),
    "set": ("{1, 2, 3}", "set()"),
    "tuple": ("(1, 2)", "(2, 1)"),
    "callable": ("print", "len", "str"),
    "object": ("3", "'abc'", "[1, 2, 2]"),
}
"""Source of values for an annotation; the first is the plainest."""

_BY_NAME: tuple[tuple[tuple[str, ...], str], ...] = (
    (("numbers", "nums", "values", "ints", "arr", "array", "lst", "data", "xs", "prices", "scores"), "list[int]"),
    (("words", "names", "lines", "strings", "strs", "tokens", "tags", "parts", "argv", "args"), "list[str]"),
    (("items", "list", "rows", "records", "seq", "sequence", "iterable"), "list"),
    (("mapping", "dict", "config", "options", "settings", "table"), "dict"),
    (("rate", "price", "ratio", "weight", "threshold", "amount", "percent"), "float"),
    (("handler", "callback", "listener", "func", "fn", "function", "hook", "action", "predicate"), "callable"),
    (("is_", "has_", "reverse", "strict", "flag"), "bool"),
    (("text", "string", "str", "word", "name", "line", "key", "path", "title", "s"), "str"),
    (("n", "count", "size", "number", "num", "index", "limit", "length", "width", "k", "x", "y", "m", "a", "b"), "int"),
)
"""What a parameter without an annotation is, by its name or a part of it."""


OPERATORS: Mapping[str, str] = {
    "__lt__": "it < other",
    "__eq__": "it == other",
    "__add__": "it + other",
    "__sub__": "it - other",
    "__mul__": "it * 2",
    "__rmul__": "2 * it",
    "__len__": "len(it)",
    "__iter__": "list(it)",
    "__contains__": "'a' in it",
    "__bool__": "bool(it)",
    "__str__": "str(it)",
    "__hash__": "hash(it) == hash(other)",
    "__getitem__": "it[0]",
    "__call__": "it()",
    "__enter__": "it.__enter__() is it",
}
"""How a special method is used, on an object `it` and another one."""


class Parameter(msgspec.Struct, frozen=True):
    """A parameter of a function; `default` is its source, "" if there is none."""

    name: str
    annotation: str
    default: str
    is_keyword: bool = False


class Callable(msgspec.Struct, frozen=True):
    """A public function of a module, with the parameters that a caller gives."""

    name: str
    parameters: tuple[Parameter, ...]


def public_functions(sources: Sequence[str]) -> list[Callable]:
    """The public functions that more than half of these versions of a module define alike, in the first one's order."""
    return _in_most([_functions(source) for source in sources])


def public_methods(sources: Sequence[str], owner: str) -> list[Callable]:
    """Likewise the public methods of a class, without `self`."""
    found = [_methods(source, owner) for source in sources]
    return _in_most([methods for methods in found if methods])


def public_classes(sources: Sequence[str]) -> list[Callable]:
    """Likewise the public classes, with the parameters of their `__init__`, or the fields of a dataclass."""
    return _in_most([_classes(source) for source in sources])


def operators(sources: Sequence[str], owner: str) -> list[str]:
    """The special methods that more than half of these versions of a class define."""
    found = [
        [item.name for item in node.body if isinstance(item, ast.FunctionDef) and item.name in OPERATORS]
        for source in sources
        for node in module_of(source).body
        if isinstance(node, ast.ClassDef) and node.name == owner
    ]
    counted = Counter(name for names in found for name in set(names))
    return sorted(name for name, count in counted.items() if 2 * count > len(found))


def made_up_calls(found: Callable, module: str, seen: Mapping[str, Sequence[str]]) -> list[Snippet]:
    """Calls of a function, from plain to odd. `seen`: source of values that tests gave to parameters of these names."""
    header = (f"from {module} import {found.name}",)
    return [Snippet(header=header, steps=(f"{found.name}({words})",)) for words in made_up_words(found, seen)]


def made_up_words(found: Callable, seen: Mapping[str, Sequence[str]]) -> list[str]:
    """Arguments for a function, as they stand between the brackets."""
    required = [parameter for parameter in found.parameters if not parameter.default]
    choices = [_choices(parameter, seen) for parameter in required]
    out: dict[str, None] = {}
    for turn in range(MAX_CALLS):
        values = [options[_index(turn, place, len(options))] for place, options in enumerate(choices)]
        words = [
            f"{parameter.name}={value}" if parameter.is_keyword else value
            for parameter, value in zip(required, values, strict=True)
        ]
        if turn % 2:  # in every other call, the parameters that have a default get a value too
            words += [
                f"{parameter.name}={_choices(parameter, seen)[turn // 2 % 3 - 1]}"
                for parameter in found.parameters
                if parameter.default
            ]
        out.setdefault(", ".join(words))
    return list(out)


def _in_most(versions: Sequence[Sequence[Callable]]) -> list[Callable]:
    counted = Counter(found for version in versions for found in dict.fromkeys(version))
    return [found for found, count in counted.items() if 2 * count > len(versions)]


def _index(turn: int, place: int, count: int) -> int:
    """Which option a parameter gets: all go together first, then against each other."""
    return (turn if turn < count else turn + place * (turn // count)) % count


def _functions(source: str) -> list[Callable]:
    return _public(module_of(source).body, skipped=0)


def _methods(source: str, owner: str) -> list[Callable]:
    for node in module_of(source).body:
        if isinstance(node, ast.ClassDef) and node.name == owner:
            return _public(node.body, skipped=1)
    return []


def _classes(source: str) -> list[Callable]:
    return [
        Callable(node.name, tuple(_init_parameters(node)))
        for node in module_of(source).body
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_") and not _is_special(node)
    ]


def _init_parameters(node: ast.ClassDef) -> Iterator[Parameter]:
    for item in node.body:
        if isinstance(item, ast.FunctionDef) and item.name == "__init__":
            yield from list(parameters_of(item.args))[1:]
            return
    if any("dataclass" in ast.unparse(decorator) for decorator in node.decorator_list):
        for item in node.body:
            if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                default = ast.unparse(item.value) if item.value else ""
                yield Parameter(item.target.id, ast.unparse(item.annotation), default)


def _is_special(node: ast.ClassDef) -> bool:
    """An exception, an enumeration, a protocol: nothing to call methods on."""
    bases = " ".join(ast.unparse(base) for base in node.bases)
    return any(word in bases for word in ("Exception", "Error", "Enum", "Protocol", "TypedDict", "Warning"))


def _public(body: Sequence[ast.stmt], *, skipped: int) -> list[Callable]:
    return [
        Callable(node.name, tuple(parameters_of(node.args))[0 if _is_decorated(node, "staticmethod") else skipped :])
        for node in body
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        and not node.name.startswith("_")
        and not node.args.vararg
        and not _is_decorated(node, "property", "setter", "fixture", "contextmanager", "overload", "command")
    ]


def _is_decorated(node: ast.FunctionDef | ast.AsyncFunctionDef, *words: str) -> bool:
    found = " ".join(ast.unparse(decorator) for decorator in node.decorator_list)
    return any(word in found for word in words)


def parameters_of(args: ast.arguments) -> Iterator[Parameter]:
    """The parameters in the order in which they are given."""
    plain = [*args.posonlyargs, *args.args]
    defaults = [""] * (len(plain) - len(args.defaults)) + [ast.unparse(value) for value in args.defaults]
    for argument, default in zip(plain, defaults, strict=True):
        yield Parameter(argument.arg, _annotation(argument), default)
    for argument, value in zip(args.kwonlyargs, args.kw_defaults, strict=True):
        yield Parameter(argument.arg, _annotation(argument), ast.unparse(value) if value else "", is_keyword=True)


def _annotation(argument: ast.arg) -> str:
    return ast.unparse(argument.annotation) if argument.annotation else ""


def _choices(parameter: Parameter, seen: Mapping[str, Sequence[str]]) -> list[str]:
    """Source of values for a parameter: what tests gave to the same name, then values of its type."""
    known = list(seen.get(parameter.name, ()))[:3]
    default = [parameter.default] if parameter.default not in {"", "None"} else []
    kind = _type(parameter)
    named = [value for value in seen.get(ANY, ()) if kind == "object" or (kind == "str" and value[:1] in "'\"")]
    return list(dict.fromkeys((*known, *named, *_BY_TYPE[kind], *default)))


def _type(parameter: Parameter) -> str:
    text = parameter.annotation.strip("'\"").replace("typing.", "").replace("List", "list").replace("Dict", "dict")
    for old in ("Sequence[", "Iterable[", "Collection["):
        text = text.replace(old, "list[")
    text = text.removeprefix("Optional[").split(" | ")[0].strip()
    for name in (text, text.rstrip("]"), text.split("[")[0].lower()):
        if name in _BY_TYPE:
            return name
    for names, kind in _BY_NAME if not text else ():
        if parameter.name in names or any(len(name) > 2 and name in parameter.name for name in names):
            return kind
    return "object"
