"""The documentation site: what its check finds, and that the navigation holds every page."""

import runpy
import subprocess
from fnmatch import fnmatch
from pathlib import Path

import pytest
from scripts.check_site import main, problems

ROOT = Path(__file__).parent.parent
PAGE = '<h1 id="top">A</h1><a href="b.html#there">b</a><a href="https://example.org/">away</a><img src="a.png">'


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """Two pages that are right."""
    (tmp_path / "a.html").write_text(PAGE)
    (tmp_path / "b.html").write_text(
        '<h1 id="there">B</h1><a href="#there">here</a><a href="mailto:a@example.org">m</a>'
    )
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "a.css").write_text("p { background: url(a.png) }")
    return tmp_path


def test_a_right_site(site: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Links within the site and links to follow by hand are right."""
    assert problems(site) == []
    assert main([str(site)]) == 0
    assert "index.html" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("html", "fact"),
    [
        ('<a href="c.html">', "a.html: c.html leads nowhere"),
        ('<a href="b.html#nowhere">', "a.html: b.html#nowhere leads nowhere"),
        ('<a href="#nowhere">', "a.html: #nowhere leads nowhere"),
        ('<img src="b.png">', "a.html: b.png leads nowhere"),
        ('<script src="https://cdn.example.org/a.js">', "loads https://cdn.example.org/a.js"),
        ('<link rel="stylesheet" href="//fonts.example.org/a.css">', "loads //fonts.example.org/a.css"),
    ],
)
def test_a_wrong_page(site: Path, html: str, fact: str) -> None:
    """A link that leads nowhere, with or without an anchor, and a load from another host are each found once."""
    (site / "a.html").write_text(PAGE + html)
    (found,) = problems(site)
    assert fact in found
    assert main([str(site)]) == 1


@pytest.mark.parametrize("css", ["@import 'https://example.org/a.css';", "p { background: url(//example.org/a.png) }"])
def test_a_style_that_loads_from_elsewhere(site: Path, css: str) -> None:
    """Styles load nothing from another host either."""
    (site / "a.css").write_text(css)
    (found,) = problems(site)
    assert "another host" in found


def test_a_site_that_was_not_built(tmp_path: Path) -> None:
    """An empty folder is not a right site, and a wrong call is told from both."""
    assert main([str(tmp_path)]) == 1
    assert main([]) == 2


def test_every_page_stands_in_the_navigation() -> None:
    """Each Markdown page of the documentation is listed once in docs/site/conf.py, and each page listed exists."""
    table = runpy.run_path(str(ROOT / "docs/site/conf.py"))["NAVIGATION"]
    rows = [row.partition("<")[2].rstrip(">") or row for below in table.values() for row in below]
    listed = subprocess.run(["git", "ls-files", "*.md"], cwd=ROOT, capture_output=True, check=True, text=True).stdout
    pages = {name.removesuffix(".md") for name in listed.split() if not name.startswith((".github/", "src/", "tests/"))}
    for page in pages - {"docs/README"}:
        places = [row for row in rows if fnmatch(page, row)]
        assert len(places) == 1, f"{page} stands in {len(places)} rows of NAVIGATION in docs/site/conf.py"
    for row in rows:
        assert any(fnmatch(page, row) for page in pages), f"NAVIGATION lists {row}, which is no page"
