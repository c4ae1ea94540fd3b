"""The table of languages: which row has a file, how Python files are imported, what of their tests comes first, and a run in a lane."""

import asyncio
from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.workspace.judging.behaviour.affected import affected, only, telling_tests
from dce.workspace.judging.behaviour.javascript_row import JAVASCRIPT
from dce.workspace.judging.behaviour.language import Place, Sources
from dce.workspace.judging.behaviour.languages import LANGUAGES, by_language
from dce.workspace.judging.behaviour.probe import Outcome
from dce.workspace.judging.behaviour.python_modules import Importable, importable, imported_names
from dce.workspace.judging.behaviour.python_row import PYTHON, is_test, make
from dce.workspace.judging.behaviour_sources import sources_of
from dce.workspace.judging.lanes.lane import Kind
from tests.workspace.judging import reading_of
from tests.workspace.laned import KINDS, lanes_of, project_of

BEFORE = "def add(a, b):\n    return a\n\n\ndef twice(a):\n    return add(a, a)\n\n\ndef other(a):\n    return a\n"
AFTER = BEFORE.replace("return a\n\n\ndef twice", "return a + b\n\n\ndef twice")
TESTS = "from calc import add, other\n\n\ndef test_other():\n    assert other(1) == 1\n\n\ndef test_add():\n    assert add(1, 2) == 3\n"
SOURCES = Sources(
    changed={"src/calc.py": (BEFORE, AFTER)}, tests={"tests/test_calc.py": TESTS}, paths=frozenset({"src/calc.py"})
)


def test_each_file_has_one_row_and_tests_have_none() -> None:
    """A file belongs to the first row that speaks for it; a test is nobody's behaviour."""
    found = by_language(["b.py", "a.py", "tests/test_a.py", "README.md"], [PYTHON])
    assert found == {"Python": ["a.py", "b.py"]}
    assert len({row.name for row in LANGUAGES}) == len(LANGUAGES)


@pytest.mark.parametrize("path", ["tests/test_a.py", "a_test.py", "tests.py", "pkg/conftest.py"])
def test_names_of_tests(path: str) -> None:
    """The names that pytest and unittest look for are tests; a module that only begins alike is not."""
    assert is_test(path)
    assert not is_test(path.replace("test", "attest"))


@pytest.mark.parametrize(
    ("path", "paths", "imported", "found"),
    [
        ("calc.py", (), (), ("calc", "")),
        ("src/calc.py", (), (), ("calc", "src")),
        ("pkg/calc.py", (), (), ("pkg.calc", "")),
        ("pkg/calc.py", (), ("calc",), ("calc", "pkg")),
        ("src/pkg/calc.py", ("src/pkg/__init__.py",), ("calc",), ("pkg.calc", "src")),
        ("packages/foo/src/foo/a.py", ("packages/foo/src/foo/__init__.py",), (), ("foo.a", "packages/foo/src")),
        ("packages/foo/src/foo/__init__.py", ("packages/foo/src/foo/__init__.py",), (), ("foo", "packages/foo/src")),
        ("my-tools/calc.py", (), (), ("calc", "my-tools")),
        ("setup.py", (), (), None),
        ("pkg/__main__.py", ("pkg/__init__.py",), (), None),
        ("a-script.py", (), (), None),
    ],
)
def test_how_a_file_is_imported(
    path: str, paths: tuple[str, ...], imported: tuple[str, ...], found: tuple[str, str] | None
) -> None:
    """A package says where its modules are imported from; elsewhere the tests' imports decide; programs are not imported."""
    assert importable(path, paths, imported) == (None if found is None else Importable(*found))


def test_imports_of_a_file() -> None:
    """Both forms of import are seen, relative ones and broken files give nothing."""
    assert imported_names("import a.b\nfrom c import d\nfrom . import e") == {"a.b", "c", "c.d"}
    assert imported_names("def") == frozenset()


def test_what_is_affected() -> None:
    """What differs between versions is affected, and what mentions it; the rest is not."""
    assert affected((BEFORE, AFTER)) == {"add", "twice"}
    assert affected((BEFORE, f"# a comment\n{BEFORE}")) == frozenset()
    classes = "class A:\n    def f(self):\n        return {0}\n    def g(self):\n        return 1\n"
    assert affected([classes.format(1), classes.format(2), ""]) >= {"A", "f"}


def test_only_what_is_affected_is_used() -> None:
    """A module and a test file are cut down to what is affected; nothing is left of a test file that mentions none of it."""
    names = affected((BEFORE, AFTER))
    assert "other" not in only(AFTER, names)
    assert only("x = (", frozenset({"x"})) == "x = ("
    assert "test_add" in telling_tests(TESTS, names)
    assert "test_other" not in telling_tests(TESTS, names)
    in_class = "class TestAll:\n    def helper(self):\n        pass\n    def test_a(self):\n        a()\n    def test_b(self):\n        b()\n"
    assert "test_b" not in telling_tests(in_class, frozenset({"a"}))
    assert "helper" in telling_tests(in_class, frozenset({"a"}))
    assert (telling_tests(TESTS, frozenset({"nothing"})), telling_tests("def", names)) == ("", "")


def test_probes_depend_on_the_sources_only() -> None:
    """The same sources and seed give the same probes; files that cannot be imported give none."""
    assert make(SOURCES, 1) == make(SOURCES, 1) != ()
    assert make(Sources(changed={"setup.py": ("", "x = 1")}, tests={}), 1) == ()


@pytest.mark.parametrize("kind", KINDS)
def test_probes_run_in_a_lane(tmp_path: Path, kind: Kind) -> None:
    """In either kind of lane the probes see the answer's code, not the workspace's, and no test runner."""
    code = AFTER.replace("return a + b", "import os\n    return (a + b, 'PYTEST_CURRENT_TEST' in os.environ)")
    project = project_of(tmp_path, {"src/calc.py": BEFORE, "tests/test_calc.py": TESTS})
    lanes = lanes_of(project, kind)
    probes = make(SOURCES, 0)

    async def run() -> Mapping[str, Outcome]:
        async with lanes.opened(reading_of({"src/calc.py": code})) as lane:
            return await PYTHON.run(Place(lane=lane, sources=SOURCES), probes)

    found = asyncio.run(run())
    (asked,) = [probe for probe in probes if probe.label == "add(1, 2)"]
    assert found[asked.id].shown == "(3, False)"
    assert set(found) == {probe.id for probe in probes}


def test_a_read_me_is_read_for_the_rows_that_want_it(tmp_path: Path) -> None:
    """Examples by the package's own name become probes; no other document is read."""
    files = {
        "package.json": '{"name": "calc"}',
        "README.md": "```js\nimport { add } from 'calc';\nadd(1, 2);\n```\n",
        "NOTES.md": "```js\nadd(9, 9);\n```\n",
        "index.js": "export function add(a, b) { return a; }\n",
    }
    project = project_of(tmp_path, files)
    answer = reading_of({"index.js": files["index.js"].replace("return a;", "return a + b;")})
    sources = sources_of(project, [answer])["JavaScript"]
    assert set(sources.documents) == {"package.json", "README.md"}
    assert "add(1, 2)" in {probe.label for probe in JAVASCRIPT.make(sources, 0)}
