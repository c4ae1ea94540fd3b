"""Scripts of a model: what it is asked, what of its answer is read, that it is stored, and how its checks count."""

import asyncio
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.asking_scripts import ScriptAsking
from dce.workspace.generating.provider_events import Delta, Ended, Opened
from dce.workspace.judging.behaving import commands_to_compare, compare_behaviour
from dce.workspace.judging.behaviour.asked import MAX_SCRIPTS, label_of, question, scripts_in
from dce.workspace.judging.behaviour.classes import FAILS, PASSES, compare
from dce.workspace.judging.behaviour.javascript_row import JAVASCRIPT
from dce.workspace.judging.behaviour.probe import Outcome, Snippet, make_probe
from dce.workspace.judging.behaviour.python_row import PYTHON
from dce.workspace.judging.command_consent import CommandConsents
from tests.fakes.provider import Step
from tests.workspace.test_follow_up import answer, asked, opened, requests

SAID = """Here they are.

```python probe
from a import VALUE
print(VALUE % 2)
```

```python check
import a
assert a.VALUE > 4, "as large as possible"
```

```python
print("no mark, so not run")
```
"""


def said(text: str) -> list[Step]:
    """A reply."""
    return [Opened(stream_id="s", model="m"), Delta(index=0, text=text), Ended(index=0, finish_reason="stop")]


def test_only_marked_fences_are_read() -> None:
    """Each once, with its language and kind; what has no mark, never ends, or is too long is no script."""
    first, second = scripts_in(SAID)
    assert (first.kind, first.language, label_of(first)) == ("probe", "python", "print(VALUE % 2)")
    assert (second.kind, label_of(second)) == ("check", 'assert a.VALUE > 4, "as large as possible"')
    assert scripts_in("```python probe\nprint(1)\n") == []
    assert scripts_in(f"```js check\n{'x' * 5000}\n```\n") == []
    assert len(scripts_in("".join(f"~~~js: probe\nf({n})\n~~~\n" for n in range(50)))) == MAX_SCRIPTS
    assert scripts_in("```python probe\r\nf(1)\r\n```\r\n")[0].text == "f(1)"


def test_the_question_names_the_languages() -> None:
    """The model is told in which language, and how to mark a script."""
    text = question(["Python", "JavaScript"], "python")
    assert "in Python and JavaScript" in text
    assert "```python check" in text


@pytest.mark.parametrize(
    ("row", "text", "snippet"),
    [
        (PYTHON, "import a\nx = a.f(1)\nprint(x)", Snippet(header=("import a",), steps=("pass\nx = a.f(1)\nprint(x)",))),
        (PYTHON, "def", None),
        (PYTHON, "import a", None),
        (JAVASCRIPT, "import {f} from './a.js';\nconsole.log(f(1));", Snippet(header=('__at__("script.js");', 'const { f: f } = __names__(await __import__("./a.js"));'), steps=("console.log(f(1));",))),
        (JAVASCRIPT, "const {", None),
    ],
    ids=["python", "broken python", "nothing", "javascript", "broken javascript"],
)  # fmt: skip
def test_a_script_is_a_snippet(row: object, text: str, snippet: Snippet | None) -> None:
    """Imports are the header, the rest is one step; what cannot be parsed is none."""
    assert row.script(text) == snippet  # type: ignore[attr-defined]


def test_a_derived_check_decides_where_answers_differ() -> None:
    """The minority that passes it has its support; a check that all pass says nothing."""
    derived = make_probe(Snippet(header=(), steps=("a",)), "derived")
    same = make_probe(Snippet(header=(), steps=("b",)), "derived")

    def shows(text: str) -> dict[str, Outcome]:
        kept = Outcome(kind="value", text=PASSES, shown=PASSES)
        return {derived.id: Outcome(kind="value", text=text, shown=text), same.id: kept}

    found = compare([derived, same], {1: shows(FAILS), 2: shows(FAILS), 3: shows(PASSES)})
    assert found.support == {1: 0.0, 2: 0.0, 3: 1.0}
    assert found.deciding == 1


def test_a_model_is_asked_once_after_the_same_prompt(tmp_path: Path) -> None:
    """The request begins with the generation's prompt; question and answer are stored; the comparison uses both kinds of scripts."""
    workspace = opened(tmp_path, said(SAID))
    with workspace:
        generation = asked(workspace, answer(3), answer(9), answer(5))
        CommandConsents(workspace.store.meta).give(asyncio.run(commands_to_compare(workspace)))
        asking = ScriptAsking(workspace, generation)
        asking.check()
        assert len(asyncio.run(asking.scripts())) == 2
        (request,) = requests(workspace)
        prompt = workspace.store.prompts.get(workspace.store.generations.get(generation).prompt_sha256)
        stored = workspace.store.asked_scripts.latest(generation)
        assert stored is not None
        assert request.prompt == prompt.text + stored.question
        assert (stored.said, stored.model, request.n) == (SAID, "m", 1)
        report = asyncio.run(compare_behaviour(workspace, generation))
        rows = {row.probe: {cell.slot: cell.shows for cell in row.cells} for row in report.matrix}
        check = next(cells for probe, cells in rows.items() if probe.startswith("assert a.VALUE > 4"))
        assert check == {1: f"{FAILS}: raises AssertionError", 2: PASSES, 3: PASSES}
        assert report.share_of(2) > report.share_of(1)


def test_a_request_that_fails_stores_nothing(tmp_path: Path) -> None:
    """The error is the server's; where answers change no language that has scripts, nothing is asked."""
    error = DceError("model_not_found", "no such model")
    workspace = opened(tmp_path, [Opened(stream_id="s"), Ended(index=0, error=error.body())])
    with workspace:
        generation = asked(workspace, answer(3), answer(9))
        with pytest.raises(DceError, match="no such model"):
            asyncio.run(ScriptAsking(workspace, generation).scripts())
        assert workspace.store.asked_scripts.latest(generation) is None
        other = asked(workspace, '<file path="a.txt">\nx\n</file>\n')
        with pytest.raises(DceError, match="only where answers change Python"):
            ScriptAsking(workspace, other)
