"""Files can be shown in less than full detail; they cannot be rewritten then."""

import asyncio
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.context.detail import HEAD_LINES, TAIL_LINES, reduced
from dce.workspace.context.outline import outline_of
from dce.workspace.context.prompt import PromptCycle, PromptFile, PromptInput, build
from dce.workspace.project import Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider

PYTHON = '''"""A module."""
import os

LIMIT = 3

class A(Base, metaclass=M):
    """What A is.

    More.
    """

    size: int

    async def f(self, x: int, *, y: str = "z") -> None:
        """Does it."""
        hidden = 1

def g(*args): return args
'''


def test_python_outline() -> None:
    """An outline has classes, signatures, first lines of docstrings and top-level names with line numbers, and no bodies."""
    assert reduced(PYTHON, "a.py", "outline").splitlines() == [
        f"[outline of {len(PYTHON.splitlines())} lines: line number and definition]",
        "4: LIMIT = …",
        "6: class A(Base):  # What A is.",
        "12:     size: int",
        "14:     async def f(self, x: int, *, y: str='z') -> None  # Does it.",
        "18: def g(*args)",
    ]


@pytest.mark.parametrize(
    ("path", "text", "shown"),
    [
        (
            "a.ts",
            "export class A<T> {\n  m(x: number): string {\n    return 'secret body'\n  }\n}\n",
            ["1: class A<T>", "2:     m(x: number): string"],
        ),
        ("a.tsx", "export function F(p: P) { return <b>{p.x}</b> }\n", ["1: function F(p: P)"]),
        ("a.go", "package a\nfunc (s *S) M(x int) error {\n\treturn nil\n}\n", ["2: func (s *S) M(x int) error"]),
        ("a.rs", "impl S {\n    pub fn f(&self) -> u8 { 1 }\n}\n", ["1: impl S", "2:     pub fn f(&self) -> u8"]),
        ("A.java", "class A {\n  int f(int x) { return x; }\n}\n", ["1: class A", "2:     int f(int x)"]),
    ],
)
def test_outlines_of_other_languages(path: str, text: str, shown: list[str]) -> None:
    """If tree-sitter's grammars are installed, definitions are shown without bodies; otherwise the text is short enough."""
    assert reduced(text, path, "outline").splitlines()[1:] == shown


@pytest.mark.parametrize(
    ("package", "path", "text", "shown"),
    [
        (
            "c",
            "a.c",
            "enum k { A };\nint add(int a) {\n  struct list *l;\n  return a;\n}\n",
            ["enum k", "int add(int a)"],
        ),
        ("cpp", "a.cpp", "class A : B {\n  int f() const { return 1; }\n};\n", ["class A : B", "int f() const"]),
        ("c_sharp", "a.cs", "class A {\n  int F(int y) { return y; }\n}\n", ["class A", "int F(int y)"]),
        ("ruby", "a.rb", "class A < B\n  def f(x)\n    x\n  end\nend\n", ["class A < B", "def f(x)"]),
        ("php", "a.php", "<?php\nfunction g($x) { return 1; }\n", ["function g($x)"]),
        ("bash", "a.sh", "f() {\n  echo 1\n}\n", ["f()"]),
    ],
)
def test_outlines_where_a_grammar_was_added(package: str, path: str, text: str, shown: list[str]) -> None:
    """With the language's grammar installed, definitions are found; a type that is only used is not one."""
    assert [line.strip() for _, line in outline_of(text, path)] == shown


def test_without_a_grammar_there_is_no_outline() -> None:
    """An unknown language, or one without its grammar, has no outline: head and tail are shown instead."""
    assert outline_of("MOVE A TO B.\n", "a.cobol") == []


@pytest.mark.parametrize("path", ["a.py", "a.txt"])
def test_head_and_tail(path: str) -> None:
    """Long text keeps its first and last lines and says how much is missing, also if it has no outline; short text stays whole."""
    text = "".join(f"{number} =\n" for number in range(200))
    shown = reduced(text, path, "outline" if path == "a.py" else "head-tail").splitlines()
    assert len(shown) == HEAD_LINES + TAIL_LINES + 2
    assert f"{200 - HEAD_LINES - TAIL_LINES} lines not shown" in shown[HEAD_LINES + 1]
    assert (shown[1], shown[-1]) == ("0 =", "199 =")
    assert reduced("short\n", path, "head-tail") == "short\n"


def test_what_is_not_shown_whole_is_no_file_of_the_prompt() -> None:
    """An excerpt has its own delimiters and is not in the manifest, so that no answer can rewrite it."""
    files = (
        PromptFile(path="a.py", text="whole\n", sha256="1" * 64),
        PromptFile(path="b.py", text="[outline]", sha256="2" * 64, detail="outline"),
    )
    prompt = build(
        PromptInput(cycle=PromptCycle(id=1, title="t", context="c"), history=(), scope="", files=files, schema="blocks")
    )
    assert [entry.path for entry in prompt.manifest] == ["a.py"]
    assert (
        f'<excerpt path="b.py" shows="outline" nonce="{prompt.nonce}">\n[outline]\n</excerpt nonce="{prompt.nonce}">'
        in prompt.text
    )
    assert '<file path="b.py"' not in prompt.text


def test_levels_belong_to_the_selection(tmp_path: Path) -> None:
    """A level of detail is kept only for selected files, changes the prompt, and is removed with the file."""
    (tmp_path / "a.py").write_text(PYTHON)
    (tmp_path / "b.py").write_text("b = 1\n")
    with Workspace.open(Project.init(tmp_path), Settings(), Clock(), ScriptedProvider([])) as workspace:
        workspace.cycles.create("t", "Do it.")
        workspace.selection.add(["."])
        assert workspace.selection.show(["a.py"], "outline") == ("a.py",)
        prompt = asyncio.run(workspace.preparation.build(1)).prompt
        assert "hidden" not in prompt.text
        assert [entry.path for entry in prompt.manifest] == ["b.py"]
        with pytest.raises(DceError, match="is selected"):
            workspace.selection.show(["c.py"], "path")
        workspace.selection.remove(["a.py"])
        assert workspace.selection.details() == {}
