#!/usr/bin/env python3
"""Backs up the data of a gateway while it runs: keys, pepper, revocations, ledger. Needs only Python.

backup.py DATA_DIR TARGET_DIR    Creates TARGET_DIR (0700), which must not exist. Each copy is consistent as of one moment.

The pepper is a secret: with it and gateway.db, keys can be guessed offline. Protect the copy like the original.
"""

import contextlib
import shutil
import sqlite3
import sys
from pathlib import Path

DATABASES = ("gateway.db", "ledger.db")


def backup(source: Path, target: Path) -> None:
    """Copies `source` to `target`, which must not exist yet. A missing database is left out."""
    target.mkdir(mode=0o700)
    shutil.copy2(source / "pepper", target / "pepper")
    if (source / "revoked").exists():  # before gateway.db, which may take over what it holds meanwhile
        shutil.copy2(source / "revoked", target / "revoked")
    for name in DATABASES:
        if (source / name).exists():
            with contextlib.closing(sqlite3.connect(source / name)) as database:
                database.execute("VACUUM INTO ?", (str(target / name),))
            (target / name).chmod(0o600)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    try:
        backup(Path(sys.argv[1]), Path(sys.argv[2]))
    except (OSError, sqlite3.Error) as error:
        sys.exit(f"backup.py: {error}. The backup in {sys.argv[2]} is not complete: do not use it.")
