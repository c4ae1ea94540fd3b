"""What is installed for a workspace, as a stamp: reports made with other packages hold no longer.

Only folders and files that package managers themselves write when they install something are looked at, a few for each manager; nobody
could read all packages each time.
"""

import hashlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

from dce.workspace.judging.lanes.environment import find_python

MARKS = (
    *("node_modules/.package-lock.json", "node_modules/.yarn-integrity", "node_modules/.modules.yaml"),
    *("vendor/composer/installed.json", "vendor/modules.txt", "vendor/bundle", "deps"),
)
"""What npm, yarn, pnpm, Composer, Go, Bundler and Mix write, relative to the workspace. An installer of Python changes `site-packages`."""


def installed_stamp(root: Path, environ: Mapping[str, str]) -> str:
    """A digest of the times at which packages were last installed, and of where the project's Python keeps them."""
    total = hashlib.sha256()
    for path in (*(root / mark for mark in MARKS), *_site_packages(root, environ)):
        try:
            status = path.stat()
        except OSError:
            continue
        total.update(os.fsencode(f"{path} {status.st_mtime_ns} {status.st_ino}\0"))
    return total.hexdigest()


def _site_packages(root: Path, environ: Mapping[str, str]) -> Iterator[Path]:
    python = find_python(environ, root)
    folder = python.environment or Path(os.path.realpath(python.program)).parent.parent
    for pattern in ("lib/python*/site-packages", "lib/python*/dist-packages", "Lib/site-packages"):
        yield from sorted(folder.glob(pattern))
