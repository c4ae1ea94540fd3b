"""How `make docs` builds the site: Sphinx with MyST over the Markdown as it stands in the repository.

What must hold: no page needs Sphinx's own syntax, so that it reads as well on a code host (the navigation is the table
below, not directives in pages); neither the build nor a reader fetches anything from another host (scripts/check_site.py).
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sphinx.application import Sphinx  # tests/test_docs.py reads this file without Sphinx

ROOT = Path(__file__).parents[2]
START = "docs/README"

NAVIGATION = {
    START: ("docs/guide/README", "Operations <docs/operations/README>", "docs/reference/README", "CONTRIBUTING"),
    "docs/guide/README": (
        "Overview <README>",
        "docs/guide/first-hour",
        "The sample project <examples/tiny_metrics/README>",
        "docs/guide/context",
        "docs/guide/models",
        "docs/guide/checks",
        "docs/guide/lanes",
        "docs/guide/behaviour",
        "docs/guide/judge",
        "docs/guide/follow-ups",
        "docs/guide/accepting",
        "docs/guide/history",
        "docs/guide/panel",
        "docs/guide/clients",
        "docs/guide/doctor",
    ),
    "docs/operations/README": (
        "docs/operations/install",
        "docs/operations/tls",
        "docs/operations/vllm",
        "docs/operations/backends",
        "docs/operations/limits",
        "docs/operations/accounting",
        "docs/operations/capacity",
        "docs/operations/legacy",
        "docs/operations/upgrade",
        "docs/operations/backup",
        "docs/operations/incidents",
        "THREAT_MODEL",
    ),
    "docs/reference/README": (
        "docs/reference/cli",
        "docs/reference/json",
        "docs/reference/errors",
        "docs/reference/gateway-routes",
        "docs/reference/gateway-settings",
        "docs/reference/stability",
    ),
    "CONTRIBUTING": (
        "ARCHITECTURE",
        "frontend/README",
        "docs/adr/README",
        "docs/faults",
        "bench/results/README",
        "bench/results/judging",
        "bench/judging/README",
        "SECURITY",
        "CHANGELOG",
    ),
    "docs/adr/README": ("docs/adr/[0-9]*",),
}
"""Page → the pages below it, in order, `Title <page>` where the title in the list is another. A page in no row fails the build."""

project = "DCE"
author = "The DCE developers"
project_copyright = "The DCE developers. MIT licence."
release = version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]

extensions = ["myst_parser"]
root_doc = START
include_patterns = ["*.md", "docs/**.md", "bench/*/*.md", "examples/*/README.md", "frontend/README.md"]
exclude_patterns = [
    ".*",
    "build",
    "dist",
    "frontend/node_modules",
    "frontend/src",
    "src",
    "tests",
]  # not even walked through
myst_heading_anchors = 4  # README.md#a-heading works as on a code host, and a wrong one fails the build

html_theme = "pydata_sphinx_theme"
html_title = f"DCE {release}"
html_static_path = ["style.css"]
html_css_files = ["style.css"]
html_copy_source = False
html_show_sphinx = False
html_use_index = False
html_theme_options = {
    "logo": {"text": html_title},
    "navbar_align": "left",
    "navbar_end": ["theme-switcher"],
    "navigation_depth": 3,
    "show_nav_level": 1,
    "pygments_light_style": "github-light",
    "pygments_dark_style": "github-dark",
    "show_toc_level": 2,
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "footer_start": ["copyright"],
    "footer_end": [],
}


def add_navigation(_app: Sphinx, page: str, text: list[str]) -> None:
    """Gives a page the list of the pages below it."""
    if page in NAVIGATION:
        names = "\n".join(re.sub(r"([^<>]+?)(?=>?$)", r"/\1", row) for row in NAVIGATION[page])
        text[0] += f"\n\n```{{toctree}}\n:hidden:\n:glob:\n{names}\n```\n"


def finish(app: Sphinx, error: Exception | None) -> None:
    """Makes the folder's index.html lead to the start page, and removes a template that the theme leaves behind."""
    if error is None:
        (Path(app.outdir) / "_static" / "webpack-macros.html").unlink(missing_ok=True)
        target = f"{START}.html"
        page = f'<!doctype html><meta charset="utf-8"><title>DCE</title><meta http-equiv="refresh" content="0; url={target}"><a href="{target}">DCE documentation</a>\n'
        (Path(app.outdir) / "index.html").write_text(page, "utf-8")


def setup(app: Sphinx) -> None:
    """Sphinx calls this once."""
    app.connect("source-read", add_navigation)
    app.connect("build-finished", finish)
