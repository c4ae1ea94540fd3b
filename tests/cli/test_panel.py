"""`dce panel` from the shell."""

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import httpx2
import pytest

from dce.workspace.project import Project


@pytest.mark.skipif(os.name != "posix", reason="sends a signal")
def test_the_panel_prints_its_link_serves_and_ends_at_ctrl_c(tmp_path: Path) -> None:
    """The panel prints one line with a working link and exits with 0 on Ctrl-C."""
    Project.init(tmp_path)
    command = [sys.executable, "-m", "dce", "panel", "--no-open", "--port", "0", "--workspace", str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL) as panel:
        assert panel.stdout is not None
        link = panel.stdout.readline().decode().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=[\w-]{40,}", link)
        with httpx2.Client() as client:
            assert client.get(link).status_code == 303
            assert client.get(httpx2.URL(link).join("/api/workspace")).json()["name"] == tmp_path.name
        panel.send_signal(signal.SIGINT)
        assert panel.wait(100) == 0


def test_a_host_of_the_network_is_refused(tmp_path: Path) -> None:
    """The panel refuses to listen there, and gives the next step."""
    Project.init(tmp_path)
    command = [sys.executable, "-m", "dce", "panel", "--host", "0.0.0.0", "--no-open", "-C", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 3
    assert "ssh -L" in done.stderr


def test_a_folder_that_is_no_workspace_becomes_one_when_told(tmp_path: Path) -> None:
    """Without a terminal for the question, `--init` gives consent; without it nothing is created and the error names it."""
    command = [sys.executable, "-m", "dce", "panel", "--no-open", "--port", "0", "-C", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=100, check=False, stdin=subprocess.DEVNULL)
    assert done.returncode != 0
    assert "--init" in done.stderr
    assert not (tmp_path / ".dce").exists()
    with subprocess.Popen(
        [*command, "--init"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL
    ) as panel:
        assert panel.stdout is not None
        assert panel.stdout.readline().startswith(b"http://127.0.0.1:")
        assert (tmp_path / ".dce" / ".gitignore").exists()
        panel.terminate()
        panel.wait(100)
