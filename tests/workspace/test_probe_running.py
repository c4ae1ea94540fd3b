"""Probes run on an answer: what is recorded, what does not matter, and that nothing they do ends the run."""

import asyncio
import sys
from pathlib import Path

import pytest

from dce.workspace.judging.behaviour.probe import Probe, Snippet, make_probe
from dce.workspace.judging.behaviour.running import Interpreter, Limits, run_probes
from tests.workspace.probing import FolderLane, run, steps


def test_values_exceptions_output_and_changed_arguments_are_recorded(tmp_path: Path) -> None:
    """Each shows in what is compared."""
    text = "def f(x):\n    print('out', x)\n    x.append(1)\n    return len(x) if len(x) < 3 else 1 / 0\n"
    value, error = run(tmp_path, text, steps("g = []", "answer.f(g)"), steps("g = [1, 2]", "answer.f(g)"))
    assert (value.kind, value.shown) == ("value", "1")
    assert "g = [1]" in value.text
    assert "out []" in value.text
    assert (error.kind, error.shown) == ("raised", "raises ZeroDivisionError")


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("{'a', 'b'}", "{'b', 'a'}"),
        ("{'a': 1, 'b': 2}", "{'b': 2, 'a': 1}"),
        ("0.1 + 0.2", "0.3"),
        ("3.0", "3"),
        ("-0.0", "0"),
        ("Point(1, _hidden=2)", "Point(1, _hidden=3)"),
        ("raises('one text')", "raises('another')"),
        ("(x for x in [1, 2])", "iter([1, 2])"),
    ],
)
def test_what_is_equal_to_a_caller_is_the_same(tmp_path: Path, one: str, other: str) -> None:
    """Order of sets and dicts, last digits, private attributes and the wording of an error make no difference."""
    text = (
        "class Point:\n    def __init__(self, x, _hidden):\n        self.x, self._hidden = x, _hidden\n"
        "def raises(text):\n    raise ValueError(text)\n"
    )
    first, second = run(
        tmp_path, text + f"def f():\n    return {one}\ndef g():\n    return {other}\n", *calls("f", "g")
    )
    assert first.text == second.text


@pytest.mark.parametrize(
    ("one", "other"), [("[1, 2]", "(1, 2)"), ("True", "1"), ("'1'", "1"), ("None", "[]"), ("[1]", "iter([1])")]
)
def test_what_differs_to_a_caller_differs(tmp_path: Path, one: str, other: str) -> None:
    """Types that a test tells apart are told apart."""
    first, second = run(tmp_path, f"def f():\n    return {one}\ndef g():\n    return {other}\n", *calls("f", "g"))
    assert first.text != second.text


def calls(*names: str) -> list[Probe]:
    """A probe that calls each."""
    return [steps(f"answer.{name}()") for name in names]


def test_a_probe_that_hangs_or_ends_the_process_costs_only_itself(tmp_path: Path) -> None:
    """The probes before and after it have their results."""
    text = "import os\ndef f(x):\n    while x == 1:\n        pass\n    if x == 2:\n        os._exit(0)\n    return x\n"
    found = run(tmp_path, text, *(steps(f"answer.f({number})") for number in (0, 1, 2, 3)), probe_s=2.0)
    assert [outcome.kind for outcome in found] == ["value", "timeout", "died", "value"]


def test_an_answer_that_hangs_everywhere_is_given_up(tmp_path: Path) -> None:
    """After a few probes that take too long, the rest is not run."""
    text = "def f(x):\n    while True:\n        pass\n"
    found = run(tmp_path, text, *(steps(f"answer.f({number})") for number in range(12)), probe_s=0.5)
    assert {outcome.kind for outcome in found} == {"timeout", "not run"}


def test_results_that_change_from_run_to_run_are_unstable(tmp_path: Path) -> None:
    """A value that depends on the order of a set says nothing about the answer; a seeded random number does."""
    text = "import random\ndef order():\n    return list({'a', 'b', 'c', 'd', 'e'})\ndef draw():\n    return random.random()\n"
    found = run(tmp_path, text, *calls("order", "draw"))
    assert [outcome.kind for outcome in found] == ["unstable", "value"]


def test_a_probe_does_not_see_what_another_left(tmp_path: Path) -> None:
    """State in a module changes no result of another probe."""
    text = "seen = []\ndef f(x):\n    seen.append(x)\n    return len(seen)\n"
    found = run(tmp_path, text, *(steps(f"answer.f({number})") for number in range(4)))
    assert [outcome.shown for outcome in found] == ["1"] * 4


def test_an_answer_that_cannot_be_imported_raises_everywhere(tmp_path: Path) -> None:
    """The import's error is the result, also if the module ends its process or prints."""
    assert (
        run(tmp_path, "print('hello')\nimport nothing_of_that_name\n", steps("1"))[0].shown
        == "raises ModuleNotFoundError"
    )
    assert run(tmp_path, "raise SystemExit\n", steps("1"))[0].shown == "raises SystemExit"


def test_files_in_the_temporary_folder_are_compared_without_its_name(tmp_path: Path) -> None:
    """The same file is the same result in every run."""
    text = "def f(folder):\n    (folder / 'a.txt').write_text('x')\n    return folder / 'a.txt'\n"
    (found,) = run(tmp_path, text, steps("answer.f(tmp_path)"))
    assert found.kind == "value"
    assert "<tmp>" in found.text
    assert "a.txt" in found.text


def test_of_files_only_what_the_probe_put_there_is_compared(tmp_path: Path) -> None:
    """Two answers may keep the same in two forms; but a file that lost its content, or has another's, is a difference."""
    texts = [
        "def keep(folder):\n    (folder / 'kept').write_text('{\"a\": 1}')\n",
        "def keep(folder):\n    (folder / 'kept').write_text('a=1')\n",
        "def keep(folder):\n    (folder / 'kept').write_text('')\n",
        "def keep(folder):\n    (folder / 'one').rename(folder / 'kept')\n",
    ]
    probe = ("(tmp_path / 'one').write_text('é1')", "answer.keep(tmp_path)")
    found = []
    for number, text in enumerate(texts):
        (tmp_path / str(number)).mkdir()
        found.append(run(tmp_path / str(number), text, steps(*probe))[0].text)
    assert found[0] == found[1]
    assert len(set(found)) == 3


def test_a_value_that_is_endless_deep_or_unwilling_is_described(tmp_path: Path) -> None:
    """Describing never fails and never goes on for ever."""
    text = (
        "import itertools\ndef endless():\n    return itertools.count()\ndef itself():\n    x = []\n    x.append(x)\n    return x\n"
        "class Bad:\n    __slots__ = ('a',)\n    def __iter__(self):\n        raise OSError\ndef bad():\n    return Bad()\n"
        "def long():\n    return 'x' * 10**6\n"
    )
    found = run(tmp_path, text, *calls("endless", "itself", "bad", "long"))
    assert [outcome.kind for outcome in found] == ["value"] * 4
    assert all(len(outcome.text) < 20_000 for outcome in found)


@pytest.mark.parametrize("act", ["os.symlink('answer.py', path)", "os.mkfifo(path)", "os.mkdir(path)", "None"])
def test_an_answer_that_takes_the_place_of_the_results_has_none(tmp_path: Path, act: str) -> None:
    """A link, a pipe or a folder where the results should be is not followed, and nothing waits for it."""
    text = f"import os, sys\npath = sys.argv[2]\nos.path.exists(path) and os.remove(path)\n{act}\n"
    assert run(tmp_path, text, steps("1"))[0].kind == "died"


def test_what_a_test_runner_gives_to_tests_has_a_stand_in(tmp_path: Path) -> None:
    """`capsys` tells what was printed, `monkeypatch` takes everything back, `caplog` and folders are there."""
    text = "import os, sys\nSIZE = 1\ndef f():\n    print(SIZE, os.environ.get('WORD'), sys.argv)\n    print('no', file=sys.stderr)\n"
    patched = steps(
        "monkeypatch.setattr(answer, 'SIZE', 5)",
        "monkeypatch.setattr('answer.SIZE', 6)",
        "monkeypatch.setenv('WORD', 'w')",
        "monkeypatch.delenv('NOT_THERE', raising=False)",
        "monkeypatch.setitem(os.environ, 'OTHER', 'x')",
        "answer.f()",
        "capsys.readouterr().out",
        "capsys.readouterr().out",
        header="import answer, os",
    )
    folders = steps("caplog.set_level(1)", "tmp_path_factory.mktemp('a').name", "(tmp_path / 'x').exists()")
    plain = steps("answer.f()", "capsys.readouterr().err", header="import answer")
    shown = run(tmp_path, text, patched, folders, plain)
    assert "6 w ['probe']" in shown[0].text
    assert shown[0].shown == "''"
    assert "'a0'" in shown[1].text
    assert "1 None ['probe']" in shown[2].text
    assert "no" in shown[2].shown


PROGRAM = """
import sys

def main():
    if "--bad" in sys.argv:
        sys.exit("not so")
    if "--worse" in sys.argv:
        raise ValueError("no")
    print(sys.argv[1:], sys.stdin.read(), __name__)

COUNT = 0
if __name__ == "__main__":
    COUNT += 1
    main()
"""


@pytest.mark.parametrize("form", ["'-m', 'answer'", "'answer.py'"])
def test_a_program_is_run_as_its_tests_run_it(tmp_path: Path, form: str) -> None:
    """Arguments, input, output and exit code; what stands on standard error is words, so only whether there is any."""
    call = f"subprocess.run([sys.executable, {form}, %s], input='in', capture_output=True, text=True)"
    header = "import subprocess, sys"
    lines = [call % word for word in ("'a', 'b'", "'--bad'", "'--worse'")]
    good, bad, worse = run(tmp_path, PROGRAM, *(steps(line, header=header) for line in lines))
    assert good.shown == "ended(0, \"['a', 'b'] in __main__\\n\", False)"
    assert (bad.shown, worse.shown) == ("ended(1, '', True)", "ended(1, '', True)")
    checked = "subprocess.check_output([sys.executable, 'answer.py', '--bad'], stderr=subprocess.DEVNULL)"
    missing = "subprocess.run([sys.executable, 'none.py'], capture_output=True).returncode"
    other = "subprocess.run(['echo', 'x'], capture_output=True, text=True).stdout"
    late = "subprocess.run([sys.executable, '-m', 'answer'], timeout=5, cwd='.', env={'A': 'b'}).returncode"
    found = run(tmp_path, PROGRAM, *(steps(line, header=header) for line in (checked, missing, other, late)))
    assert [outcome.shown for outcome in found] == ["raises CalledProcessError", "1", "'x\\n'", "0"]


def test_what_is_only_begun_is_run_to_its_end(tmp_path: Path) -> None:
    """A coroutine gives its result or its exception, an asynchronous generator all its values."""
    text = (
        "async def one(x):\n    return 10 // x\nasync def many(n):\n    for at in range(n):\n        yield at\n"
        "def inner():\n    def named():\n        pass\n    return named\n"
    )
    probes = [steps(f"answer.{call}") for call in ("one(5)", "one(0)", "many(3)", "inner()")]
    shown = [outcome.shown for outcome in run(tmp_path, text, *probes)]
    assert shown == ["2", "raises ZeroDivisionError", "[0, 1, 2]", "<function>"]


def test_a_project_s_exception_shows_its_numbers_and_single_words(tmp_path: Path) -> None:
    """Two answers that name different places differ; two that word it differently do not."""
    text = "class Wrong(Exception):\n    def __init__(self, at, words):\n        self.at, self.words = at, words\ndef f(at, words):\n    raise Wrong(at, words)\n"
    found = run(tmp_path, text, *(steps(f"answer.f({given})") for given in ("3, 'a b'", "3, 'b c'", "4, 'a b'")))
    assert found[0].shown == "raises Wrong(at=3)"
    assert found[0].text == found[1].text != found[2].text


def test_a_slow_import_is_not_a_slow_probe(tmp_path: Path) -> None:
    """Importing the project has a limit of its own: a library that takes longer to import than a probe may run can be compared."""
    text = "import time\ntime.sleep(2)\ndef f(x):\n    return x + 1\n"
    (outcome,) = run(tmp_path, text, steps("answer.f(1)"))
    assert (outcome.kind, outcome.shown) == ("value", "2")


def test_an_import_that_never_ends_has_a_deadline(tmp_path: Path) -> None:
    """An answer that loops when it is imported is stopped; its probes say that no result came in time."""
    limits = Limits(probe_s=0.3, answer_s=20.0, import_s=0.5)
    lane = FolderLane(tmp_path, {"answer.py": "while True:\n    pass\ndef f():\n    return 1\n"})
    asked = steps("answer.f()")
    found = asyncio.run(run_probes(lane, [asked], Interpreter(program=sys.executable), limits=limits))
    assert found[asked.id].kind == "timeout"


def test_what_time_was_left_for_is_kept(tmp_path: Path) -> None:
    """An answer that is slow everywhere has the results that came in time; the rest is not run, and nothing has died."""
    text = "import time\ndef f(x):\n    time.sleep(0.4)\n    return x\n"
    lane = FolderLane(tmp_path, {"answer.py": text})
    probes = [steps(f"answer.f({number})") for number in range(20)]
    limits = Limits(probe_s=5.0, answer_s=3.0)
    found = asyncio.run(run_probes(lane, probes, Interpreter(program=sys.executable), limits=limits))
    kinds = {outcome.kind for outcome in found.values()}
    assert kinds == {"value", "not run"}


def test_a_result_that_shares_what_was_given_shows_it(tmp_path: Path) -> None:
    """What is done to the result reaches the argument, or not."""
    text = "import copy\ndef same(x):\n    return x\ndef copied(x):\n    return copy.deepcopy(x)\n"
    probes = [steps("a = {'b': [1]}", f"r = answer.{name}(a)", "__spoil__(r)", "a") for name in ("same", "copied")]
    shared, apart = run(tmp_path, text, *probes)
    assert "spoiled" in shared.shown
    assert apart.shown == "{'b': [1]}"


def test_attributes_that_are_no_result_are_not_compared(tmp_path: Path) -> None:
    """A property and a plain attribute of one name are the same; what the probe does not name is left out, of this module's objects only."""
    text = "class A:\n    def __init__(self):\n        self.size, self.data = 1, [2]\nclass B:\n    size = property(lambda self: 1)\nB.__name__ = 'A'\n"
    header = ("__attributes__ = ['answer'], ['size']", "import answer, types")
    probes = [
        make_probe(Snippet(header=header, steps=(line,)), "example")
        for line in ("answer.A()", "answer.B()", "types.SimpleNamespace(a=1)")
    ]
    one, other, plain = run(tmp_path, text, *probes)
    assert one.shown == other.shown == "A(size=1)"
    assert plain.shown == "SimpleNamespace(a=1)"
