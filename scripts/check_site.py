"""Holds the built documentation site to two promises: every link leads somewhere, and a reader's browser asks no other host.

    python scripts/check_site.py build/site

The generator checks the links that authors write; this checks what it made of them, navigation included. Addresses on other
hosts are allowed only where a reader follows them by hand (`<a href>`); they are not visited, since CI works without a network.
"""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"img": "src", "script": "src", "link": "href", "source": "src", "iframe": "src", "object": "data"}
"""Element → the attribute whose address a browser loads by itself."""
FOREIGN_IN_STYLE = re.compile(r"""(?:url\(|@import)\s*["']?((?:https?:)?//[^"')\s]+)""")


class Page(HTMLParser):
    """What one page offers (`ids`) and asks for: `links` a reader follows, `loads` a browser follows."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.ids: set[str] = {""}
        self.links: list[str] = []
        self.loads: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {name: value or "" for name, value in attrs}
        self.ids |= {values[name] for name in ("id", "name") if name in values}
        if tag == "a" and "href" in values:
            self.links.append(values["href"])
        if LOADED.get(tag) in values:
            self.loads.append(values[LOADED[tag]])


def problems(site: Path) -> list[str]:
    """Every broken link and foreign load of the site in `site`, a line each."""
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in sorted(site.rglob("*.html"))}
    if not pages:
        return [f"{site} holds no page: build the site first"]
    found = []
    for path, page in pages.items():
        name = path.relative_to(site.resolve())
        found += [f"{name}: loads {target}, which is on another host" for target in page.loads if _is_foreign(target)]
        for target in [*page.links, *page.loads]:
            if not _is_foreign(target) and not urlsplit(target).scheme and not _leads_somewhere(path, target, pages):
                found.append(f"{name}: {target} leads nowhere")
    for path in sorted(site.rglob("*.css")):
        foreign = FOREIGN_IN_STYLE.findall(path.read_text("utf-8"))
        found += [f"{path.relative_to(site)}: loads {target}, which is on another host" for target in foreign]
    return found


def _is_foreign(target: str) -> bool:
    return bool(urlsplit(target).netloc)


def _leads_somewhere(path: Path, target: str, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(target)
    goal = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    if goal in pages:
        return unquote(parts.fragment) in pages[goal].ids
    return goal.is_file()


def main(arguments: list[str]) -> int:
    """Prints what is wrong with the site in the folder named; 1 if anything is."""
    if len(arguments) != 1:
        print("usage: python scripts/check_site.py FOLDER", file=sys.stderr)
        return 2
    site = Path(arguments[0])
    found = problems(site)
    for line in found:
        print(line)
    if not found:
        print(f"the site is in {site}: open {site / 'index.html'}")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
