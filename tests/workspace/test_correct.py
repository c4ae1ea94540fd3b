"""A response corrected by hand is a new version; the model's own text is kept."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.correct import CORRECTED, Words, correct, correct_words, revert_edit
from dce.workspace.manual import PASTED, paste
from dce.workspace.record.responses import Status
from tests.panel.rig import make_workspace


def test_a_correction_is_a_version_of_its_own(tmp_path: Path) -> None:
    """Its text is read like any other; the earlier version is unchanged, and the same text again is refused."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            await paste(workspace, 1, "no form at all")
            response = await correct(workspace, 1, 1, '<file path="words.py">\nx = 1\n</file>\n')
            assert (response.version, response.status, response.finish_reason) == (2, Status.COMPLETE, CORRECTED)
            assert response.tokens.exact
            assert workspace.store.responses.get(1, 1, 1).text == "no form at all"
            assert [file.path for file in workspace.reading(1, 1).files] == ["words.py"]
            for text in (response.text, "  \n"):
                with pytest.raises(DceError) as caught:
                    await correct(workspace, 1, 1, text)
                assert caught.value.code == "invalid_input"
            with pytest.raises(DceError) as caught:
                await correct(workspace, 1, 7, "text")
            assert caught.value.code == "not_found"

    asyncio.run(go())


FILE = '<file path="words.py">\nx = "a summary"\n</file>\n'
TAGGED = f"<summary>\na summary\n</summary>\n<plan>\n1. a plan\n</plan>\n\n{FILE}"


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (TAGGED, Words(summary="Other *words*", plan="1. another", activity="Delete old.py")),
        (TAGGED, Words(summary="a summary", plan="")),
        (f"a summary\n\n{FILE}", Words(summary="Other words")),
    ],
)
def test_words_are_put_right_beside_the_same_files(tmp_path: Path, answer: str, words: Words) -> None:
    """After the edit the answer has the new summary and its old files; after a revert it is as the model wrote it."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            await paste(workspace, 1, answer)
            files = workspace.reading(1, 1).files
            assert [file.path for file in files] == ["words.py"]
            response = await correct_words(workspace, 1, 1, words)
            reading = workspace.reading(1, 1)
            assert (reading.summary, reading.plan, reading.activity) == (words.summary, words.plan, words.activity)
            assert (reading.files, response.finish_reason) == (files, CORRECTED)
            back = await revert_edit(workspace, 1, 1)
            assert (back.version, back.text, back.finish_reason) == (3, answer, PASTED)
            with pytest.raises(DceError, match="was not edited by hand"):
                await revert_edit(workspace, 1, 1)

    asyncio.run(go())


def test_words_that_have_no_place_are_refused(tmp_path: Path) -> None:
    """A plan beside an untagged summary would hide it: nothing is stored, and the error gives the next step."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            await paste(workspace, 1, f"a summary\n\n{FILE}")
            with pytest.raises(DceError, match="has no place for that plan") as caught:
                await correct_words(workspace, 1, 1, Words(summary="a summary", plan="a plan"))
            assert caught.value.code == "invalid_input"
            assert workspace.store.responses.get(1, 1).version == 1

    asyncio.run(go())


def test_a_cut_answer_with_other_words_stays_cut(tmp_path: Path) -> None:
    """Editing a summary does not declare the files complete."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            pasted = await paste(workspace, 1, TAGGED.removesuffix("</file>\n"))
            workspace.store.responses.insert_ended(msgspec.structs.replace(pasted, status=Status.TRUNCATED))
            files = workspace.reading(1, 1).files
            response = await correct_words(workspace, 1, 1, Words(summary="Other words", plan="1. a plan"))
            assert (response.status, response.version) == (Status.TRUNCATED, 3)
            assert workspace.reading(1, 1).files == files
            with pytest.raises(DceError, match="nothing was changed"):
                await correct_words(workspace, 1, 1, Words(summary="Other words", plan="1. a plan"))

    asyncio.run(go())
