"""Properties of the demo: the sample's folder, and the whole chain on the real engine as seen from another terminal."""

import asyncio
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import msgspec
import pytest

from dce.cli.demo import _panel
from dce.cli.sample import CHECKS, SELECTION, STUBS, configure, curate, find_sample, make_folder
from dce.wire.errors import DceError
from dce.workspace.judging.check_report import CheckReport
from dce.workspace.judging.checks import run_checks
from dce.workspace.judging.checks_file import load_checks
from dce.workspace.judging.lanes.opening import Lanes
from dce.workspace.judging.lanes.settings import LaneSettings
from dce.workspace.record.store import STORE_FILE
from dce.workspace.schema.fill import find_stubs
from dce.workspace.schema.reading import FileBlock, Reading
from dce.workspace.settings import load_settings
from dce.workspace.workspace import Workspace

SOLUTION = {"mean": "return sum(values) / len(values)", "spread": "return max(values) - min(values)"}
FILLED = '"""Figures."""\n\n\ndef mean(values):\n    return sum(values) / len(values)\n'


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def shell(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Runs a verb in a folder, as from another terminal."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("DCE_")}
    return subprocess.run(
        [sys.executable, "-m", "dce.cli.main", *arguments],
        cwd=folder,
        env=environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=600,
    )


def test_the_sample_is_copied_whole_and_becomes_a_workspace_with_checks(tmp_path: Path) -> None:
    """A new folder gets every file of the sample, its checks, and a repository whose only commit is the original sample."""
    project = make_folder(tmp_path / "new" / "demo")
    sample = {path: data for path, data in contents(find_sample()).items() if not path.endswith(".pyc")}
    copied = contents(project.root)
    assert {path: copied[path] for path in sample} == sample
    assert [check.name for check in load_checks(project)] == [CHECKS["check"][0]["name"]]
    status = subprocess.run(["git", "status", "--porcelain"], cwd=project.root, capture_output=True, check=True)
    assert status.stdout == b""


def test_the_samples_tests_fail_on_the_stubs_and_pass_when_they_are_filled_rightly(tmp_path: Path) -> None:
    """The sample's tests are fair: each stub fails some, and a plain solution passes all."""
    project = make_folder(tmp_path)
    text = (tmp_path / STUBS).read_text()
    right = text
    for start, end, name in reversed(find_stubs(text)):
        right = right[:start] + SOLUTION[name] + right[end:]

    async def judge() -> tuple[CheckReport, CheckReport]:
        checks = load_checks(project)
        reading = Reading(files=(FileBlock(path=STUBS, content=right),))
        lanes = Lanes(project, LaneSettings())
        return await run_checks(lanes, checks, None), await run_checks(lanes, checks, reading)

    stubs, filled = asyncio.run(judge())
    assert (stubs.passed, stubs.failed) == (2, 7)
    assert (filled.passed, filled.failed) == (9, 0)


def test_a_folder_with_files_of_its_own_is_refused_and_left_alone(tmp_path: Path) -> None:
    """Nothing is written into an existing folder of the user's, even if it is a workspace."""
    for name in ("notes.txt", ".hidden", ".dce/config.toml"):
        folder = tmp_path / name.replace("/", "-")
        (folder / name).parent.mkdir(parents=True)
        (folder / name).write_text("mine")
        before = contents(folder)
        with pytest.raises(DceError) as caught:
            make_folder(folder)
        assert caught.value.code == "invalid_input"
        assert contents(folder) == before


def test_a_file_in_the_folders_place_is_refused(tmp_path: Path) -> None:
    """A path that is a file gives an error, not a traceback."""
    (tmp_path / "file").write_text("mine")
    with pytest.raises(DceError, match="cannot be used"):
        make_folder(tmp_path / "file")


def test_a_former_demos_folder_is_used_again_and_no_file_in_it_is_overwritten(tmp_path: Path) -> None:
    """The user's changes are kept; missing files are restored."""
    project = make_folder(tmp_path)
    (tmp_path / "README.md").write_text("changed")
    (tmp_path / "tests" / "test_report.py").unlink()
    assert make_folder(tmp_path) == project
    assert (tmp_path / "README.md").read_text() == "changed"
    assert (tmp_path / "tests" / "test_report.py").is_file()


def test_a_former_demo_with_nothing_left_to_fill_says_how_to_go_on(tmp_path: Path) -> None:
    """After an answer was accepted, nothing is left to generate; the message names restore."""
    make_folder(tmp_path)
    (tmp_path / STUBS).write_text(FILLED)
    with pytest.raises(DceError) as caught:
        make_folder(tmp_path)
    assert "dce restore" in caught.value.hint
    assert (tmp_path / STUBS).read_text() == FILLED


def test_settings_and_key_are_where_every_verb_finds_them(tmp_path: Path) -> None:
    """A second demo replaces URL and key, keeps the user's other settings, and only the owner can read the key."""
    project = make_folder(tmp_path)
    configure(project, "http://127.0.0.1:1", "dce_first")
    config = project.state_dir / "config.toml"
    config.write_text(config.read_text() + 'model = "mine"\n')
    configure(project, "http://127.0.0.1:2", "dce_second")
    settings = load_settings(project, {})
    assert (settings.url, settings.key, settings.model, settings.schema) == (
        "http://127.0.0.1:2",
        "dce_second",
        "mine",
        "fill",
    )
    assert stat.S_IMODE((project.state_dir / "credentials").stat().st_mode) == 0o600
    assert "dce_second" not in config.read_text()


def test_curating_leaves_what_an_earlier_demo_or_its_user_chose(tmp_path: Path) -> None:
    """The first run creates scope, selection and cycle; the second creates nothing."""
    project = make_folder(tmp_path)
    with Workspace.open(project, load_settings(project, {})) as workspace:
        first = curate(workspace)
        assert workspace.selection.paths() == tuple(sorted(SELECTION))
        workspace.selection.replace([STUBS])
        workspace.cycles.edit(first.id, title="Mine")
        again = curate(workspace)
        assert (again.id, again.title) == (first.id, "Mine")
        assert workspace.selection.paths() == (STUBS,)
        assert workspace.cycles.get(0).context


def test_the_panel_takes_the_next_port_when_the_wanted_one_is_in_use(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A port in use causes a message, and the demo still runs."""
    project = make_folder(tmp_path)
    with socket.socket() as taken, Workspace.open(project, load_settings(project, {})) as workspace:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        wanted = taken.getsockname()[1]
        with _panel(workspace, wanted) as panel:
            assert panel.port > wanted
        assert f"port {wanted} is in use" in capsys.readouterr().err


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> "Iterator[tuple[Path, list[str], subprocess.Popen[str]]]":
    """A serving demo with two responses: its folder, its output so far, its process."""
    folder = tmp_path_factory.mktemp("demo") / "work"
    command = [sys.executable, "-m", "dce.cli.main", "demo", "-n", "2", "--workspace", str(folder), "--port", "0"]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        said: list[str] = []
        for line in process.stdout:
            said.append(line)
            if line.startswith("In another terminal"):
                break
        try:
            yield folder, said, process
        finally:
            process.kill()


@pytest.mark.timeout(900)
def test_a_serving_demo_can_be_used_from_another_terminal_and_ends_clean(
    served: tuple[Path, list[str], subprocess.Popen[str]],
) -> None:
    """Prompt, responses and board are real files and rows; accept and restore work meanwhile; Ctrl-C ends everything with exit 0."""
    folder, said, process = served
    text = "".join(said)
    assert "2 of 2 parsed" in text
    assert "SmolLM2-135M" in text

    prompt = (folder / ".dce/prompt.md").read_text()
    assert prompt.startswith("<prompt.md>")
    before = (folder / STUBS).read_bytes()
    rows = msgspec.json.decode(shell("board", "--json", folder=folder).stdout)
    assert {row["parse"] for row in rows} == {"ok"}
    assert all(row["checks"] is not None for row in rows)
    assert shell("doctor", "--silence", "1", "--json", folder=folder).returncode == 0

    link = re.search(r"^Panel: (\S+)$", text, re.MULTILINE)
    assert link is not None
    with httpx2.Client(follow_redirects=True) as browser:
        assert browser.get(link[1]).status_code == 200

    assert shell("accept", str(rows[0]["slot"]), folder=folder).returncode == 0
    # The model may write anything, even the error's name in a returned value.
    assert len(find_stubs(before.decode())) == 2
    assert find_stubs((folder / STUBS).read_text("utf-8")) == ()
    assert shell("restore", folder=folder).returncode == 0
    assert (folder / STUBS).read_bytes() == before

    engine = re.search(r"process (\d+)", text)
    assert engine is not None
    process.send_signal(signal.SIGINT)
    assert process.wait(120) == 0
    with pytest.raises(ProcessLookupError):
        os.kill(int(engine[1]), 0)
    assert (folder / ".dce" / STORE_FILE).is_file()


@pytest.mark.timeout(900)
def test_with_exit_it_ends_by_itself_and_leaves_nothing_behind(tmp_path: Path) -> None:
    """`--exit` exits with 0 after the board, and the temporary workspace is deleted."""
    environment = os.environ | {"TMPDIR": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "dce.cli.main", "demo", "--exit", "-n", "1", "--port", "0"],
        env=environment,
        text=True,
        capture_output=True,
        check=False,
        timeout=800,
    )
    assert done.returncode == 0, done.stderr
    assert "1 of 1 parsed" in done.stdout
    assert list(tmp_path.glob("dce-demo-*")) == []
