"""Which paths are usually kept for keys and passwords, judged by name only; and where a folder has such files."""

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
    """Whether a path is one where keys and passwords are usually kept. Judged by name only."""
    *folders, name = path.casefold().split("/")
    if _any_of(_NO_SECRETS).match(name):
        return False
    return not _SECRET_FOLDERS.isdisjoint(folders) or _any_of(_SECRET_NAMES).match(name) is not None


_NOT_WALKED = frozenset({".git", STATE_DIR, "node_modules", ".venv", "venv", "__pycache__", ".tox", ".mypy_cache"})
"""Folders that hold other people's files, and many."""


def secret_files_below(project: Project, folder: str) -> Iterator[str]:
    """The files in a folder of the workspace whose names are telling, also those that git ignores. Links to folders are not followed."""
    start = project.root if folder.rstrip("/") in {".", ""} else project.resolve(folder)
    for place, folders, names in os.walk(start):
        folders[:] = sorted(name for name in folders if name not in _NOT_WALKED)
        for name in sorted(names):
            path = project.relative(Path(place) / name)
            if touches_secrets(path):
                yield path


@functools.cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Shell patterns as one: every file of a prompt is held against all of them."""
    return re.compile("|".join(map(fnmatch.translate, patterns)))
