"""The wheel: the panel works from it without Node and without a network."""

import gzip
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MAX_WHEEL_BYTES = 3_000_000
"""An install must stay quick: React, the editor and our own code are well under one megabyte compressed."""


MAX_INITIAL_BYTES = 450 * 1024
"""Gzipped: what a browser fetches before it shows anything."""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> zipfile.ZipFile:
    """The built wheel, made without an index."""
    if not (ROOT / "src/dce/panel/static/index.html").exists():
        pytest.skip("the front-end is not built: make frontend")
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-index", "--no-build-isolation"]
    done = subprocess.run([*command, "-w", str(out), str(ROOT)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    (path,) = out.glob("dce-*.whl")
    assert path.stat().st_size <= MAX_WHEEL_BYTES
    return zipfile.ZipFile(path)


def static(wheel: zipfile.ZipFile, suffix: str) -> dict[str, str]:
    """The front-end's text files of a kind, by name."""
    names = [name for name in wheel.namelist() if name.startswith("dce/panel/static/") and name.endswith(suffix)]
    return {name: wheel.read(name).decode("utf-8") for name in names}


def test_the_front_end_is_in_the_wheel(wheel: zipfile.ZipFile) -> None:
    """index.html and every file it names are packed."""
    (html,) = static(wheel, "index.html").values()
    named = re.findall(r'(?:src|href)="/([^"]+)"', html)
    assert len(named) >= 3
    assert {f"dce/panel/static/{name}" for name in named} <= set(wheel.namelist())
    assert "DCE_NONCE" in html


def test_nothing_is_loaded_from_elsewhere(wheel: zipfile.ZipFile) -> None:
    """No page, style or script names a host to load from, and there is no inline script for the policy to block."""
    pages, styles, scripts = (static(wheel, suffix) for suffix in (".html", ".css", ".js"))
    for text in pages.values():
        assert not re.search(r"https?://", text)
        assert not re.search(r"<script(?![^>]*\bsrc=)", text)
    for text in styles.values():
        assert not re.search(r"url\(|@import", text)
    for text in scripts.values():
        assert not re.search(r"""(?:import|fetch|EventSource|Worker)\(\s*["'`]https?://""", text)
        assert "sourceMappingURL" not in text


def test_what_the_first_paint_waits_for_is_small(wheel: zipfile.ZipFile) -> None:
    """Script and style that index.html names stay under the limit, packed; editor and Markdown come in chunks when needed."""
    (html,) = static(wheel, "index.html").values()
    named = re.findall(r'(?:src|href)="/(assets/[^"]+)"', html)
    assert named
    packed = sum(len(gzip.compress(wheel.read(f"dce/panel/static/{name}"), 6)) for name in named)
    assert packed <= MAX_INITIAL_BYTES
    assert len(static(wheel, ".js")) > sum(name.endswith(".js") for name in named)


def test_no_source_maps_and_no_tests_are_packed(wheel: zipfile.ZipFile) -> None:
    """What nobody runs is not shipped."""
    assert not [name for name in wheel.namelist() if name.endswith(".map") or name.startswith("tests/")]
