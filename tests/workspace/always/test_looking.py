"""looking.py and what it asks: files that do not parse, imports that lead nowhere, secrets in code; only what the answer brings."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from dce.workspace.accepting.accept import doubts
from dce.workspace.judging.always.looking import Looking
from dce.workspace.judging.always.problem import Problem
from dce.workspace.judging.board import board
from dce.workspace.project import Project
from dce.workspace.schema.reading import FileBlock, Reading
from tests.workspace.judging import Bench, reading_of, write

KEY = "sk-ant-api03-" + "Qx7Lm2Vt9Rk4Wz8Bn3Yc6Hd1Fs5Gj0PaQx7Lm2Vt9Rk4" + "-AA"
"""Looks like a key, and is none."""


def _problems(root: Path, files: Mapping[str, str | bytes], answer: Mapping[str, str] | Reading) -> tuple[Problem, ...]:
    """What is wrong with an answer to a workspace with these files."""
    root.mkdir(parents=True, exist_ok=True)
    for path, content in files.items():
        write(root / path, content)
    reading = answer if isinstance(answer, Reading) else reading_of(answer)
    return Looking(Project.init(root)).problems(reading)


def _found(problems: tuple[Problem, ...]) -> list[tuple[str, str, int]]:
    return [(problem.flag, problem.path, problem.line) for problem in problems]


SOURCES = {
    "a.py": ("def f():\n    return 1\n", "def f(:\n    return 1\n", 1),
    "b.py": ("def f():\n    return 1\n", "x = 1\nreturn x\n", 2),
    "a.js": ("export const f = () => 1;\n", "export const f = () => {\n", 1),
    "a.jsx": ("const a = <p>{1}</p>;\n", "const a = <p>{1}</q;\n", 1),
    "a.ts": ("const a: number = 1;\n", "const a: number = ;\n", 1),
    "a.tsx": ("const a = <p>{1 as number}</p>;\n", "const a = <p>{1 as}</p>;\n", 1),
    "a.go": ("package a\n\nfunc F() int { return 1 }\n", "package a\n\nfunc F( int { return 1 }\n", 3),
    "a.rs": ("fn f() -> i32 { 1 }\n", "fn f() -> i32 { 1 \n", 1),
    "A.java": ("class A { int f() { return 1; } }\n", "class A { int f() { return 1 } }\n", 1),
    "a.c": ("int f(void) { return 1; }\n", "int f(void) { return 1;\n", 1),
    "a.cpp": ("int f() { return 1; }\n", "int f() { return (1; }\n", 1),
    "a.cs": ("class A { int F() { return 1; } }\n", "class A { int F() { return 1; }\n", 1),
    "a.rb": ("def f\n  1\nend\n", "def f\n  1\n", 1),
    "a.php": ("<?php\nfunction f() { return 1; }\n", "<?php\nfunction f( { return 1; }\n", 2),
    "a.sh": ("if true; then\n  echo 1\nfi\n", "if true; then\n  echo 1\n", 1),
    "a.json": ('{"a": 1}\n', '{"a": 1\n', 0),
    "a.toml": ("a = 1\n", "a = \n", 0),
}


@pytest.mark.parametrize("path", SOURCES)
def test_a_file_that_does_not_parse_is_named(tmp_path: Path, path: str) -> None:
    """In every language with a parser: a new or changed file that is broken is flagged, a sound one is not."""
    sound, broken, line = SOURCES[path]
    assert _problems(tmp_path, {}, {path: sound}) == ()
    for files in ({}, {path: sound}):
        found = _problems(tmp_path, files, {path: broken})
        assert [(problem.flag, problem.path) for problem in found] == [("does_not_compile", path)]
        assert found[0].line in range(line, line + 3)
        assert found[0].text


@pytest.mark.parametrize("path", SOURCES)
def test_what_did_not_parse_before_is_not_the_answers_fault(tmp_path: Path, path: str) -> None:
    """A file that was broken may stay so."""
    _, broken, _ = SOURCES[path]
    assert _problems(tmp_path, {path: broken}, {path: f"{broken}\n"}) == ()


def test_what_nobody_can_tell_is_not_said(tmp_path: Path) -> None:
    """Macros of C, a Python newer than DCE's own, settings with comments, encodings other than UTF-8."""
    files = {".venv/bin/python": "", ".venv/pyvenv.cfg": "version = 3.99.1\n"}
    answer = {
        "a.h": "#pragma once\nAPI_EXPORT int f(int) NOEXCEPT;\nBEGIN_DECLS\n",
        "a.py": "def f(:\n",
        "tsconfig.json": '{\n  // comment\n  "a": 1,\n}\n',
        ".vscode/settings.json": '{"a": 1, /* */ }\n',
        "tests/data/broken.json": "{",
        "tests/fixtures/broken.py": "def (\n",
        "{{cookiecutter.name}}/a.py": "import {{cookiecutter.name}}\n",
    }
    assert _problems(tmp_path, files, answer) == ()
    latin = {"b.py": "# -*- coding: latin-1 -*-\nx = 'é'\n".encode("latin-1")}
    assert _found(_problems(tmp_path / "strict", {}, {"package.json": '{"a": 1,}\n'})) == [
        ("does_not_compile", "package.json", 0)
    ]
    assert _problems(tmp_path, latin, {"b.py": "# -*- coding: latin-1 -*-\nx = 'ü'\n"}) == ()


def test_python_is_parsed_as_the_projects_version(tmp_path: Path) -> None:
    """What the project's environment is too old for does not compile; the version is read, and nothing is started."""
    files = {".venv/bin/python": "", ".venv/pyvenv.cfg": "home = /usr\nversion = 3.9.2\n"}
    match = "match 1:\n    case 1:\n        pass\n"
    assert _found(_problems(tmp_path / "old", files, {"a.py": match})) == [("does_not_compile", "a.py", 3)]
    assert _problems(tmp_path / "none", {}, {"a.py": match}) == ()


PACKAGE = {
    "src/app/__init__.py": "from app.core import run\n",
    "src/app/core.py": "import os\n\nLIMIT = 3\n\n\ndef run():\n    return LIMIT\n",
    "src/app/dynamic.py": "globals().update(x=1)\n",
    "tests/helpers.py": "X = 1\n",
    "native/_core.rs": "",
    ".venv/bin/python": "",
    ".venv/pyvenv.cfg": "version = 3.11.2\n",
    ".venv/lib/python3.11/site-packages/yaml/__init__.py": "",
    ".venv/lib/python3.11/site-packages/six.py": "",
    ".venv/lib/python3.11/site-packages/__editable___other_1_finder.py": "MAPPING: dict[str, str] = {'other': '/x'}\n",
}

IMPORTS_FOUND = (
    "import os.path, json, yaml, six, other\n",
    "import app, app.core\nfrom app import core, run\nfrom app.core import LIMIT, os, run\n",
    "from . import core\nfrom .core import run\nfrom .dynamic import anything\nfrom .core import *\n",
    "try:\n    import tomli\nexcept ImportError:\n    tomli = None\n",
    "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import absent\n",
    "import helpers\n",
    "from .fresh import made\n",
    "from ._core import fast\nfrom .wire_pb2 import Message\nfrom ._version import version\n",
    "import os\nif os.name == 'nt':\n    import winthing\n",
)
IMPORTS_LOST = {
    "import absent\n": "`absent`",
    "from app.core import walk\n": "`walk`",
    "from .core import walk\n": "`walk`",
    "from . import gone\n": "`gone`",
    "import app.gone\n": "`app.gone`",
    "from .gone import x\n": "`.gone`",
    "def f():\n    import requests\n": "`requests`",
}


def test_imports_of_python_that_resolve(tmp_path: Path) -> None:
    """Modules and names in the workspace and the answer, installed ones, the standard library, guarded and dynamic ones."""
    for number, text in enumerate(IMPORTS_FOUND):
        answer = {"src/app/new.py": text, "src/app/fresh.py": "made = 1\n"}
        assert _problems(tmp_path / str(number), PACKAGE, answer) == (), text


def test_imports_of_python_that_do_not(tmp_path: Path) -> None:
    """The name that cannot be found is in the words; an import that the file had before is not the answer's fault."""
    for number, (text, name) in enumerate(IMPORTS_LOST.items()):
        root = tmp_path / str(number)
        (problem,) = _problems(root, PACKAGE, {"src/app/new.py": text})
        assert (problem.flag, problem.line) == ("unresolved_import", 2 if text.startswith("def") else 1)
        assert name in problem.text
        assert (
            _problems(root / "before", {**PACKAGE, "src/app/new.py": text}, {"src/app/new.py": f"{text}x = 1\n"}) == ()
        )


def test_an_import_of_what_the_answer_deletes_is_lost(tmp_path: Path) -> None:
    """The workspace is looked at as it would be."""
    gone = FileBlock(path="src/app/core.py", content="", action="delete")
    reading = Reading(files=(gone, FileBlock(path="src/app/new.py", content="from app.core import run\n")))
    assert _found(_problems(tmp_path, PACKAGE, reading)) == [("unresolved_import", "src/app/new.py", 1)]


def test_without_an_environment_packages_are_not_judged(tmp_path: Path) -> None:
    """Where nobody knows what is installed, only the workspace's own modules count."""
    files = {path: text for path, text in PACKAGE.items() if not path.startswith(".venv")}
    assert _problems(tmp_path, files, {"src/app/new.py": "import absent\n"}) == ()
    assert len(_problems(tmp_path, files, {"src/app/new.py": "from app.core import walk\n"})) == 1


WEB = {
    "package.json": '{"name": "web", "dependencies": {"left-pad": "1"}}\n',
    "node_modules/left-pad/index.js": "",
    "node_modules/@scope/kit/index.js": "",
    "src/a.js": "export const a = 1;\nexport { a as b };\nexport default a;\n",
    "src/lib/index.ts": "export function g() {}\nexport type T = number;\n",
    "src/c.cjs": "exports.x = 1;\n",
    "src/d.ts": "export * from './a';\n",
    "src/data.json": "{}\n",
    "src/many.ts": "export const one = 1, two = 2;\nexport const enum E { A }\n",
    "src/components/B.jsx": "",
    "node_modules/@types/estree/index.d.ts": "",
}


@pytest.mark.parametrize(
    ("text", "lost"),
    [
        ("import { a, b } from './a.js';\nimport d from './a';\n", ""),
        ("import { g, type T } from './lib';\nimport type { T as U } from './lib/index.js';\n", ""),
        ("import fs from 'node:fs';\nimport path from 'path';\nimport pad from 'left-pad';\nimport { k } from '@scope/kit/sub';\n", ""),
        ("const { y } = require('./c.cjs');\nimport { anything } from './d';\nimport data from './data.json';\n", ""),
        ("// import x from './gone';\nimport z from '@/alias';\nimport '../styles/../src/a.js';\n", ""),
        ("import { two, E } from './many';\nimport type { N } from 'estree';\nimport B from 'components/B';\n", ""),
        ("import x from './gone';\n", "`./gone`"),
        ("const x = require('./gone');\n", "`./gone`"),
        ("export { q } from './a';\n", "`q`"),
        ("import { a,\n  zz } from './a';\n", "`zz`"),
        ("import express from 'express';\n", "`express`"),
        ("const m = await import('./nope.js');\n", "`./nope.js`"),
    ],
)  # fmt: skip
def test_imports_of_javascript(tmp_path: Path, text: str, lost: str) -> None:
    """Relative modules with every suffix and index file, the names that they export, packages; aliases are left alone."""
    found = _problems(tmp_path, WEB, {"src/new.ts": text})
    assert [problem.flag for problem in found] == (["unresolved_import"] if lost else [])
    assert not lost or lost in found[0].text


def test_a_secret_in_the_code_is_named_but_not_shown(tmp_path: Path) -> None:
    """A new value that looks like a key; one that was there before, or that the line allows, is not the answer's."""
    line = f'KEY = "{KEY}"\n'
    (problem,) = _problems(tmp_path / "new", {"a.py": "x = 1\n"}, {"a.py": f"x = 1\n{line}"})
    assert (problem.flag, problem.line) == ("secret_in_code", 2)
    assert KEY not in problem.text
    assert _problems(tmp_path / "old", {"a.py": line}, {"a.py": f"x = 1\n{line}"}) == ()
    assert _problems(tmp_path / "allowed", {}, {"a.py": f"{line.rstrip()}  # dce:allow-secret\n"}) == ()
    assert _problems(tmp_path / "listed", {".dceallow": "a.py\n"}, {"a.py": line}) == ()


def test_the_board_and_accept_say_it(tmp_path: Path) -> None:
    """Flags and problems of a row; what does not compile ranks below what does; accepting names the same as doubts."""
    bench = Bench(tmp_path, {"a.py": "x = 1\n"})
    generation = bench.answer({"a.py": "x = (\n"}, {"a.py": "from .gone import y\n"}, {"a.py": "x = 2\n"})
    rows = board(bench, generation)
    assert [row.slot for row in rows] == [2, 3, 1]
    assert {row.slot: row.flags for row in rows} == {1: ("does_not_compile",), 2: ("unresolved_import",), 3: ()}
    assert [len(row.problems) for row in rows] == [1, 0, 1]
    assert [doubt.flag for doubt in doubts(bench, generation, [1, 2, 3])] == ["does_not_compile", "unresolved_import"]
