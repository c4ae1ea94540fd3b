"""The route of the judge: advice on the board, and what is refused."""

import asyncio
from collections.abc import AsyncGenerator
from pathlib import Path

from dce.workspace.generating.provider import Delta, Ended, GenerationRequest, Opened, ProviderEvent
from tests.panel.rig import HALF, AnsweringProvider, Line, make_workspace, window_of


class AdvisingProvider(AnsweringProvider):
    """Answers prompts like the rig's; of two answers it prefers the one that makes parts of a name upper case."""

    async def stream(self, request: GenerationRequest) -> AsyncGenerator[ProviderEvent, None]:
        """A verdict, or answers."""
        if "<answer_a>" not in request.prompt:
            async for event in super().stream(request):
                yield event
            return
        first = request.prompt.partition("<answer_a>")[2].partition("</answer_a>")[0]
        yield Opened(stream_id="judge", model="rig-judge")
        yield Delta(index=0, text=f"VERDICT: {'A' if '.upper()' in first else 'B'}")
        yield Ended(index=0, finish_reason="stop")


def test_advice_is_on_the_board(tmp_path: Path) -> None:
    """The verdict comes back and stands on the board beside an unchanged rank; an unknown card and nothing to compare are errors."""

    async def go() -> None:
        provider = AdvisingProvider([Line(content=HALF), Line(), Line()])
        with make_workspace(tmp_path / "words", provider) as workspace:
            async with window_of(workspace) as window:
                made = await window.post("/api/generations", {"cycle": 1, "n": 2})
                await window.ended(made["id"])
                path = f"/api/generations/{made['id']}"
                before = [row["slot"] for row in (await window.get(path + "/board"))["rows"]]
                verdict = await window.post(path + "/judge", {})
                assert (verdict["preferred"], verdict["model"]) == (2, "rig-judge")
                rows = (await window.get(path + "/board"))["rows"]
                assert [row["slot"] for row in rows] == before
                assert {row["slot"]: row["judged"]["wins"] for row in rows} == {1: 0, 2: 1}
                assert (await window.error("POST", path + "/judge", {"cards": "x"}))[1]["code"] == "invalid_input"
                assert (await window.error("POST", "/api/generations/9/judge", {}))[1]["code"] == "not_found"
                alone = await window.post("/api/generations", {"cycle": 1, "n": 1})
                await window.ended(alone["id"])
                status, error = await window.error("POST", f"/api/generations/{alone['id']}/judge", {})
                assert error["code"] == "conflict", status

    asyncio.run(go())
