"""Follow-ups: a new answer in the same generation, made from an earlier one; its messages, its lineage, and what refuses it."""

import asyncio
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.context.served_model import Model
from dce.workspace.events import Event, GenerationStarted
from dce.workspace.follow_up import WHOLE_AGAIN, Ask, begin, repair
from dce.workspace.generating.provider import Delta, Ended, Opened
from dce.workspace.generating.provider_events import GenerationRequest, Turn, conversation
from dce.workspace.judging.board import board
from dce.workspace.judging.checking import commands_to_run
from dce.workspace.judging.command_consent import CommandConsents
from dce.workspace.project import Project
from dce.workspace.record.follow_ups import MAX_SLOTS, FollowUp, MadeFrom
from dce.workspace.record.responses import Response, Status
from dce.workspace.settings import Settings
from dce.workspace.transfer import export_history, import_history
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider, Step

CHECKS = """
[[check]]
name = "two"
command = ["python", "-c", "import sys, a; print('value', a.VALUE); sys.exit(a.VALUE != 2)"]
[[check]]
name = "three"
command = ["python", "-c", "print('never right'); raise SystemExit(3)"]
"""


def answer(value: int) -> str:
    """An answer that sets VALUE."""
    return f'<summary>\nset\n</summary>\n<file path="a.py">\nVALUE = {value}\n</file>\n'


def script(text: str, finish_reason: str = "stop") -> Sequence[Step]:
    """One response, complete."""
    return [Opened(stream_id="s"), Delta(index=0, text=text), Ended(index=0, finish_reason=finish_reason)]


def opened(root: Path, *scripts: Sequence[Step], checks: str = "", **settings: object) -> Workspace:
    """A workspace with a.py selected, whose provider follows the scripts."""
    root.mkdir(exist_ok=True)
    (root / "a.py").write_text("VALUE = 2\n")
    project = Project.init(root)
    if checks:
        (root / ".dce" / "checks.toml").write_text(checks)
    provider = ScriptedProvider(*scripts, models=[Model(id="m", max_model_len=10_000)])
    workspace = Workspace.open(project, Settings(**settings), Clock(), provider)  # type: ignore[arg-type]
    workspace.selection.add(["a.py"])
    workspace.cycles.create("t", "Set it.")
    if checks:
        CommandConsents(workspace.store.meta).give(asyncio.run(commands_to_run(workspace)))
    return workspace


def asked(workspace: Workspace, *texts: str) -> int:
    """A generation with these answers, as if generated before. Returns its id."""
    generation = asyncio.run(workspace.preparation.begin(1, len(texts)))
    for slot, text in enumerate(texts, start=1):
        ended = Response(
            generation=generation.id, slot=slot, version=1, status=Status.COMPLETE, text=text, finish_reason="stop"
        )
        workspace.store.progress.save_ends([ended])
    return generation.id


def followed(workspace: Workspace, generation: int, ask: Ask) -> Response:
    """The response of a follow-up that has run."""

    async def run() -> Response:
        begun = await begin(workspace, generation, ask)
        await workspace.generator.follow_up(workspace.store.generations.get(generation), begun.slot, lambda _: None)
        return workspace.store.responses.get(generation, begun.slot)

    return asyncio.run(run())


def requests(workspace: Workspace) -> list[GenerationRequest]:
    """What the provider was asked."""
    return workspace.provider._provider.requests  # type: ignore[attr-defined, no-any-return]


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Workspace]:
    with opened(tmp_path / "w", script("The reply.")) as workspace:
        yield workspace


def test_a_reply_is_one_more_response(workspace: Workspace) -> None:
    """The new answer is in the next slot of the same generation, and the server gets the exact prompt, the answer and the words."""
    generation = asked(workspace, "Tabs or spaces?", answer(3))
    found = followed(workspace, generation, Ask(slot=1, words=" Spaces. "))
    assert (found.slot, found.version, found.status, found.text) == (3, 1, Status.COMPLETE, "The reply.")
    [request] = requests(workspace)
    prompt = workspace.store.prompts.get(workspace.store.generations.get(generation).prompt_sha256)
    assert conversation(request)["messages"] == [
        {"role": "user", "content": prompt.text},
        {"role": "assistant", "content": "Tabs or spaces?"},
        {"role": "user", "content": f"Spaces.\n\n{WHOLE_AGAIN}"},
    ]
    assert request.n == 1
    assert workspace.store.generations.get(generation).n == 3
    assert {row.slot: row.made_from for row in board(workspace, generation)} == {
        1: None,
        2: None,
        3: MadeFrom(slot=1, version=1, kind="reply"),
    }


def test_a_follow_up_of_a_follow_up_knows_the_conversation(workspace: Workspace) -> None:
    """A second follow-up sends the first one's answer and words too, so that nothing that was said is lost."""
    generation = asked(workspace, "Tabs or spaces?")
    followed(workspace, generation, Ask(slot=1, words="Spaces."))
    followed(workspace, generation, Ask(slot=2, words="Four of them."))
    turns = requests(workspace)[1].turns
    assert [turn.role for turn in turns] == ["assistant", "user", "assistant", "user"]
    assert turns[:2] == requests(workspace)[0].turns
    assert (turns[2].text, turns[3].text.splitlines()[0]) == ("The reply.", "Four of them.")


def test_another_answer_is_in_the_message(workspace: Workspace) -> None:
    """A fusion sends the other answer's text, and its lineage names both."""
    generation = asked(workspace, answer(3), answer(4))
    found = followed(workspace, generation, Ask(slot=1, other=2, words="Keep it short."))
    message = requests(workspace)[0].turns[-1].text
    assert answer(4).strip() in message
    assert "Keep it short." in message
    made = workspace.store.follow_ups.of(generation)[found.slot].made_from
    assert made == MadeFrom(slot=1, version=1, kind="fuse", other=2, other_version=1)


def test_the_version_that_was_asked_about_is_sent_again(workspace: Workspace) -> None:
    """Regenerating a follow-up sends the same messages, even after the answer it was made from was regenerated."""
    generation = asked(workspace, "Tabs or spaces?", answer(3))
    followed(workspace, generation, Ask(slot=1, words="Spaces."))
    workspace.store.responses.insert_ended(
        Response(generation=generation, slot=1, version=1, status=Status.COMPLETE, text="Something else?", ended_at=1.0)
    )
    kept = workspace.store.generations.get(generation)
    asyncio.run(workspace.generator.run(kept, lambda _: None, [3]))
    first, again = requests(workspace)
    assert again.turns == first.turns
    assert workspace.store.responses.get(generation, 3).version == 2


def test_slots_of_two_conversations_are_regenerated_at_once(workspace: Workspace) -> None:
    """Regenerating plain responses and a follow-up makes one request for each conversation, and all of them end."""
    generation = asked(workspace, "Tabs or spaces?", answer(3))
    followed(workspace, generation, Ask(slot=1, words="Spaces."))
    scripted: list[Step] = [
        Opened(stream_id="s"),
        *(Delta(index=index, text="again") for index in range(2)),
        *(Ended(index=index, finish_reason="stop") for index in range(2)),
    ]
    workspace.provider._provider.scripts = [scripted]  # type: ignore[attr-defined]
    events: list[Event] = []
    asyncio.run(workspace.generator.run(workspace.store.generations.get(generation), events.append, [1, 2, 3]))
    assert sorted((request.n, len(request.turns)) for request in requests(workspace)[1:]) == [(1, 2), (2, 0)]
    assert {response.text for response in workspace.responses(generation)} == {"again"}
    started = [event.slots for event in events if isinstance(event, GenerationStarted)]
    assert sorted(started) == [(1, 2), (3,)]


def test_a_cut_follow_up_goes_on_in_its_conversation(workspace: Workspace) -> None:
    """Continuing a truncated follow-up sends its messages before the beginning of the answer."""
    generation = asked(workspace, "Tabs or spaces?")
    workspace.provider._provider.scripts = [script("The beginning", "length"), script(" and the end.")]  # type: ignore[attr-defined]
    followed(workspace, generation, Ask(slot=1, words="Spaces."))
    kept = workspace.store.generations.get(generation)
    asyncio.run(workspace.generator.continue_response(kept, 2, lambda _: None))
    roles = [message["role"] for message in conversation(requests(workspace)[1])["messages"]]
    assert roles == ["user", "assistant", "user", "assistant", "user"]
    assert workspace.store.responses.get(generation, 2).text.startswith("The beginning")


def test_each_follow_up_has_its_own_seed_and_the_temperature_of_its_answer(tmp_path: Path) -> None:
    """A further slot does not shift the temperatures of the others, and two follow-ups of one answer do not repeat each other."""
    with opened(tmp_path, script("x"), seed=7, temperature=1.0, temperature_spread=0.4) as workspace:
        generation = asked(workspace, answer(3), answer(4), answer(5))
        for _ in range(2):
            followed(workspace, generation, Ask(slot=1, words="Shorter."))
        asyncio.run(workspace.generator.run(workspace.store.generations.get(generation), lambda _: None, [3]))
        first, second, third = requests(workspace)
        assert (first.temperatures, second.temperatures, third.temperatures) == ((0.8,), (0.8,), (1.2,))
        assert len({first.seed, second.seed, third.seeds[0]}) == 3


@pytest.mark.parametrize(
    ("ask", "code"),
    [
        (Ask(slot=1), "invalid_input"),
        (Ask(slot=1, words="  \n"), "invalid_input"),
        (Ask(slot=1, words="x" * 100_001), "invalid_input"),
        (Ask(slot=1, other=1), "invalid_input"),
        (Ask(slot=1, other=9), "not_found"),
        (Ask(slot=9, words="x"), "not_found"),
        (Ask(slot=2, words="x"), "invalid_input"),
        (Ask(slot=1, words="x", version=2), "conflict"),
        (Ask(slot=3, words="x"), "conflict"),
        (Ask(slot=1, is_failing=True), "not_found"),
    ],
    ids=["nothing", "blank", "long", "itself", "no-other", "no-slot", "empty", "newer", "running", "no-checks"],
)
def test_what_cannot_be_asked_stores_nothing(workspace: Workspace, ask: Ask, code: str) -> None:
    """A follow-up that cannot begin is an error, and neither a slot nor a request is made."""
    generation = asked(workspace, answer(3), "", "")
    workspace.store.responses.insert_versions(generation, [3])
    with pytest.raises(DceError) as caught:
        asyncio.run(begin(workspace, generation, ask))
    assert caught.value.code == code
    assert (workspace.store.responses.slots(generation), requests(workspace)) == ((1, 2, 3), [])
    assert workspace.store.follow_ups.of(generation) == {}


def test_the_context_must_hold_the_conversation(workspace: Workspace) -> None:
    """A prompt that fits and an answer with which it does not: the error has the figures, and nothing is sent."""
    generation = asked(workspace, "word " * 9_000)
    with pytest.raises(DceError) as caught:
        asyncio.run(begin(workspace, generation, Ask(slot=1, words="Shorter.")))
    assert caught.value.code == "prompt_too_long"
    assert "10,000" in caught.value.message
    assert workspace.store.responses.slots(generation) == (1,)


def test_a_secret_in_the_words_is_not_sent(tmp_path: Path) -> None:
    """Words with a secret are refused for another host, or sent with a placeholder, as the policy says; so is one in an answer."""
    words = "Use AKIAQ6ZV3ESWJ7PLXK4M as the key."  # secrets: an invented key, to be found
    for policy in ("refuse", "placeholder"):
        root = tmp_path / policy
        with opened(root, script("x"), url="https://other.example", secrets=policy) as workspace:
            workspace.sending.agree()
            generation = asked(workspace, answer(3), words)
            if policy == "refuse":
                with pytest.raises(DceError) as caught:
                    followed(workspace, generation, Ask(slot=1, words=words))
                assert caught.value.code == "secrets_found"
            else:
                followed(workspace, generation, Ask(slot=1, words=words))
                assert "Use __DCE_SECRET_1__ as" in requests(workspace)[0].turns[-1].text
            with pytest.raises(DceError) as caught:
                followed(workspace, generation, Ask(slot=2, words="Shorter."))
            assert caught.value.code == "secrets_found"


def test_no_host_is_asked_without_consent(tmp_path: Path) -> None:
    """A follow-up to a host without consent is refused before anything is sent."""
    with opened(tmp_path, script("x"), url="https://other.example") as workspace:
        workspace.sending.agree()
        generation = asked(workspace, answer(3))
        workspace.store.database.rows("SELECT 1")
        with workspace.store.database.transaction() as db:
            db.execute("DELETE FROM meta WHERE key LIKE 'consent%'")
        with pytest.raises(DceError) as caught:
            asyncio.run(begin(workspace, generation, Ask(slot=1, words="x")))
        assert caught.value.code == "consent_needed"
        assert workspace.store.responses.slots(generation) == (1,)


def test_a_generation_has_a_limit(workspace: Workspace) -> None:
    """At the most slots of a generation, a follow-up is refused with the next step."""
    generation = asked(workspace, answer(3))
    draft = FollowUp(generation=generation, slot=0, kind="reply", from_slot=1, from_version=1, request="x")
    for _ in range(MAX_SLOTS - 1):
        workspace.store.follow_ups.insert(draft, 1.0)
    with pytest.raises(DceError, match=str(MAX_SLOTS)) as caught:
        workspace.store.follow_ups.insert(draft, 1.0)
    assert caught.value.code == "conflict"


def _repaired(workspace: Workspace, generation: int, rounds: int) -> list[tuple[int, bool | None]]:
    """The slots of a repair of response 1, and whether each breaks nothing."""

    async def run() -> list[tuple[int, bool | None]]:
        async def one(response: Response) -> bool:
            kept = workspace.store.generations.get(generation)
            await workspace.generator.follow_up(kept, response.slot, lambda _: None)
            return workspace.store.responses.get(generation, response.slot).status is Status.COMPLETE

        ask = Ask(slot=1, is_failing=True, words="Mind the value.")
        begun = await begin(workspace, generation, ask)
        done = await repair(workspace, begun, ask, rounds, one, lambda _: None)
        return [(found.slot, found.report.breaks_nothing if found.report else None) for found in done]

    return asyncio.run(run())


def test_a_repair_stops_at_the_first_answer_that_breaks_nothing(tmp_path: Path) -> None:
    """Each round sends what fails with the answer it starts from; what fails anyway is marked and comes last, and no round is wasted."""
    scripts = (script(answer(4)), script(answer(2)), script(answer(9)))
    with opened(tmp_path, *scripts, checks=CHECKS) as workspace:
        generation = asked(workspace, answer(3))
        assert _repaired(workspace, generation, 5) == [(2, False), (3, True)]
        first, second = requests(workspace)
        message = first.turns[-1].text
        assert "Check `two` ended with exit code 1" in message
        assert "value 3" in message
        assert message.index("Check `two`") < message.index(
            "Check `three` ended with exit code 3 (it fails without the answer too)"
        )
        assert message.endswith(f"Mind the value.\n\n{WHOLE_AGAIN}")
        assert "value 4" in second.turns[-1].text
        lineage = {slot: found.from_slot for slot, found in workspace.store.follow_ups.of(generation).items()}
        assert lineage == {2: 1, 3: 2}


def test_a_repair_ends_with_its_rounds_or_without_files(tmp_path: Path) -> None:
    """The last round's answer stays as it is; an answer without files ends the repair, because nothing can be checked."""
    with opened(tmp_path / "a", script(answer(4)), checks=CHECKS) as workspace:
        generation = asked(workspace, answer(3))
        assert _repaired(workspace, generation, 2) == [(2, False), (3, False)]
    with opened(tmp_path / "b", script("I cannot."), checks=CHECKS) as workspace:
        generation = asked(workspace, answer(3))
        assert _repaired(workspace, generation, 3) == [(2, None)]


def test_a_task_may_be_to_make_a_failing_check_pass(tmp_path: Path) -> None:
    """An answer that breaks nothing but leaves a check failing is repaired once every check passes, not at once."""
    checks = '[[check]]\nname = "seven"\ncommand = ["python", "-c", "import sys, a; sys.exit(a.VALUE != 7)"]\n'
    with opened(tmp_path, script(answer(4)), script(answer(7)), checks=checks) as workspace:
        generation = asked(workspace, answer(3))
        assert _repaired(workspace, generation, 5) == [(2, True), (3, True)]
        assert "(it fails without the answer too)" in requests(workspace)[0].turns[-1].text


def test_what_passes_is_not_repaired(tmp_path: Path) -> None:
    """If no check fails there is nothing to repair, and the error says so; nor without files."""
    with opened(tmp_path, script("x"), checks=CHECKS.partition('[[check]]\nname = "three"')[0]) as workspace:
        generation = asked(workspace, answer(2), "Which value?")
        for slot, code in ((1, "conflict"), (2, "invalid_input")):
            with pytest.raises(DceError) as caught:
                asyncio.run(begin(workspace, generation, Ask(slot=slot, is_failing=True)))
            assert caught.value.code == code
        assert requests(workspace) == []


def test_the_lineage_is_exported_and_imported(tmp_path: Path, workspace: Workspace) -> None:
    """A bundle brings the lineage and the messages to another workspace, where the follow-up can be regenerated."""
    generation = asked(workspace, "Tabs or spaces?")
    followed(workspace, generation, Ask(slot=1, words="Spaces."))
    export_history(workspace, tmp_path / "history")
    (tmp_path / "other").mkdir()
    with Workspace.open(Project.init(tmp_path / "other"), Settings(), provider=ScriptedProvider([])) as other:
        asyncio.run(_noted(other))
        import_history(other, tmp_path / "history")
        [kept] = other.store.generations.list(other.cycles.current().id)
        assert other.store.follow_ups.of(kept.id)[2].request == f"Spaces.\n\n{WHOLE_AGAIN}"


async def _noted(workspace: Workspace) -> None:
    """Makes a cycle, so that the import gives new numbers."""
    workspace.cycles.create("Before", "x")


def test_a_turn_is_not_shown_in_messages() -> None:
    """Texts of prompts and answers appear in no log: a turn and a request show sizes only."""
    turn = Turn(role="user", text="the words")
    assert "the words" not in repr(turn) + repr(GenerationRequest(prompt="p", n=1, turns=(turn,)))
