"""Proves that a lane tests the answer and not another copy of the same code: where Python imports the changed packages from.

A plain copy is elsewhere than the workspace, so an editable install can lead back into it; and in any lane, a package that was installed
as a copy hides the answer's files. Then a broken answer would pass, so there is no verdict.
"""

import asyncio
import json
from collections.abc import Iterable, Mapping
from pathlib import Path, PurePosixPath

from dce.workspace.judging.lanes.lane import LaidFile, Lane, RunOptions

TIMEOUT_S = 30.0
"""How long Python may take to look for modules; it imports none of them."""

MAX_NAMES = 100
"""How many packages are looked for: an answer changes files of a few."""

_LOOK = """
import importlib.util, json, os, sys
found = {}
for name in sys.argv[1:]:
    try:
        spec = importlib.util.find_spec(name)
    except Exception:
        continue
    if spec is not None:
        places = [spec.origin] if spec.has_location else list(spec.submodule_search_locations or ())[:1]
        found.update({name: os.path.realpath(place) for place in places if place})
print()
print(json.dumps({"root": os.getcwd(), "found": found}))
"""

_INSTALLED = frozenset({"site-packages", "dist-packages"})


_NOT_OURS = frozenset({"vendor", "_vendor", "vendored", "third_party", "extern", "external"})
"""Folders of code that is a copy of somebody's: the same package installed beside it is not this one."""


class Proofs:
    """What was proven in the lanes of one workspace, which is `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._proven: set[str] = set()

    async def why_unproven(self, lane: Lane, files: Iterable[LaidFile]) -> str:
        """Why checks in this lane would not test these files; "" if they do, or if nothing speaks against it.

        Overlay lanes are at the workspace's own path: only an installed copy can hide an answer there, and what one lane proves of a
        package holds in the others.
        """
        found = await asyncio.to_thread(
            lambda: dict(
                filter(None, (package_of(self._root, file.path) for file in files if self._is_in_either(file)))
            )
        )
        is_overlay = lane.kind == "overlay"
        packages = {
            name: is_kept for name, is_kept in found.items() if not is_overlay or (is_kept and name not in self._proven)
        }
        why = await _why_unproven(lane, self._root, packages)
        if is_overlay and not why:
            self._proven.update(packages)
        return why

    def _is_in_either(self, file: LaidFile) -> bool:
        """Whether the workspace or the lane has the file: one that is only kept out of the lane is nobody's code."""
        return file.data is not None or (self._root / file.path).exists()


async def _why_unproven(lane: Lane, root: Path, packages: Mapping[str, bool]) -> str:
    names = sorted(packages)[:MAX_NAMES]
    if not names:
        return ""
    ended = await lane.run(("python", "-c", _LOOK, *names), RunOptions(timeout_s=TIMEOUT_S))
    if ended.exit_code != 0:
        return ""  # without Python nothing imports these files
    said = json.loads(ended.output.decode().rstrip().rpartition("\n")[2])
    for name, place in said["found"].items():
        path = Path(place)
        is_installed = bool(_INSTALLED.intersection(path.parts))
        leads_back = not path.is_relative_to(said["root"]) and path.is_relative_to(root) and not is_installed
        if leads_back or (is_installed and packages[name]):
            return f"Python imports `{name}` from {place}, not from the answer"
    return ""


def package_of(root: Path, path: str) -> tuple[str, bool] | None:
    """The outermost package (or module) that a Python file belongs to, and whether it is where a project keeps what it installs. None for
    other files."""
    file = PurePosixPath(path)
    if file.suffix != ".py" or file.stem in {"setup", "conftest"} or _NOT_OURS.intersection(file.parts):
        return None
    name, folder = file.stem, file.parent
    while folder.parts and (root / folder / "__init__.py").is_file():
        name, folder = folder.name, folder.parent
    project = folder.parent if folder.name in {"src", "lib"} else folder
    is_kept = not project.parts or any((root / project / known).is_file() for known in ("pyproject.toml", "setup.py"))
    return (name, is_kept) if name.isidentifier() else None
