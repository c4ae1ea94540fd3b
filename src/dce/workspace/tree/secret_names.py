"""Which paths usually hold keys and passwords, judged by name only; and which files below a folder are such paths."""

import fnmatch
import functools
import os
import re
from collections.abc import Iterator
from pathlib import Path

from dce.workspace.project import STATE_DIR, Project

_SECRET_FOLDERS = frozenset({".ssh", ".aws", ".gnupg", ".kube", ".docker"})


_SECRET_NAMES = (
    *(".env", ".env.*", "*.env", ".envrc", ".netrc", "_netrc", ".npmrc", ".pypirc", ".htpasswd", ".git-credentials"),
    *("*.pem", "*.key", "*.p12", "*.pfx", "*.jks", "*.keystore", "*.kdbx", "*.ppk"),
    *("id_rsa*", "id_dsa*", "id_ecdsa*", "id_ed25519*", "credentials", "credentials.*"),
    *("secrets.y*ml", "secrets.json", "secrets.toml", "secrets.ini"),
)


_NO_SECRETS = ("*.example", "*.sample", "*.template", "*.dist", "*.pub")


def touches_secrets(path: str) -> bool:
    """Whether a path usually holds keys or passwords. Judged by name only."""
    *folders, name = path.casefold().split("/")
    if _any_of(_NO_SECRETS).match(name):
        return False
    return not _SECRET_FOLDERS.isdisjoint(folders) or _any_of(_SECRET_NAMES).match(name) is not None


_NOT_WALKED = frozenset({".git", STATE_DIR, "node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache"})
"""Folders with many files of third parties."""


def secret_files_below(project: Project, folder: str) -> Iterator[str]:
    """The files below a folder of the workspace whose names suggest secrets, including ignored ones. Links to folders are not followed."""
    start = project.root if folder.rstrip("/") in {".", ""} else project.resolve(folder)
    for place, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if name not in _NOT_WALKED)
        for name in sorted(names):
            path = project.relative(Path(place) / name)
            if touches_secrets(path):
                yield path


@functools.cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Shell patterns combined into one, because every file of a prompt is matched against all of them."""
    return re.compile("|".join(map(fnmatch.translate, patterns)))
