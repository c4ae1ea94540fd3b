"""What a test file checks, read without running it: its tests, how much each asserts, and what is skipped.

Python is parsed; other languages are read by patterns, per file. The result serves one purpose: to tell a test that became weaker from
one that changed. It never decides a verdict, because every verdict comes from the workspace's own tests.
"""

import ast
import re
import warnings
from collections.abc import Iterator, Mapping
from functools import lru_cache

import msgspec

KEPT = 256
"""How many files are remembered: the board is shown again and again, and its answers do not change."""


class TestFacts(msgspec.Struct, frozen=True, kw_only=True):
    """One test, or a whole file where single tests cannot be told apart. `asserts`: how many things it checks; `exact`: how many of them
    against one value; `cases`: of a parametrized test; `skips` and `swallows`: places that skip, or that ignore errors."""

    __test__ = False

    asserts: int = 0
    exact: int = 0
    cases: int = 1
    skips: int = 0
    swallows: int = 0


class FileFacts(msgspec.Struct, frozen=True, kw_only=True):
    """A file: its tests by name, and what holds for the file as a whole."""

    tests: Mapping[str, TestFacts] = {}
    whole: TestFacts = TestFacts()


@lru_cache(maxsize=KEPT)
def facts_of(path: str, text: str) -> FileFacts:
    """What a test file checks."""
    if path.endswith((".py", ".pyi")):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return _of_python(ast.parse(text))
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            return FileFacts()
    return _of_text(path, text)


def holds_tests(path: str, text: str) -> bool:
    """Whether a file with the name of a test is one, as far as its text tells: it has tests, asserts something, or names a runner. True
    where that cannot be told."""
    if not path.endswith(_READ_WELL) or _RUNNER.search(text):
        return True
    facts = facts_of(path, text)
    return bool(facts.tests) or facts.whole.asserts > 0 or _ASSERT.search(text) is not None


_READ_WELL = (
    ".py",
    ".rb",
    ".rs",
    ".go",
    ".js",
    ".mjs",
    ".cjs",
    ".jsx",
    ".ts",
    ".mts",
    ".cts",
    ".tsx",
    ".java",
    ".kt",
    ".cs",
    ".php",
)
_RUNNER = re.compile(
    r"\bpytest\b|\bunittest\b|\bdoctest\b|node:(?:test|assert)|[\"'](?:vitest|@jest/globals|chai|mocha|assert|tape|ava|tap)[\"']|\bminitest\b|\brspec\b|\btesting\.T\b"
    r"|#\[\s*(?:\w+::)*test\b|\borg\.junit\b|\bxunit\b|\bnunit\b|\bPHPUnit\b",
    re.IGNORECASE,
)


def _of_python(tree: ast.Module) -> FileFacts:
    tests: dict[str, TestFacts] = {}
    for name, owner, test in _python_tests(tree):
        inherited = sum(_is_skip(made) for made in owner.decorator_list) if owner else 0
        tests[name] = _of_function(test, inherited)
    skips = sum(
        isinstance(node, ast.Assign | ast.Expr) and _mentions_skip(node) and not isinstance(node, ast.FunctionDef)
        for node in tree.body
    )
    return FileFacts(tests=tests, whole=TestFacts(skips=skips))


def _python_tests(
    tree: ast.Module,
) -> Iterator[tuple[str, ast.ClassDef | None, ast.FunctionDef | ast.AsyncFunctionDef]]:
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test"):
            yield node.name, None, node
        elif isinstance(node, ast.ClassDef):
            for item in node.body:
                if isinstance(item, ast.FunctionDef | ast.AsyncFunctionDef) and item.name.startswith("test"):
                    yield f"{node.name}.{item.name}", node, item


def _of_function(test: ast.FunctionDef | ast.AsyncFunctionDef, inherited_skips: int) -> TestFacts:
    body = []
    for statement in test.body:
        body.append(statement)
        if isinstance(statement, ast.Return | ast.Raise):
            break  # what follows never runs
    asserts = exact = swallows = 0
    skips = inherited_skips + sum(_is_skip(made) for made in test.decorator_list)
    for node in (inner for statement in body for inner in ast.walk(statement)):
        if isinstance(node, ast.Assert):
            found, found_exact = _weight(node.test)
            asserts, exact = asserts + found, exact + found_exact
        elif isinstance(node, ast.Call | ast.With | ast.AsyncWith):
            found, found_exact = _weight_of_call(node) if isinstance(node, ast.Call) else (0, 0)
            asserts, exact = asserts + found, exact + found_exact
            skips += isinstance(node, ast.Call) and _is_skip(node)
            swallows += isinstance(node, ast.Call) and _name(node).endswith("suppress")
        elif isinstance(node, ast.ExceptHandler):
            swallows += all(isinstance(inner, ast.Pass | ast.Continue | ast.Return) for inner in node.body)
    return TestFacts(asserts=asserts, exact=exact, cases=_cases(test), skips=skips, swallows=swallows)


def _weight(test: ast.expr) -> tuple[int, int]:
    """How many things an assertion checks, and how many of them against one value. One that is always true checks nothing."""
    if isinstance(test, ast.BoolOp):
        parts = [_weight(value) for value in test.values]
        if isinstance(test.op, ast.Or):
            return (0, 0) if any(_is_constant(value) for value in test.values) else (min(1, len(parts)), 0)
        return sum(part[0] for part in parts), sum(part[1] for part in parts)
    if isinstance(test, ast.UnaryOp):
        return _weight(test.operand)
    if _is_constant(test):
        return 0, 0
    if isinstance(test, ast.Compare):
        sides = [test.left, *test.comparators]
        if len({ast.dump(side) for side in sides}) == 1:
            return 0, 0
        is_exact = all(isinstance(operator, ast.Eq) for operator in test.ops) or (
            isinstance(test.ops[0], ast.Is) and isinstance(test.comparators[0], ast.Constant)
        )
        return len(test.ops), len(test.ops) * is_exact
    return 1, 0


def _weight_of_call(node: ast.Call) -> tuple[int, int]:
    name = _name(node).rpartition(".")[2]
    if name in {"assertTrue", "assertFalse", "assertIsNotNone", "ok_"}:
        return _weight(node.args[0]) if node.args else (0, 0)
    if name in {
        "assertEqual",
        "assertEquals",
        "assertIs",
        "assertListEqual",
        "assertDictEqual",
        "assertRaises",
        "raises",
        "eq_",
    }:
        is_trivial = len(node.args) > 1 and ast.dump(node.args[0]) == ast.dump(node.args[1])
        is_loose = name in {"assertRaises", "raises"} and bool(node.args) and ast.unparse(node.args[0]) in _ANY_ERROR
        return (0, 0) if is_trivial else (1, int(not is_loose))
    return (1, 0) if name.startswith(("assert", "warns", "expect", "fail")) else (0, 0)


_ANY_ERROR = frozenset({"Exception", "BaseException"})


def _is_constant(node: ast.expr) -> bool:
    """Whether a value depends on nothing."""
    return not any(isinstance(inner, ast.Name | ast.Call | ast.Attribute | ast.Await) for inner in ast.walk(node))


def _cases(test: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    cases = 1
    for made in test.decorator_list:
        if isinstance(made, ast.Call) and _name(made).endswith("parametrize") and len(made.args) > 1:
            values = made.args[1]
            cases *= len(values.elts) if isinstance(values, ast.List | ast.Tuple | ast.Set) else 1
    return cases


_SKIP_NAMES = frozenset(
    {*("skip", "skipif", "skipIf", "skipUnless", "xfail", "skipTest", "expectedFailure", "SkipTest", "importorskip", "exit"), "_exit"}
)  # fmt: skip


def _is_skip(node: ast.expr) -> bool:
    return _name(node).rpartition(".")[2] in _SKIP_NAMES


def _mentions_skip(node: ast.stmt) -> bool:
    return any(isinstance(inner, ast.Call | ast.Attribute) and _is_skip(inner) for inner in ast.walk(node)) or any(
        isinstance(inner, ast.Name) and inner.id in {"__test__", "collect_ignore", "collect_ignore_glob"}
        for inner in ast.walk(node)
    )


def _name(node: ast.expr) -> str:
    """The dotted name of what is called or applied; "" for anything else."""
    if isinstance(node, ast.Call):
        node = node.func
    parts = []
    while isinstance(node, ast.Attribute):
        parts.append(node.attr)
        node = node.value
    if isinstance(node, ast.Name):
        parts.append(node.id)
    return ".".join(reversed(parts))


_HASH_COMMENTS = (".rb", ".sh", ".bash", ".bats", ".pl", ".t", ".exs", ".r", ".toml", ".yml", ".yaml")
_LINE_COMMENT = re.compile(r"(?<![:\"'])//[^\n]*|/\*.*?\*/", re.DOTALL)
_HASH_COMMENT = re.compile(r"^\s*#(?!\[)[^\n]*", re.MULTILINE)
_TESTS = re.compile(
    r"""\b(?:it|test|specify|scenario|Deno\.test)(?:\.each\b[^(]*\([^)]*\)|\.(?:only|concurrent|serial))?\s*\(\s*(?P<q>["'`])(?P<js>(?:\\.|(?!(?P=q)).)*)(?P=q)"""
    r"""|^\s*(?:it|test|specify|scenario|example)\s+(?P<q2>["'])(?P<rb>.*?)(?P=q2)"""
    r"""|^func\s+(?P<go>(?:Test|Benchmark|Example|Fuzz)\w*)\s*\("""
    r"""|\#\[\s*(?:\w+::)*test\b[^\]]*\]\s*(?:\#\[[^\]]*\]\s*)*(?:pub\s+)?(?:async\s+)?fn\s+(?P<rs>\w+)"""
    r"""|@(?:Test|ParameterizedTest|RepeatedTest)\b[^{;]*?\b(?:void|fun)\s+(?P<java>\w+|`[^`]+`)\s*\("""
    r"""|\[(?:Fact|Test|TestMethod|Theory|TestCase)\b[^{;]*?\b(?:void|Task)\s+(?P<cs>\w+)\s*\("""
    r"""|\bfunction\s+(?P<php>test\w+)\s*\(|^\s*def\s+(?P<def>test_\w+)|^@test\s+"(?P<bats>[^"]*)"|\bTEST(?:_F|_P|_CASE)?\s*\(\s*(?P<cc>[^)]*)\)""",
    re.MULTILINE | re.DOTALL,
)
_ASSERT = re.compile(
    r"\b(?:assert\w*!?|expect\w*|should\w*|t\.(?:Error|Errorf|Fatal|Fatalf|Fail|FailNow)|require\.\w+|EXPECT_\w+|ASSERT_\w+|REQUIRE\w*|CHECK\w*"
    r"|is_deeply|cmp_ok|must_\w+|refute\w*|t\.(?:is|deepEqual|equal|same|like|throws|truthy|falsy|ok|notOk))\b"
)
_EXACT = re.compile(r"[eE]qual|[eE]q\b|_eq!|\btoBe\(|toStrictEqual|toEqual|_EQ\b|===?|toThrow|[rR]aises|throws|\bis\(")
_TRIVIAL = re.compile(
    r"\b(?:assert(?:\.ok|\.equal|\.strictEqual|!|True|_eq!)?|expect|t\.ok|t\.true|t\.truthy|assertTrue|XCTAssertTrue|REQUIRE|EXPECT_TRUE|ASSERT_TRUE)"
    r"\s*\(\s*(?:true|1|!0|!false|1\s*==+\s*1|(?P<a>\w+)\s*(?:,|===?)\s*(?P=a))\s*[,)]|\bassert\s+true\b",
    re.IGNORECASE,
)
_SKIP = re.compile(
    r"\b(?:x(?:it|test|describe|specify)|f(?:it|describe))\s*[(\s]|\.(?:skip|todo|only|failing)\b|\bskip\s*:\s*(?!false)|\btodo\s*:\s*(?!false)"
    r"|\#\[\s*ignore\b|\#!?\[\s*cfg\s*\(\s*(?:any\(\)|not\(test\)|FALSE)|\bt\.Skip\w*|\btesting\.Short\b|\bos\.Exit\b|^//\s*(?:go:build|\+build)\b"
    r"|@(?:Disabled|Ignore|DisabledIf\w*)\b|\[Ignore\b|Skip\s*=|\bpending\b|\bskip\s+[\"']|markTestSkipped|markTestIncomplete|\bGTEST_SKIP|DISABLED_"
    r"|process\.exit|std::process::exit|\bexit\s*\(?\s*0|^\s*skip\b",
    re.MULTILINE,
)
_SWALLOW = re.compile(
    r"catch\s*(?:\([^)]*\))?\s*\{\s*\}|\brescue\b[^\n]*\n?\s*(?:nil\s*)?end|\|\|\s*true\b|let\s+_\s*="
)


def _of_text(path: str, text: str) -> FileFacts:
    skips = len(_SKIP.findall(text))  # before comments go: Go's build constraints are some
    code = _HASH_COMMENT.sub("", text) if path.endswith(_HASH_COMMENTS) else _LINE_COMMENT.sub("", text)
    names = [name for found in _TESTS.finditer(code) if (name := _named(found))]
    lines = [line for line in code.splitlines() if _ASSERT.search(line)]
    trivial = len(_TRIVIAL.findall(code))
    asserts = max(0, sum(len(_ASSERT.findall(line)) > 0 for line in lines) - trivial)
    exact = max(0, sum(bool(_EXACT.search(line)) and not _TRIVIAL.search(line) for line in lines))
    whole = TestFacts(asserts=asserts, exact=exact, skips=skips, swallows=len(_SWALLOW.findall(code)))
    return FileFacts(tests=dict.fromkeys(names, TestFacts()), whole=whole)


def _named(found: re.Match[str]) -> str:
    return next((text for key, text in found.groupdict().items() if text and not key.startswith("q")), "")
