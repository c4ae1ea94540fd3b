"""The composition root: prompt, budget, rows, the writer lock, and recovery after a process died."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.context.served_model import Model
from dce.workspace.context.tokens import TokenCounter
from dce.workspace.events import Event, GenerationStarted
from dce.workspace.generating.provider import Delta, Ended, Opened
from dce.workspace.preparing.prepared_prompt import CHAT_TEMPLATE_TOKENS
from dce.workspace.project import PROMPT_FILE, Project
from dce.workspace.record.responses import Status
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider, Step

ROOT = Path(__file__).parent.parent.parent
UNREACHABLE = DceError("gateway_unreachable", "nobody answers")


def _workspace(tmp_path: Path, provider: ScriptedProvider | None = None, **settings: Any) -> Workspace:
    (tmp_path / "a.py").write_text("print('a')\n", encoding="utf-8")
    (tmp_path / "b.py").write_text("b = 2\n" * 40, encoding="utf-8")
    workspace = Workspace.open(Project.init(tmp_path), Settings(**settings), Clock(), provider or ScriptedProvider([]))
    workspace.cycles.edit(0, context="The scope.")
    workspace.selection.replace(["a.py", "b.py"])
    return workspace


def _nothing_was_kept(workspace: Workspace) -> bool:
    return workspace.store.generations.list() == () and not (workspace.project.root / PROMPT_FILE).exists()


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    async def limited() -> Any:
        async with asyncio.timeout(100):
            return await work

    return asyncio.run(limited())


def test_prepare_keeps_the_bytes_it_writes(tmp_path: Path) -> None:
    """The prompt file, the stored prompt and the sent prompt are the same bytes; N queued rows exist before anything is sent."""
    provider = ScriptedProvider(
        [Opened(stream_id="s"), *[Ended(index=index, finish_reason="stop") for index in range(3)]]
    )
    with _workspace(tmp_path, provider, max_tokens=99, temperature=0.7, model="scripted-model") as workspace:
        cycle = workspace.cycles.create("t", "Do it: ünïcode 🦊\r\n")
        generation = _run(workspace.preparation.begin(cycle.id, 3))
        written = (tmp_path / PROMPT_FILE).read_bytes()
        assert workspace.store.prompts.get(generation.prompt_sha256).text.encode() == written
        assert [response.status for response in workspace.responses(generation.id)] == [Status.QUEUED] * 3
        assert (generation.n, generation.max_tokens, generation.temperature) == (3, 99, 0.7)
        assert (generation.cycle, generation.model) == (cycle.id, "scripted-model")
        assert generation.prompt_tokens == len(written.decode().split())
        assert workspace.store.generations.latest() == generation
        (tmp_path / "a.py").write_text("changed = True\n", encoding="utf-8")
        _run(workspace.generator.run(generation, lambda _: None))
        assert provider.requests[0].prompt.encode() == written


def test_a_prompt_and_its_cost(tmp_path: Path) -> None:
    """Tokens are given for each section and the whole; the budget is the context minus answer and chat template."""
    with _workspace(tmp_path, max_tokens=1000) as workspace:
        prepared = _run(workspace.preparation.build(0))
        assert len(prepared.counts) == len(prepared.prompt.sections) == 7
        assert prepared.total == len(prepared.prompt.text.split())
        assert prepared.is_exact
        assert prepared.budget == 4096 - 1000 - CHAT_TEMPLATE_TOKENS
        assert not prepared.is_over
        assert (prepared.model, prepared.note) == ("scripted-model", "")
        assert "The scope." in prepared.prompt.text
        assert [entry.path for entry in prepared.prompt.manifest] == ["a.py", "b.py"]
        assert _nothing_was_kept(workspace)


def test_too_long_a_prompt_is_refused_by_name(tmp_path: Path) -> None:
    """A prompt over its budget is refused before anything is stored, naming total, budget, largest sections and files."""
    provider = ScriptedProvider([], models=[Model(id="small", max_model_len=256)])
    with _workspace(tmp_path, provider) as workspace:
        prepared = _run(workspace.preparation.build(0))
        assert prepared.is_over
        with pytest.raises(DceError) as caught:
            _run(workspace.preparation.begin(0, 1))
        assert caught.value.code == "prompt_too_long"
        for fact in (f"{prepared.total:,}", f"{prepared.budget:,}", "256", "b.py 120", "a.py 1", "M7"):
            assert fact in caught.value.message
        assert _nothing_was_kept(workspace)


def test_an_estimate_never_refuses_a_prompt(tmp_path: Path) -> None:
    """An estimate may be wrong by a third, so the model's server decides: the prompt is prepared."""
    provider = ScriptedProvider([], models=[Model(id="small", max_model_len=256)])
    with _workspace(tmp_path, provider) as workspace:
        workspace.preparation._pricing._counter = TokenCounter(workspace.store.token_counts, None)
        prepared = _run(workspace.preparation.build(0))
        assert prepared.is_over
        assert not prepared.is_exact
        assert _run(workspace.preparation.begin(0, 1)).n == 1


def test_an_unknown_context_is_said_and_not_checked(tmp_path: Path) -> None:
    """If the gateway does not report the context window, there is no budget, and the note says so."""
    with _workspace(tmp_path, ScriptedProvider([], models=[Model(id="m")])) as workspace:
        prepared = _run(workspace.preparation.build(0))
        assert (prepared.context, prepared.budget, prepared.is_over) == (None, None, False)
        assert "unknown" in prepared.note
        _run(workspace.preparation.begin(0, 1))


def test_without_a_gateway_a_prompt_can_be_seen_but_not_sent(tmp_path: Path) -> None:
    """Building works offline and says why the budget is unknown; preparing raises the gateway's error and stores nothing."""
    with _workspace(tmp_path, ScriptedProvider([], models=UNREACHABLE)) as workspace:
        assert _run(workspace.preparation.build(0)).note == "nobody answers"
        with pytest.raises(DceError) as caught:
            _run(workspace.preparation.begin(0, 1))
        assert caught.value.code == "gateway_unreachable"
        assert _nothing_was_kept(workspace)


@pytest.mark.parametrize(
    ("cycle", "n", "settings", "code"),
    [
        (0, 0, {}, "invalid_input"),
        (0, 1000, {}, "invalid_input"),
        (9, 1, {}, "not_found"),
        (0, 1, {"schema": "morse"}, "invalid_input"),
    ],
)
def test_bad_input_is_refused_before_the_gateway_is_asked(
    tmp_path: Path, cycle: int, n: int, settings: dict[str, str], code: str
) -> None:
    """No or too many responses, an unknown cycle or schema are refused first, even if the gateway is down; nothing is stored."""
    with _workspace(tmp_path, ScriptedProvider([], models=UNREACHABLE), **settings) as workspace:
        with pytest.raises(DceError) as caught:
            _run(workspace.preparation.begin(cycle, n))
        assert caught.value.code == code
        assert _nothing_was_kept(workspace)


def test_files_that_cannot_go_in_are_all_named(tmp_path: Path) -> None:
    """A selected file that is gone and one that is not text are named together, with the next step."""
    with _workspace(tmp_path) as workspace:
        (tmp_path / "a.py").unlink()
        (tmp_path / "b.py").write_bytes(b"\x00\xff\x00")
        with pytest.raises(DceError) as caught:
            _run(workspace.preparation.build(0))
        assert caught.value.code == "invalid_input"
        assert "a.py" in caught.value.message
        assert "b.py" in caught.value.message
        assert "dce select" in caught.value.hint


def test_a_gateway_without_a_model_is_named(tmp_path: Path) -> None:
    """If no model is served, the error is no_healthy_backend and nothing is stored."""
    provider = ScriptedProvider([])
    provider.served = []
    with _workspace(tmp_path, provider) as workspace:
        with pytest.raises(DceError) as caught:
            _run(workspace.preparation.begin(0, 1))
        assert caught.value.code == "no_healthy_backend"
        assert _nothing_was_kept(workspace)


def test_a_prompt_that_cannot_be_written_is_an_error_and_no_generation(tmp_path: Path) -> None:
    """If .dce/prompt.md cannot be replaced, nothing is queued, and no temporary file is left."""
    with _workspace(tmp_path) as workspace:
        (tmp_path / PROMPT_FILE).mkdir()
        with pytest.raises(DceError) as caught:
            _run(workspace.preparation.begin(0, 1))
        assert caught.value.code == "invalid_input"
        assert workspace.store.generations.list() == ()
        assert sorted(path.name for path in tmp_path.iterdir()) == [".dce", "a.py", "b.py"]
        assert not list((tmp_path / ".dce").glob("*.tmp"))


def test_history_tells_what_was_chosen(tmp_path: Path) -> None:
    """The next prompt has the earlier cycles with the accepted response's summary, even after that slot was regenerated."""
    provider = ScriptedProvider(
        [
            Opened(stream_id="s"),
            Delta(
                index=0,
                text="<summary>\nAdded the parser.\n</summary>\n<course_of_action>\nParse, then test.\n</course_of_action>\n",
            ),
            Ended(index=0, finish_reason="stop"),
        ],
        [
            Opened(stream_id="s"),
            Delta(index=0, text="<summary>\nOther.\n</summary>\n"),
            Ended(index=0, finish_reason="stop"),
        ],
    )
    with _workspace(tmp_path, provider) as workspace:
        first, second = (
            workspace.cycles.create("one", "first context"),
            workspace.cycles.create("two", "second context"),
        )
        generation = _run(workspace.preparation.begin(first.id, 1))
        _run(workspace.generator.run(generation, lambda _: None))
        assert "first context" in _run(workspace.preparation.build(second.id)).prompt.text
        assert workspace.reading(generation.id, 1).summary == "Added the parser."
        workspace.cycles.choose(first.id, generation.id, 1)
        text = _run(workspace.preparation.build(second.id)).prompt.text
        assert "Added the parser." in text
        assert "Parse, then test." in text
        acceptance = workspace.store.acceptances.insert(generation.id, 1, 1, "[]", 1.0)
        workspace.store.acceptances.set(acceptance.id, "applied")
        _run(workspace.generator.run(generation, lambda _: None, slots=[1]))
        assert "Added the parser." in _run(workspace.preparation.build(second.id)).prompt.text
        assert "second context" not in _run(workspace.preparation.build(first.id)).prompt.text


def test_the_lock_counts_within_a_process(tmp_path: Path) -> None:
    """Within one process the lock may be held several times; that does not interrupt the process's running responses."""
    with _workspace(tmp_path) as workspace, workspace.writer_lock("generate"):
        generation = _run(workspace.preparation.begin(0, 2))
        with workspace.writer_lock("accept"):
            pass
        assert {response.status for response in workspace.responses(generation.id)} == {Status.QUEUED}


CHILD = """
import asyncio, sys
from pathlib import Path
from dce.workspace.project import Project
from dce.workspace.generating.provider import Delta, Opened
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Gate, ScriptedProvider
script = [Opened(stream_id="s"), Delta(index=0, text="half an "), Delta(index=0, text="answer"), Delta(index=1, thinking="hm"), Gate()]

async def main():
    with Workspace.open(Project(Path(sys.argv[1])), Settings(), provider=ScriptedProvider(script)) as workspace:
        with workspace.writer_lock("generate"):
            generation = await workspace.preparation.begin(0, 3)
            await workspace.generator.run(generation, lambda event: None)

asyncio.run(main())
"""


def _stored_text(workspace: Workspace) -> str:
    generation = workspace.store.generations.latest()
    return workspace.responses(generation.id)[0].text if generation else ""


def test_a_second_process_is_refused_and_a_dead_one_is_cleaned_up_after(tmp_path: Path) -> None:
    """While a process generates, others may read but not write, and the error names it; if it is killed, its responses become
    interrupted with the text so far, and the workspace can be written again."""
    with _workspace(tmp_path):
        pass
    child = subprocess.Popen([sys.executable, "-c", CHILD, str(tmp_path)], cwd=ROOT)
    try:
        with Workspace.open(Project.find(tmp_path), Settings(), provider=ScriptedProvider([])) as reader:
            version = 0
            while _stored_text(reader) != "half an answer":
                assert child.poll() is None
                while reader.store.data_version() == version:
                    assert child.poll() is None
                    time.sleep(0.02)  # the polling interval, not the deadline
                version = reader.store.data_version()
            with pytest.raises(DceError) as caught, reader.writer_lock():
                pass
            assert caught.value.code == "workspace_locked"
            assert str(child.pid) in caught.value.message
            assert "generate" in caught.value.message
        # Opening beside a live writer does not affect its running responses.
        with Workspace.open(Project.find(tmp_path), Settings(), provider=ScriptedProvider([])) as reader:
            assert reader.responses(1)[0].status is Status.GENERATING
    finally:
        child.send_signal(signal.SIGKILL)
        child.wait()
    with Workspace.open(Project.find(tmp_path), Settings(), provider=ScriptedProvider([])) as after:
        first, second, third = after.responses(1)
        assert {first.status, second.status, third.status} == {Status.INTERRUPTED}
        assert (first.text, second.thinking, third.text) == ("half an answer", "hm", "")
        assert first.error is not None
        assert first.error.code == "interrupted"
        with after.writer_lock("generate"):
            assert _run(after.preparation.begin(0, 1)).id == 2


def test_a_store_that_cannot_be_read_stops_everything(tmp_path: Path) -> None:
    """A workspace with a broken store does not open as an empty one."""
    with _workspace(tmp_path):
        pass
    (tmp_path / ".dce" / "dce.db").write_bytes(b"garbage")
    with pytest.raises(DceError) as caught:
        Workspace.open(Project.find(tmp_path), Settings())
    assert caught.value.code == "store_unreadable"


def test_the_cost_is_told_as_json(tmp_path: Path) -> None:
    """A prepared prompt is plain data for panel and scripts."""
    with _workspace(tmp_path) as workspace:
        told = msgspec.to_builtins(_run(workspace.preparation.build(0)))
        assert told["counts"][0].keys() == {"tokens", "exact"}


def test_a_model_that_is_not_served_is_refused_before_anything_is_sent(tmp_path: Path) -> None:
    """A model missing from the gateway's list is refused, naming the nearest, and nothing is stored. Words for "any" are no model."""
    served = [Model(id="smollm2-135m", max_model_len=4096), Model(id="qwen3-coder", max_model_len=4096)]
    provider = ScriptedProvider([], models=served)
    with _workspace(tmp_path, provider, model="smolm2-135m") as workspace:
        with pytest.raises(DceError, match="served: smollm2-135m, qwen3-coder") as caught:
            _run(workspace.preparation.begin(0, 2))
        assert caught.value.code == "model_not_found"
        assert "Did you mean 'smollm2-135m'?" in caught.value.hint
        assert _nothing_was_kept(workspace)
        assert provider.requests == []
    for name in ("local-model", "default", "qwen3-coder"):
        with _workspace(tmp_path, ScriptedProvider([], models=served), model=name) as workspace:
            assert _run(workspace.preparation.begin(0, 1)).model == name


def test_another_server_may_know_names_that_it_does_not_list(tmp_path: Path) -> None:
    """The list of a server that is not a gateway is not considered complete."""
    settings = Settings(provider="openai", model="its-own-alias")
    with Workspace.open(Project.init(tmp_path), settings, Clock(), ScriptedProvider([])) as workspace:
        assert _run(workspace.preparation.begin(0, 1)).model == "its-own-alias"


def test_the_history_budget_is_a_setting(tmp_path: Path) -> None:
    """With `history_cycles` 0 the prompt has the current cycle in full, and one line for each earlier one."""
    with _workspace(tmp_path, history_cycles=0) as workspace:
        for word in ("first", "second", "third"):
            last = workspace.cycles.create(word, f"{word} context")
        text = _run(workspace.preparation.build(last.id)).prompt.text
        assert "third context" in text
        assert "second context" not in text
        assert "Cycle 2 - second: (no response was selected)" in text


def test_a_run_says_whether_its_prompt_was_counted(tmp_path: Path) -> None:
    """A tokenizer's count is exact, also for a later run; an estimate is marked as one."""
    ends: list[Step] = [Opened(stream_id="s"), Ended(index=0, finish_reason="stop")]
    for name, url in (("counted", "http://localhost:1"), ("estimated", "https://models.example.org")):
        root = tmp_path / name
        root.mkdir()
        events: list[Event] = []
        with _workspace(root, ScriptedProvider(ends), url=url) as workspace:
            tokenizer = workspace.provider if name == "counted" else None
            workspace.preparation._pricing._counter = TokenCounter(workspace.store.token_counts, tokenizer)
            workspace.sending.agree()
            generation = _run(workspace.preparation.begin(0, 1))
            _run(workspace.generator.run(generation, events.append))
        (started,) = [event for event in events if isinstance(event, GenerationStarted)]
        assert (started.prompt_tokens > 0, started.prompt_is_exact) == (True, name == "counted")
