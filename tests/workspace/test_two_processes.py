"""Two processes edit one workspace at the same time, and no edit of either is lost (fault T8).

Both make the same kinds of edits in a loop (`racing_writer.py`); each test checks the result of one kind.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from dce.gateway.access.keys import KeyStore
from dce.wire.errors import DceError
from dce.workspace.context.selection import Selection
from dce.workspace.file_update import updating
from dce.workspace.key_vault import KeyVault
from dce.workspace.outbound.allowlist import ALLOW_FILE
from dce.workspace.outbound.sending import Sending
from dce.workspace.preparing.prompt_file import PromptOnDisk
from dce.workspace.project import PROMPT_FILE, Project
from dce.workspace.record.store import STORE_FILE, Store
from tests.workspace.racing_writer import GATEWAY_FOLDER, ROUNDS, SHARED_KEY

ROOT = Path(__file__).parents[2]
NAMES = [f"{name}{number}" for name in "ab" for number in range(ROUNDS)]


class Raced:
    """A workspace after both writers, and their output."""

    def __init__(self, project: Project, store: Store, said: str) -> None:
        self.project, self.store, self.said = project, store, said


@pytest.fixture(scope="module")
def raced(tmp_path_factory: pytest.TempPathFactory) -> Raced:
    """The workspace after two real processes, started together, have made all their edits."""
    project = Project.init(tmp_path_factory.mktemp("raced"))
    for name in NAMES:
        (project.root / f"{name}.py").write_text("x = 1\n")
    for name in "ab":
        (project.root / f"{name}.pdf").write_bytes(b"%PDF-1.4")
    store = Store(project.state_dir / STORE_FILE)
    Selection(project, store.meta).replace([f"{name}.pdf" for name in "ab"], {}, seen=())
    keys = KeyStore(project.root / GATEWAY_FOLDER)
    keys.create(SHARED_KEY)
    keys.close()
    writers = [_started(project.root, name) for name in "ab"]
    for writer in writers:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "ready\n"
    for writer in writers:
        assert writer.stdin is not None
        writer.stdin.write("go\n")
        writer.stdin.flush()
    said = "".join(writer.communicate(timeout=120)[0] for writer in writers)
    assert [writer.returncode for writer in writers] == [0, 0], said
    return Raced(project, store, said)


def _started(root: Path, name: str) -> "subprocess.Popen[str]":
    command = [sys.executable, "-m", "tests.workspace.racing_writer", str(root), name]
    return subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def test_two_processes_lose_no_selected_file(raced: Raced) -> None:
    """Every file that either process selected is selected."""
    assert {path for path in Selection(raced.project, raced.store.meta).paths() if path.endswith(".py")} == {
        f"{name}.py" for name in NAMES
    }


def test_two_processes_lose_no_detail_and_no_pages(raced: Raced) -> None:
    """Every level of detail and every page range is the last one that its process set."""
    selection = Selection(raced.project, raced.store.meta)
    assert selection.details() == {f"{name}.py": "outline" for name in NAMES}
    assert selection.pages() == {f"{name}.pdf": f"1-{ROUNDS}" for name in "ab"}


def test_two_processes_lose_no_named_selection(raced: Raced) -> None:
    """Every selection that either process saved is in selections.toml."""
    sets = Selection(raced.project, raced.store.meta).sets()
    assert sets.keys() == {f"{name} {number}" for name in "ab" for number in range(ROUNDS)}


def test_two_processes_restore_every_placeholder(raced: Raced) -> None:
    """Each text gets its own secret back: no number was given to two values, and none was lost."""
    assert raced.said == ""


def test_two_processes_lose_no_hidden_secret(raced: Raced) -> None:
    """Every finding for which either process chose a placeholder keeps it."""
    sending = Sending(raced.project, raced.store.meta, "https://models.example", "refuse")
    assert {finding.path for finding in sending.hidden()} == {f"{name}.py" for name in NAMES}


def test_two_processes_lose_no_line_of_the_allow_list(raced: Raced) -> None:
    """Every pattern that either process allowed is in .dceallow, once."""
    lines = (raced.project.root / ALLOW_FILE).read_text().splitlines()[1:]
    assert sorted(lines) == sorted(f"{name}-{number}/*.pem" for name in "ab" for number in range(ROUNDS))


def test_two_processes_lose_no_card_no_setting_and_no_card_key(raced: Raced) -> None:
    """Every card and setting is in config.toml, and every card's key in the file of keys."""
    config = tomllib.loads((raced.project.state_dir / "config.toml").read_text())
    cards = {f"{name}-{number}": {"model": f"{name}{number}.py"} for name in "ab" for number in range(ROUNDS)}
    assert config == {"n": 7, "history_cycles": 7, "cards": cards}
    vault = KeyVault(raced.project.state_dir, None)
    assert {name: vault.get(name) for name in cards} == {name: f"key-of-{name}" for name in cards}


def test_two_processes_leave_a_prompt_that_is_known(raced: Raced) -> None:
    """The file is one process's whole prompt, and the store's record matches it, so that a pasted answer finds it."""
    prompt = PromptOnDisk(raced.project, raced.store).read()
    assert prompt is not None
    assert prompt.text == (raced.project.root / PROMPT_FILE).read_text()


def test_two_processes_lose_no_gateway_key_and_no_limit(raced: Raced) -> None:
    """Every gateway key is stored, and one key has the limits from both processes."""
    keys = {key.name: key for key in KeyStore(raced.project.root / GATEWAY_FOLDER).list()}
    assert keys.keys() == {SHARED_KEY, *NAMES}
    assert (keys[SHARED_KEY].limits.rpm, keys[SHARED_KEY].limits.tpm) == (999 + ROUNDS, 999 + ROUNDS)


def test_an_edit_waits_for_no_process_for_ever(tmp_path: Path) -> None:
    """While another process locks the files, an edit fails after its wait, says so, and changes nothing; afterwards it works."""
    project = Project.init(tmp_path)
    with updating(project.state_dir):
        second = updating(project.state_dir, wait_s=0.05)
        with pytest.raises(DceError, match="another process has been editing") as caught, second:
            raise AssertionError("two edits at once")
    assert caught.value.code == "workspace_locked"
    with updating(project.state_dir, wait_s=0.05):
        pass
