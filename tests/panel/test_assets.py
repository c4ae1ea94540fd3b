"""The built front-end as it is served."""

import asyncio
import re
from pathlib import Path

from tests.panel.rig import make_workspace, window_of

PAGE = '<meta property="csp-nonce" nonce="DCE_NONCE"><script type="module" nonce="DCE_NONCE" src="/assets/x-1.js"></script>'


def built(folder: Path) -> Path:
    """A front-end as Vite leaves it."""
    (folder / "assets").mkdir(parents=True)
    (folder / "index.html").write_text(PAGE, encoding="utf-8")
    (folder / "assets" / "x-1.js").write_text("1", encoding="utf-8")
    return folder


def test_the_page_carries_the_nonce_of_its_own_policy(tmp_path: Path) -> None:
    """Styles that the editor adds are allowed by the nonce of the very answer that brought the page, and by no other."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            async with window_of(workspace, built(tmp_path / "static")) as window:
                nonces = set()
                for _ in range(2):
                    answer = await window.ask("GET", "/")
                    (nonce,) = set(re.findall(r'nonce="([^"]+)"', answer.text))
                    assert f"style-src 'self' 'nonce-{nonce}'" in answer.headers["content-security-policy"]
                    assert answer.headers["cache-control"] == "no-store"
                    nonces.add(nonce)
                assert len(nonces) == 2

    asyncio.run(go())


def test_files_named_by_their_hash_are_kept_for_ever(tmp_path: Path) -> None:
    """A browser never asks twice for a file that cannot change; everything else it asks for again."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            async with window_of(workspace, built(tmp_path / "static")) as window:
                answer = await window.ask("GET", "/assets/x-1.js")
                assert "immutable" in answer.headers["cache-control"]
                assert "javascript" in answer.headers["content-type"]

    asyncio.run(go())


def test_a_checkout_without_the_build_says_how_to_make_it(tmp_path: Path) -> None:
    """No empty page: the error names the command."""

    async def go() -> None:
        with make_workspace(tmp_path / "words") as workspace:
            async with window_of(workspace, tmp_path / "nothing") as window:
                _, error = await window.error("GET", "/")
                assert "make frontend" in error["hint"]

    asyncio.run(go())
