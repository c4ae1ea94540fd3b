"""A process that makes every read-modify-write edit of a workspace, while another such process does the same."""

import hashlib
import sys
import time
from pathlib import Path

from dce.gateway.access.keys import KeyStore
from dce.workspace.cards import Cards
from dce.workspace.context.selection import Selection
from dce.workspace.key_vault import KeyVault
from dce.workspace.outbound.allowlist import allow
from dce.workspace.outbound.placeholders import Placeholders
from dce.workspace.outbound.secrets import Finding
from dce.workspace.outbound.sending import Sending
from dce.workspace.preparing.prompt_file import PromptOnDisk
from dce.workspace.project import Project
from dce.workspace.record.prompts import Prompt
from dce.workspace.record.store import STORE_FILE, Store

ROUNDS = 12
"""Edits of each kind by each process."""

GATEWAY_FOLDER = "gateway"
SHARED_KEY = "shared"


def main(root: Path, name: str) -> None:
    """Prints `ready`, waits for a line, then makes `ROUNDS` edits of each kind, with `name` in their content."""
    project = Project(root)
    with Store(project.state_dir / STORE_FILE) as store:
        selection = Selection(project, store.meta)
        sending = Sending(project, store.meta, "https://models.example", "refuse")
        placeholders = Placeholders(store.meta)
        cards = Cards(project.state_dir, KeyVault(project.state_dir, None))
        prompts = PromptOnDisk(project, store)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        sys.stdin.readline()
        numbers = range(ROUNDS)
        for number in numbers:
            selection.add([f"{name}{number}.py"])
        for number in numbers:
            selection.show([f"{name}{number}.py"], "outline")
            selection.show_pages(f"{name}.pdf", f"1-{number + 1}")
        for number in numbers:
            selection.save(f"{name} {number}", ())
        texts = [f'password = "{name}Qw7!{number}zT9#k"\n' for number in numbers]
        hidden = [(text, placeholders.hide(text, "x.py", lambda _path, _fingerprint: False)) for text in texts]
        for number in numbers:
            sending.hide(_finding(f"{name}{number}"))
        for number in numbers:
            allow(project, [f"{name}-{number}/*.pem"])
        for number in numbers:
            cards.put(f"{name}-{number}", {"model": f"{name}{number}.py"})
            cards.vault.put(f"{name}-{number}", f"key-of-{name}-{number}")
        for number in numbers:
            prompts.write(_prompt(f"{name} {number}\n"))
        cards.set_value("n" if name == "a" else "history_cycles", "7")
        for secret, text in hidden:
            if placeholders.restore(text) != secret:
                sys.stdout.write(f"not restored: {secret!r} from {text!r}\n")
    _edit_gateway_keys(root / GATEWAY_FOLDER, name)


def _edit_gateway_keys(data_dir: Path, name: str) -> None:
    keys = KeyStore(data_dir, time.time)
    for number in range(ROUNDS):
        keys.create(f"{name}{number}")
        keys.edit(SHARED_KEY, {"rpm" if name == "a" else "tpm": 1_000 + number})
    keys.close()


def _finding(name: str) -> Finding:
    fingerprint = f"{name:0>12}"
    return Finding(path=f"{name}.py", line=1, column=1, rule="password", masked="…", fingerprint=fingerprint)


def _prompt(text: str) -> Prompt:
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    return Prompt(text=text, sha256=sha256, nonce="0" * 8, schema="blocks", sections=(), manifest=())


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
