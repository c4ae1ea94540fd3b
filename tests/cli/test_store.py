"""`dce store` from the command line: its output, JSON and exit codes."""

import json
import os
from pathlib import Path

import pytest

from dce.cli.exits import Exit
from dce.cli.main import main


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A workspace with one cycle of its own, as the current folder."""
    monkeypatch.chdir(tmp_path)
    assert main(["init"]) == Exit.DONE
    assert main(["cycle", "new", "--title", "Kept"]) == Exit.DONE
    return tmp_path / ".dce"


def test_a_store_is_checked_recovered_and_sound(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A broken store's error names the check, the check names the recovery, and after that the verbs work (T22)."""
    assert main(["store", "check"]) == Exit.DONE
    assert "sound" in capsys.readouterr().out
    with (here / "dce.db").open("r+b") as file:
        file.write(bytes(4096))
    assert main(["cycle", "list"]) == Exit.REFUSED
    assert "`dce store check`" in capsys.readouterr().err
    assert main(["store", "check"]) == Exit.NO
    out, err = capsys.readouterr()
    assert "damaged" in out
    assert "dce store recover" in err
    assert main(["store", "check", "--json"]) == Exit.NO
    found = json.loads(capsys.readouterr().out)
    assert set(found) == {"path", "state", "files", "log", "schema", "counts", "problems", "backups", "next"}
    assert main(["store", "recover", "--json"]) == Exit.DONE
    done = json.loads(capsys.readouterr().out)
    assert set(done) >= {"state", "set_aside", "kept", "from_backup", "backup", "damaged"}
    assert (Path(done["set_aside"]) / "dce.db").exists()
    assert main(["cycle", "list"]) == Exit.DONE
    assert "Kept" in capsys.readouterr().out
    assert main(["store", "recover"]) == Exit.DONE
    assert "nothing to recover" in capsys.readouterr().out


def test_recovery_says_what_was_kept(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Recovery reports rows by table, what could not be read, and where the old files are (T22)."""
    assert main(["export", "h.dce"]) == Exit.DONE
    assert main(["import", "h.dce"]) == Exit.DONE
    capsys.readouterr()
    os.truncate(here / "dce.db", 12_288)
    assert main(["store", "recover"]) == Exit.DONE
    out, err = capsys.readouterr()
    assert "cycles: " in out
    assert "only partly readable: " in err
    assert "gaps were filled from " in err
    assert "the old files are in " in err
    assert main(["cycle", "list"]) == Exit.DONE
    assert "Kept" in capsys.readouterr().out


def test_backups_are_listed_and_restored(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without a name the backups are listed; with one, the store is restored from it (T22)."""
    assert main(["store", "restore"]) == Exit.DONE
    assert "no backups" in capsys.readouterr().out
    assert main(["export", "h.dce"]) == Exit.DONE
    assert main(["import", "h.dce", "--again"]) == Exit.DONE
    capsys.readouterr()
    assert main(["store", "restore", "--json"]) == Exit.DONE
    [backup] = json.loads(capsys.readouterr().out)
    assert set(backup) == {"path", "number", "taken_at", "size"}
    assert main(["store", "restore"]) == Exit.DONE
    assert Path(backup["path"]).name in capsys.readouterr().out
    assert main(["cycle", "new", "--title", "Since"]) == Exit.DONE
    assert main(["store", "restore", Path(backup["path"]).name]) == Exit.DONE
    out, err = capsys.readouterr()
    assert "restored the store from" in out
    assert "set-aside" in err
    assert main(["cycle", "list"]) == Exit.DONE
    assert "Since" not in capsys.readouterr().out
    assert main(["store", "restore", "nowhere"]) == Exit.NO
