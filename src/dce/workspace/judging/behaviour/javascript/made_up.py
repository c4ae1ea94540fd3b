"""Calls of exported functions that no test or example calls, with values made up from the types and names of their parameters."""

import re
from collections.abc import Mapping, Sequence

from dce.workspace.judging.behaviour.javascript.examples import header_of
from dce.workspace.judging.behaviour.javascript.exports import Function, Parameter
from dce.workspace.judging.behaviour.probe import Snippet

MAX_CALLS = 72
"""Maximum made-up calls of one function."""

_CYCLE = "((made) => Object.assign(made, { self: made }))({ a: 1 })"

_BY_TYPE: Mapping[str, tuple[str, ...]] = {
    "number": ("3", "0", "-1", "2.5", "10"),
    "string": ('"abc"', '""', '"Hello, World 12"', '"a b\\nc"'),
    "boolean": ("true", "false"),
    "bigint": ("3n", "0n"),
    "date": ("new Date(0)", 'new Date("2024-02-29T12:34:56Z")', "new Date(NaN)"),
    "regexp": ("/b/g", "/^a/"),
    "number[]": ("[3, 1, 2]", "[]", "[1, 1, 2]", "[-1, 0, 5]"),
    "string[]": ('["b", "a", "c"]', "[]", '["a", "a"]', '[""]'),
    "array": ("[3, 1, 2]", "[]", '["a", "b", "a"]', "[{ a: 1 }, { a: 2 }]", '"a😀b"'),
    "object": ("{ a: 1, b: 2 }", "{}", "{ a: { b: [1] } }"),
    "map": ('new Map([["a", 1], ["b", 2]])', "new Map()"),
    "set": ("new Set([1, 2, 3])", "new Set()"),
    "function": (
        "(x) => x",
        "__seen__((x) => x)",
        "(x, y) => (y === undefined ? x : x - y)",
        "() => { throw new Error('made up'); }",
        "async (x) => x",
        "__fails__(1, async () => 5)",
        "__seen__(__slow__(2, (x) => x))",
    ),
    "any": (
        *("3", '"abc"', "[1, 2, 2]", "{ a: 1 }", "{ a: 1, b: 2 }"),
        *(
            '"3"',
            "true",
            "1",
            "0",
            "-0",
            '""',
            "NaN",
            "null",
            "undefined",
            "[undefined]",
            "[]",
            "{}",
            "{ a: undefined }",
        ),
        *(
            "{ b: undefined }",
            "{ a: { b: [1, 2] } }",
            "{ a: { b: [1, 3] } }",
            "[[1, 2], [3]]",
            "[[1, 2], [4]]",
            "[, 1]",
        ),
        *("new Date(5)", "new Date(6)", 'new Map([["a", [1]]])', 'new Map([["b", [1]]])', "new Set([1, { a: 1 }])"),
        *("new Set([{ a: 1 }, 1])", "/a/g", "/a/", "new Error('made up')", "5n", "(x) => x", _CYCLE),
    ),
}
"""Source of values for a type; the first is the plainest. Of any type: neighbours are easily taken for each other, because they meet in calls."""

_ODD = ("null", "undefined", "NaN", '"3"', "{}", "true")

_BY_NAME: tuple[tuple[str, str], ...] = (
    (
        r"fn|func|function|callback|cb|predicate|iteratee|mapper|comparator|compare|handler|listener|reducer|on[A-Z]\w*",
        "function",
    ),
    (r"nums?|numbers|ints|prices|scores", "number[]"),
    (r"words|names|lines|strings|tokens|tags|parts|paths|keys", "string[]"),
    (r"arr|array|list|items|values|rows|records|xs|collection|elements|data|iterable|entries", "array"),
    (r"obj|object|options|opts|config|settings|params|props|target|source|record|map|dict|node|tree|state", "object"),
    (r"is[A-Z]\w*|has[A-Z]\w*|should[A-Z]\w*|strict|flag|loose|enabled", "boolean"),
    (
        r"n|count|size|num|number|index|idx|limit|length|width|height|k|i|min|max|step|start|end|page|ms|amount|price|depth|decimals|precision",
        "number",
    ),
    (r"date|day|time|when|now", "date"),
    (r"re|regex|regexp|pattern", "regexp"),
    (
        r"s|str|string|text|word|name|line|key|path|title|value|input|url|query|version|html|css|json|code|prefix|suffix|sep|separator|delimiter|char|id|slug|message",
        "string",
    ),
)
"""What a parameter without a type is, by its name or the end of it."""


def made_up_calls(function: Function, path: str, seen: Mapping[str, Sequence[str]]) -> list[Snippet]:
    """Calls of a function, from plain to odd. `seen`: source of values that tests gave to parameters of these names."""
    name = function.name if re.fullmatch(r"[A-Za-z_$][\w$]*", function.name) else "it"
    header = header_of(path, [function], [name])
    return [Snippet(header=header, steps=(f"{name}({words})",)) for words in made_up_words(function, seen)]


def made_up_words(function: Function, seen: Mapping[str, Sequence[str]]) -> list[str]:
    """Arguments for a function, as they stand between the brackets."""
    choices = [_choices(parameter, seen) for parameter in function.parameters]
    required = max((at + 1 for at, one in enumerate(function.parameters) if not one.is_optional), default=0)
    out: dict[str, None] = {}
    for turn in range(MAX_CALLS):
        count = len(choices) if turn % 2 else required
        words = [options[_index(turn, place, len(options))] for place, options in enumerate(choices[:count])]
        out.setdefault(", ".join(words))
    return list(out)


def _index(turn: int, place: int, count: int) -> int:
    """Which option a parameter gets: all go together first, then against each other."""
    return (turn if turn < count else turn + place * (turn // count)) % count


def _choices(parameter: Parameter, seen: Mapping[str, Sequence[str]]) -> list[str]:
    known = list(seen.get(parameter.name, ()))[:3]
    if parameter.keys:
        held = [f"{name}: {default or _BY_TYPE[_by_name(name)][0]}" for name, default in parameter.keys]
        return list(dict.fromkeys((*known, f"{{ {', '.join(held)} }}", "{}")))
    if not parameter.kind and not parameter.default:
        known = [*known, *_BY_TYPE[kind_of(parameter)], *_ODD]  # a name alone may mean something else
    default = [parameter.default] if parameter.default not in {"", "undefined"} else []
    return list(dict.fromkeys((*known, *_BY_TYPE[kind_of(parameter)], *default)))


def kind_of(parameter: Parameter) -> str:
    """The type of a parameter: as it is written, as its default is, or as its name says."""
    text = re.sub(r"\s|readonly\b|^[?!]|[?!]$", "", parameter.kind)
    text = re.sub(r"\|(?:null|undefined)|(?:null|undefined)\|", "", text)
    text = (
        re.sub(r"^(?:Readonly)?(?:Array|Iterable|Set|Promise)<(.*)>$", lambda found: f"{found[1]}[]", text)
        if text.startswith(("Array<", "ReadonlyArray<", "Iterable<"))
        else text
    )
    if "|" in text and "=>" not in text:
        text = text.split("|")[0]
    for pattern, kind in _TYPES:
        if text and re.fullmatch(pattern, text):
            return kind
    for pattern, kind in _DEFAULTS:
        if re.fullmatch(pattern, parameter.default, re.DOTALL):
            return kind
    return _by_name(parameter.name)


_TYPES: tuple[tuple[str, str], ...] = (
    (r"number|int|integer|float", "number"),
    (r"string|String|\"[^\"]*\"|'[^']*'", "string"),
    (r"boolean|bool|Boolean", "boolean"),
    ("bigint", "bigint"),
    ("Date", "date"),
    ("RegExp", "regexp"),
    (r"(?:number|int)\[\]", "number[]"),
    (r"string\[\]", "string[]"),
    (r".*\[\]|Array|\[.*\]", "array"),
    (r"(?:Readonly)?Map<.*>|Map", "map"),
    (r"(?:Readonly)?Set<.*>|Set", "set"),
    (r".*=>.*|Function|function.*", "function"),
    (r"object|Object|Record<.*>|\{.*\}|Partial<.*>", "object"),
)
_DEFAULTS: tuple[tuple[str, str], ...] = (
    (r"-?[\d.]+", "number"),
    (r"[\"'`].*", "string"),
    (r"true|false", "boolean"),
    (r"\[.*", "array"),
    (r"\{.*", "object"),
    (r".*=>.*", "function"),
)


def _by_name(name: str) -> str:
    for pattern, kind in _BY_NAME:
        if re.fullmatch(pattern, name):
            return kind
    tail = re.findall(r"[A-Z][a-z]+$", name)
    return _by_name(tail[0].lower()) if tail else "any"
