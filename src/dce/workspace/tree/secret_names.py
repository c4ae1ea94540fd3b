"""Which paths are usually kept for keys and passwords, judged by name only."""

import fnmatch
import functools
import re

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


@functools.cache
def _any_of(patterns: tuple[str, ...]) -> re.Pattern[str]:
    """Shell patterns as one: every file of a prompt is held against all of them."""
    return re.compile("|".join(map(fnmatch.translate, patterns)))
