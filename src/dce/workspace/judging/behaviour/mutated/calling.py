"""New tests for languages whose tests are functions: calls of what the answers define, with values of the tests and of the code, and
sequences of calls on one object. They say what comes of each call.
"""

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any

import msgspec

from dce.workspace.judging.behaviour.mutated.dictionary import Dictionary, near
from dce.workspace.judging.behaviour.mutated.literals import edges, literals
from dce.workspace.judging.behaviour.mutated.signatures import Signature, Signatures
from dce.workspace.judging.behaviour.mutated.trees import Tree

CALLS_EACH, SEQUENCES_EACH = 60, 80
"""Maximum new tests for a function, and for a type."""

MIN_STEPS, MAX_STEPS = 4, 12
"""How many calls a sequence has."""

AROUND_SHARE = 0.15
"""How many texts have a separator before or behind them."""

_INTEGERS = ("0", "1", "2", "3", "-1", "5", "10", "4", "7", "100")
_TEXTS = (
    "",
    "a",
    " ",
    "A",
    "é",
    "0",
    "a b",
    "ab",
    "-1",
    "aa",
    " a ",
    "a\\n",
    "\\n",
    "\\t",
    "\\\\",
    "1.5",
    "abc abc",
    ",",
    "日本",
)
_RUST_INTEGER = re.compile(r"[iu](?:8|16|32|64|128|size)")
_CALLBACK = re.compile(r"func\([^{]*\{[^}]*\}")
_ESCAPE = re.compile(r"""\\(?:[nrt\\"]|(.?))""", re.DOTALL)
"""A backslash with what it escapes; one that escapes nothing that all languages know has a group."""

_PLAIN_RESULT = re.compile(
    r"(?:str|String|[iu](?:8|16|32|64|128|size)|f32|f64|bool|char|Option|Vec|Box|HashSet|BTreeMap|BTreeSet|static|\W|_)+"
)


_BORROWS = ("yes", "&self", "&mut self")
"""How methods have their object without taking it away."""


class Values(msgspec.Struct, frozen=True):
    """Sources of values, without quotes for texts; those of the tests first."""

    integers: tuple[str, ...]
    texts: tuple[str, ...]


def values_of(tree: Tree, names: frozenset[str], words: Dictionary) -> Values:
    """The values of a test file with their edges, and the words of the code."""
    integers: dict[str, None] = {}
    texts: dict[str, None] = {}
    more: list[str] = []
    for one in literals(tree, names):
        if one.kind == "number" and "." not in one.source:
            integers.setdefault(one.source)
            integers |= dict.fromkeys(edges(one)[:4])
        elif one.kind == "text" and one.source[:1] == '"' and one.weight:
            texts.setdefault(one.source[1:-1])
            more += [new[1:-1] for new in edges(one, words)]
    integers |= dict.fromkeys(new for number in words.numbers[:8] for new in near(number))
    texts |= dict.fromkeys((*more, *words.texts, *words.options, *words.commands))
    small = {number: None for number in (*integers, *_INTEGERS) if len(number) < 7}
    return Values(tuple(small), tuple(dict.fromkeys((*texts, *_TEXTS))))


class Writer:
    """Writes tests in one language. The methods that differ are those of `GoWriter` and `RustWriter`."""

    def __init__(self, found: Signatures, values: Values, rng: random.Random) -> None:
        self.found = found
        self.values = values
        self.rng = rng

    def tests(self) -> Iterator[tuple[str, str]]:
        """Labels and sources, functions and types in turns."""
        makers = [
            self._calls(one)
            for one in self.found.functions
            if not one.owner and self.can_call(one) and not self.makes(one)
        ]
        makers += [self._sequences(owner) for owner in sorted({one.owner for one in self.found.functions if one.owner})]
        while makers:
            for maker in list(makers):
                one = next(maker, None)
                if one is None:
                    makers.remove(maker)
                else:
                    yield one

    def can_call(self, one: Signature) -> bool:
        """Whether there are values for all its parameters."""
        return all(self.value(kind) is not None for kind in one.parameters)

    def arguments(self, one: Signature) -> str:
        """Values for the parameters of a call."""
        found = [self.value(kind) or "" for kind in one.parameters]
        return ", ".join(value for value in found if value != "no value")

    def number(self) -> str:
        """An integer: often one of the tests, small otherwise."""
        return self.rng.choice(self.values.integers if self.rng.random() < 0.7 else _INTEGERS)

    def text(self) -> str:
        """A text: one of the tests or the code, or two of them."""
        near_tests = self.values.texts[: max(40, len(self.values.texts) // 2)]
        found = self.rng.choice(near_tests if self.rng.random() < 0.6 else self.values.texts)
        if self.rng.random() < 0.25:
            found += self.rng.choice(("", " ", "\\n", ",", "-")) + self.rng.choice(self.values.texts)
        if self.rng.random() < AROUND_SHARE:
            around = self.rng.choice((" ", "\\n", "\\n\\n", ",", "  ", "/"))
            found = self.rng.choice((around + found, found + around, around + found + around))
        return _ESCAPE.sub(lambda match: match[0] if match[1] is None else f"\\\\{match[1]}", found)

    def _calls(self, one: Signature) -> Iterator[tuple[str, str]]:
        for _ in range(CALLS_EACH):
            source = self.called("", one)
            yield source[1], self.whole([source[0]])

    def _sequences(self, owner: str) -> Iterator[tuple[str, str]]:
        makers = [one for one in self.found.functions if self.makes(one) == owner and self.can_call(one)]
        methods = [
            one
            for one in self.found.functions
            if one.owner == owner and one.receives in _BORROWS and self.can_call(one)
        ]
        if not makers or not methods:
            return
        for _ in range(SEQUENCES_EACH):
            line, label = self.made(self.rng.choice(makers))
            lines, labels = [line], [label]
            favourites = self.rng.sample(methods, min(len(methods), self.rng.choice((2, 3, len(methods)))))
            for _ in range(self.rng.randint(MIN_STEPS, MAX_STEPS)):
                weights = [1 if one.result and not one.parameters else 3 for one in favourites]
                source, shown = self.called("o", self.rng.choices(favourites, weights)[0])
                lines.append(source)
                labels.append(shown)
            looks = [one for one in methods if not one.parameters and one.result]
            lines += [self.called("o", one)[0] for one in looks]
            yield "; ".join(labels), self.whole(lines)

    def value(self, kind: str) -> str | None:
        """A value of a type; None if there is none."""
        raise NotImplementedError

    def makes(self, one: Signature) -> str:
        """The type whose object a function makes; "" if it makes none that has methods."""
        raise NotImplementedError

    def made(self, one: Signature) -> tuple[str, str]:
        """Statements that make an object `o`, and their label."""
        raise NotImplementedError

    def called(self, on: str, one: Signature) -> tuple[str, str]:
        """A statement with a call that says what comes of it, and its label."""
        raise NotImplementedError

    def whole(self, lines: Sequence[str]) -> str:
        """A test with these statements."""
        raise NotImplementedError


class GoWriter(Writer):
    """Tests in Go. `prefix`: the package's name, if the tests are outside of it."""

    prefix = ""

    def value(self, kind: str) -> str | None:
        """See `Writer.value`."""
        if kind.startswith("..."):
            found = [self.value(kind[3:]) for _ in range(self.rng.choice((0, 1, 2, 3)))]
            return ", ".join(one for one in found if one) or "no value" if self.value(kind[3:]) is not None else None
        return self._plain(kind) or self._collection(kind) or self._struct(kind)

    def _plain(self, kind: str) -> str | None:
        number = self.number()
        if re.fullmatch(r"u?int(?:8|16|32|64)?|byte|rune", kind):
            return number.lstrip("-") if kind[0] in "ub" else number
        return {
            "string": f'"{self.text()}"',
            "float64": self.rng.choice((number, "0.5", "1.25", "-0.1")),
            "float32": self.rng.choice((number, "0.5", "1.25", "-0.1")),
            "bool": self.rng.choice(("true", "false")),
            "error": "nil",
        }.get(kind)

    def _collection(self, kind: str) -> str | None:
        if kind.startswith("[]") and self.value(kind[2:]) is not None:
            items = [self.value(kind[2:]) or "" for _ in range(self.rng.choice((0, 1, 2, 3, 4, 6)))]
            return f"{self.typed(kind)}{{{', '.join(items)}}}"
        match = re.fullmatch(r"map\[(\w+)\](\w+)", kind)
        if match and match[1] in {"string", "int"} and self.value(match[2]) is not None:
            pairs = {self.value(match[1]): self.value(match[2]) for _ in range(self.rng.choice((0, 1, 2, 3)))}
            return f"{self.typed(kind)}{{{', '.join(f'{key}: {value}' for key, value in pairs.items())}}}"
        return self._callback(kind) if kind.startswith("func(") else None

    def _struct(self, kind: str) -> str | None:
        name = kind.lstrip("*")
        fields = self.found.structs.get(name, ())
        if not fields or not all(re.fullmatch(r"[\w\[\]]+", of) and name not in of for _, of in fields):
            return None
        found = {field: self.value(of) for field, of in fields}
        if None in found.values():
            return None
        inner = ", ".join(f"{field}: {value}" for field, value in found.items())
        return f"{'&' if kind[0] == '*' else ''}{self.typed(name)}{{{inner}}}"

    def _callback(self, kind: str) -> str | None:
        match = re.fullmatch(r"func\(([^()]*)\)\s*(bool|int|string|error|)", kind)
        if match is None:
            return None
        kinds = [part.split()[-1] for part in match[1].split(",") if part.strip()]
        given = ", ".join(f"a{at} {self.typed(one)}" for at, one in enumerate(kinds))
        said = ", ".join(f"a{at}" for at in range(len(kinds)))
        results = {
            "bool": f"dceSaid%{self.rng.choice((2, 3, 100))} != 0",
            "int": self.number(),
            "string": '"s"',
            "error": "nil",
            "": "",
        }
        return f"func({given}) {match[2]} {{ dceSay({said}); return {results[match[2]]} }}"

    def typed(self, kind: str) -> str:
        """A type as the test names it."""
        return re.sub(r"\b([A-Z]\w*)", rf"{self.prefix}\1", kind) if self.prefix else kind

    def makes(self, one: Signature) -> str:
        """See `Writer.makes`."""
        match = re.fullmatch(r"\(?\s*\*?(\w+)\s*(?:,\s*error\s*\))?", one.result)
        owners = {other.owner for other in self.found.functions if other.owner}
        return match[1] if match and not one.owner and match[1] in owners and self._is_seen(one) else ""

    def can_call(self, one: Signature) -> bool:
        """See `Writer.can_call`; outside the package only what is exported."""
        return self._is_seen(one) and super().can_call(one)

    def _is_seen(self, one: Signature) -> bool:
        return one.name not in {"main", "init"} and (not self.prefix or one.name[:1].isupper())

    def made(self, one: Signature) -> tuple[str, str]:
        """See `Writer.made`."""
        call = f"{self.prefix}{one.name}({self.arguments(one)})"
        if "error" in one.result:
            return f"o, err := {call}\n\tdceSay(err)\n\tif err != nil {{ return }}", f"o := {call}"
        return f"o := {call}", f"o := {call}"

    def called(self, on: str, one: Signature) -> tuple[str, str]:
        """See `Writer.called`."""
        call = f"{f'{on}.' if on else self.prefix}{one.name}({self.arguments(one)})"
        return f"dceTry(func() {{ {f'dceSay({call})' if one.result else call} }})", _CALLBACK.sub("func…", call)

    def whole(self, lines: Sequence[str]) -> str:
        """See `Writer.whole`."""
        body = "\n".join(f"\t{line}" for line in lines)
        return f"func TestNew(t *testing.T) {{\n{body}\n}}\n"


class RustWriter(Writer):
    """Tests in Rust. `uses`: the paths whose names tests import."""

    uses: tuple[str, ...] = ()

    def value(self, kind: str) -> str | None:
        """See `Writer.value`."""
        kind = re.sub(r"'\w+\s*", "", kind)
        return self._plain(kind) or self._collection(kind) or self._struct(kind)

    def _plain(self, kind: str) -> str | None:
        text = f'"{self.text()}"'
        if _RUST_INTEGER.fullmatch(kind):
            number = self.number().lstrip("-") if kind[0] == "u" else self.number()
            return number if kind not in {"u8", "i8"} or abs(int(number)) < 128 else "9"
        if kind in {"&str", "impl Into<String>", "impl AsRef<str>"}:
            return text
        if kind in {"f64", "f32"}:
            return self.rng.choice(("0.0", "1.0", "2.5", "-1.0", "0.1", "100.0"))
        return {
            "String": f"{text}.to_string()",
            "&String": f"&{text}.to_string()",
            "bool": self.rng.choice(("true", "false")),
            "char": self.rng.choice(("'a'", "' '", "','", "'0'", "'é'", "'A'", "'-'")),
        }.get(kind)

    def _collection(self, kind: str) -> str | None:
        match = re.fullmatch(r"(Vec|Option|&)\s*[<\[](.+)[>\]]", kind)
        inner = self.value(match[2]) if match else None
        if match and inner is not None:
            if match[1] == "Option":
                return self.rng.choice(("None", f"Some({inner})"))
            items = [self.value(match[2]) or "" for _ in range(self.rng.choice((0, 1, 2, 3, 4, 6)))]
            return f"{'&' if match[1] == '&' else ''}vec![{', '.join(items)}]" if items or match[1] == "Vec" else "&[]"
        match = re.fullmatch(r"\(([^<(\[]+)\)", kind)
        found = [self.value(part.strip()) for part in match[1].split(",")] if match else [None]
        return f"({', '.join(one or '' for one in found)})" if None not in found else None

    def _struct(self, kind: str) -> str | None:
        fields = self.found.structs.get(kind, ())
        found = {name: self.value(of) for name, of in fields if kind not in of}
        if not fields or len(found) < len(fields) or None in found.values():
            return None
        return f"{kind} {{ {', '.join(f'{name}: {value}' for name, value in found.items())} }}"

    def makes(self, one: Signature) -> str:
        """See `Writer.makes`."""
        match = re.fullmatch(r"(?:(?:Result|Option)<)?(\w+)\b.*", one.result)
        if match is None or one.receives:
            return ""
        owners = {other.owner for other in self.found.functions if other.owner}
        name = one.owner if match[1] == "Self" else match[1]
        return name if name in owners else ""

    def made(self, one: Signature) -> tuple[str, str]:
        """See `Writer.made`."""
        call = f"{f'{one.owner}::' if one.owner else ''}{one.name}({self.arguments(one)})"
        pattern = {"Resul": "Ok(o)", "Optio": "Some(o)"}.get(one.result[:5])
        if pattern:
            otherwise = 'dce_say("no object".to_string()); return'
            return f"let mut o = match {call} {{ {pattern} => o, _ => {{ {otherwise} }} }};", f"o = {call}"
        return f"let mut o = {call};", f"o = {call}"

    def called(self, on: str, one: Signature) -> tuple[str, str]:
        """See `Writer.called`."""
        call = f"{f'{on}.' if on else ''}{one.name}({self.arguments(one)})"
        return f"{self._seen(call, one.result)};", call

    def _seen(self, call: str, result: str) -> str:
        """What comes of a call, without what only this answer's types would show."""
        match = re.fullmatch(r"Result<(.+?)(?:,[^,<>]+)?>", result)
        if match:
            return (
                f'dce_see!({call}.map_err(|_| "error"))'
                if _PLAIN_RESULT.fullmatch(match[1])
                else f"dce_see!({call}.is_ok())"
            )
        if result.startswith("Option") and not _PLAIN_RESULT.fullmatch(result):
            return f"dce_see!({call}.is_some())"
        return f"dce_see!({call})" if result and _PLAIN_RESULT.fullmatch(result) else f"dce_do!({call})"

    def whole(self, lines: Sequence[str]) -> str:
        """See `Writer.whole`."""
        uses = "".join(f"    #[allow(unused_imports)] use {path}::*;\n" for path in self.uses)
        body = "\n".join(f"    {line}" for line in lines)
        return f"#[allow(unused_mut, unused_variables)]\nfn new() {{\n{uses}{body}\n}}\n"


def writer_of(tree: Tree, path: str, found: Signatures, values: Values, rng: random.Random) -> Writer | None:
    """What writes tests for a test file; None for a language without."""
    text = tree.content.decode("utf-8", "replace")
    if path.endswith("_test.go"):
        writer = GoWriter(found, values, rng)
        is_outside = bool(re.search(rf"(?m)^package\s+{re.escape(found.package)}_test\b", text)) and bool(found.package)
        writer.prefix = f"{found.package}." if is_outside else ""
        return writer
    if path.endswith(".rs"):
        rust = RustWriter(found, values, rng)
        paths = re.findall(r"(?m)^\s*use\s+((?:\w+::)*\w+)::(?:\{|\*|\w+;)", text)
        rust.uses = tuple(dict.fromkeys(path for path in paths if path.split("::")[0] != "std"))
        return rust
    return None


def new_tests(
    tree: Tree, path: str, found: Signatures, values: Values, rng: random.Random
) -> Iterator[tuple[Any, str]]:
    """Labels and sources of new tests."""
    writer = writer_of(tree, path, found, values, rng)
    yield from writer.tests() if writer is not None else ()
