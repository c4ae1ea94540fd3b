"""Shell tests that say what the code does, and many of them run by one process."""

import asyncio
import json
import subprocess
from pathlib import Path

import pytest

from dce.workspace.judging.behaviour.mutated import in_lane_runs
from dce.workspace.judging.behaviour.mutated.many import Text, Times, run_many
from dce.workspace.judging.behaviour.mutated.running import records
from dce.workspace.judging.behaviour.mutated.shell_recording import recording
from dce.workspace.judging.checks_file import Check
from dce.workspace.judging.lanes.lane import Kind
from tests.workspace.judging import reading_of
from tests.workspace.laned import KINDS, lanes_of, project_of

CODE = '#!/bin/sh\n[ "$1" != bad ] || { echo "no $1 here" >&2; exit 3; }\nprintf "<%s>" "$@"\ncat\n'


def said(tmp_path: Path, test: str, shell: str = "sh") -> tuple[str, list[str]]:
    """What a test prints, and what it says."""
    (tmp_path / "run.sh").write_text(CODE)
    file = tmp_path / "said"
    (tmp_path / "t.sh").write_text(recording(test, "t.sh", frozenset({"run"}), str(file)))
    done = subprocess.run(
        [shell, "t.sh"], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL, check=False
    )
    return done.stdout + done.stderr, records(file.read_text())


@pytest.mark.parametrize("shell", ["sh", "bash"])
def test_every_run_of_the_code_is_said(tmp_path: Path, shell: str) -> None:
    """Exit code, output, and whether it complains, not in which words; what the test sees does not change."""
    test = '#!/bin/sh\ncheck() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1"; fi; }\ncheck a "$(printf x | sh run.sh "a b" c)" "<a b><c>x"\nsh run.sh bad 2>/dev/null; echo "code $?"\nA=1 sh run.sh 2>&1\n'
    printed, found = said(tmp_path, test, shell)
    assert printed == "ok a\ncode 3\n<>"
    assert found == ["run 0 quiet <a b><c>x ", "check a <a b><c>x <a b><c>x ", "run 3 complains  ", "run 0 quiet <> "]


def test_a_test_goes_on_after_what_would_end_it(tmp_path: Path) -> None:
    """With other values the first check fails; what comes behind it is seen too. A subshell still ends."""
    test = 'set -eu\n[ "$(sh run.sh a)" = "b" ] || exit 1\n(exit 4; echo never)\nsh run.sh c\n'
    printed, found = said(tmp_path, test)
    assert "never" not in printed
    assert found == ["run 0 quiet <a> ", "test <a> = b ] ", "run 0 quiet <c> "]


def test_a_function_of_the_code_runs_in_the_same_shell(tmp_path: Path) -> None:
    """A variable that it sets is there afterwards."""
    printed, found = said(tmp_path, "run() { total=$(($1 + 1)); echo $total; }\nrun 4\necho $total\n")
    assert printed == "5\n5\n"
    assert found[-1].startswith("run 0 quiet 5")


def test_no_script_is_left_as_it_is() -> None:
    """What has no grammar says nothing."""
    assert recording("a", "t.unknown", frozenset(), "/x") == "a"


def test_files_are_put_back_after_a_run(tmp_path: Path) -> None:
    """New, changed and removed files are shown, then as before; folders too."""
    (tmp_path / "kept").write_text("1")
    (tmp_path / "gone").write_text("2")
    kept = in_lane_runs.Kept(tmp_path)
    (tmp_path / "kept").write_text("changed")
    (tmp_path / "gone").unlink()
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "file").write_text("3")
    assert kept.restore() == {"kept": "is changed", "gone": "is gone", "new/file": "is 3"}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["gone", "kept"]
    assert (tmp_path / "kept").read_text() == "1"
    assert kept.restore() == {}


def test_a_folder_with_too_much_in_it_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is restored, and nothing is said of files."""
    monkeypatch.setattr(in_lane_runs, "MAX_FILES", 1)
    (tmp_path / "a").write_text("1")
    (tmp_path / "b").write_text("2")
    kept = in_lane_runs.Kept(tmp_path)
    (tmp_path / "a").unlink()
    assert kept.restore() == {}


@pytest.mark.parametrize("kind", KINDS)
def test_one_process_runs_many_texts_each_in_the_same_state(tmp_path: Path, kind: Kind) -> None:
    """What one run leaves, the next does not see; a run that takes too long is ended; a command that is not there is no result."""
    project = project_of(tmp_path, {"t.sh": "echo old\n"})
    texts = [
        Text("1", "t.sh", "ls; touch made; echo x > t.txt\n"),
        Text("2", "t.sh", "ls; sleep 60\n"),
        Text("3", "t.sh", "cat t.sh\n"),
    ]

    async def ran() -> dict[str, object]:
        lanes = lanes_of(project, kind)
        await lanes.find_kind()
        async with lanes.opened(reading_of({"a.sh": "x\n"})) as lane:
            checks = [Check(name="t", command=("sh", "t.sh"))]
            return dict(await run_many(lane, checks, texts, Times(total_s=20, run_s=1), is_kept=True))

    found = json.loads(
        json.dumps(
            asyncio.run(ran()),
            default=lambda run: {"files": run.files, "ended": [(e.exit, e.output) for e in run.ended]},
        )
    )
    assert found["1"]["files"] == {"made": "is ", "t.txt": "is x\n"}
    assert found["2"]["ended"] == [[None, found["1"]["ended"][0][1]]]
    assert found["3"]["ended"] == [[0, "cat t.sh\n"]]
