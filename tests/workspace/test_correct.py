"""A response put right by hand is a new version; what the model wrote stays."""

import asyncio
from pathlib import Path

import pytest

from dce.wire.errors import DceError
from dce.workspace.correct import CORRECTED, correct
from dce.workspace.generating.response import Status
from dce.workspace.manual import paste
from tests.panel.rig import make_workspace


def test_a_correction_is_a_version_of_its_own(tmp_path: Path) -> None:
    """Its text is read like any other's; the earlier one stays as it was, and the same text again is refused."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            await paste(workspace, 1, "no form at all")
            response = await correct(workspace, 1, 1, '<file path="words.py">\nx = 1\n</file>\n')
            assert (response.version, response.status, response.finish_reason) == (2, Status.COMPLETE, CORRECTED)
            assert response.tokens.exact
            assert workspace.store.response(1, 1, 1).text == "no form at all"
            assert [file.path for file in workspace.reading(1, 1).files] == ["words.py"]
            for text in (response.text, "  \n"):
                with pytest.raises(DceError) as caught:
                    await correct(workspace, 1, 1, text)
                assert caught.value.code == "invalid_input"
            with pytest.raises(DceError) as caught:
                await correct(workspace, 1, 7, "text")
            assert caught.value.code == "not_found"

    asyncio.run(go())
