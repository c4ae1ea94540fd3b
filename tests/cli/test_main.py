"""The command line's frame: lazy verbs, errors as messages, exit codes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from dce import __version__
from dce.cli.main import VERBS, cli, main
from dce.wire.errors import DceError


@click.command()
@click.option("--json", "is_json", is_flag=True)
@click.option("--how", default="refused")
def failing(is_json: bool, how: str) -> None:
    """Fails in the given way."""
    if how == "refused":
        raise DceError("outside_workspace", "'../x' is refused")
    if how == "fault":
        raise ZeroDivisionError("ours")
    if how == "extra":
        raise ModuleNotFoundError("No module named 'uvicorn'", name="uvicorn")
    if how == "interrupted":
        raise KeyboardInterrupt
    raise click.UsageError("not so")


@pytest.fixture(autouse=True)
def verb_that_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    """The verb `failing`, found like any other."""
    monkeypatch.setitem(VERBS, "failing", (__name__, "Fails."))


command = failing


def run(*words: str, **environ: str) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(
        [sys.executable, "-m", "dce", *words],
        capture_output=True,
        check=False,
        timeout=100,
        env={**os.environ, **environ},
    )


def test_error_reads_as_a_message(capsys: pytest.CaptureFixture[str]) -> None:
    """An error gives its exit code and a message on standard error, without a traceback."""
    assert main(["failing"]) == 3
    captured = capsys.readouterr()
    assert captured.err.startswith("error [client · outside_workspace] '../x' is refused\n  next: ")
    assert captured.out == ""


def test_error_with_json(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json the error is JSON on standard output."""
    assert main(["failing", "--json"]) == 3
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "outside_workspace"


def test_fault_of_ours(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    """An internal error is a message too; DCE_DEBUG=1 shows the traceback."""
    assert main(["failing", "--how", "fault"]) == 70
    assert "Traceback" not in (text := capsys.readouterr().err)
    assert "ZeroDivisionError: ours" in text
    monkeypatch.setenv("DCE_DEBUG", "1")
    main(["failing", "--how", "fault"])
    assert "Traceback" in capsys.readouterr().err


def test_verb_of_an_extra(capsys: pytest.CaptureFixture[str]) -> None:
    """A verb whose extra is not installed says which one to install."""
    assert main(["failing", "--how", "extra"]) == 3
    assert "pip install 'dce[gateway]'" in capsys.readouterr().err


def test_interrupted() -> None:
    """Ctrl-C exits with 130."""
    assert main(["failing", "--how", "interrupted"]) == 130


@pytest.mark.parametrize(
    "words", [["nonesuch"], ["board", "--nonesuch"], ["failing", "--how", "usage"], ["generate", "-n", "0"]]
)
def test_wrong_usage(words: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    """Wrong usage exits with 2 and says what is wrong; as JSON with --json."""
    assert main(words) == 2
    assert "Error: " in capsys.readouterr().err
    assert main([*words, "--json"]) == 2
    assert json.loads(capsys.readouterr().out)["error"]["code"] == "invalid_input"


def test_nearest_verb(capsys: pytest.CaptureFixture[str]) -> None:
    """For a mistyped verb the error names the nearest one."""
    main(["genrate"])
    assert "Did you mean 'generate'?" in capsys.readouterr().err


def test_json_after_a_double_dash_is_a_word(capsys: pytest.CaptureFixture[str]) -> None:
    """Arguments after `--` are not options, so errors stay text."""
    assert main(["failing", "--", "--json"]) == 2
    assert capsys.readouterr().out == ""


def test_every_verb_loads_and_says_what_the_table_says() -> None:
    """Each row of the table is a module with a command of that name, and the help line is the command's own first sentence."""
    with click.Context(cli, info_name="dce") as context:
        for verb, (_, text) in VERBS.items():
            if verb == "failing":
                continue
            found = cli.get_command(context, verb)
            assert found is not None
            assert found.name == verb
            assert (found.help or "").split("\n\n")[0].replace("\n", " ") == text


def test_help_loads_no_verb() -> None:
    """`dce --help` stays quick: it imports neither the workspace nor HTTP nor a table printer."""
    code = (
        "import sys\nfrom dce.cli.main import main\nmain(['--help'])\n"
        "print([name for name in sys.modules if name.startswith(('dce.workspace', 'httpx2', 'rich', 'dce.gateway'))])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=100)
    assert result.stdout.rstrip().endswith("[]")
    assert all(verb in result.stdout for verb in VERBS if verb != "failing")


def test_version() -> None:
    """`python -m dce --version` is the package's version."""
    result = run("--version")
    assert (result.returncode, result.stdout.decode().strip()) == (0, f"dce, version {__version__}")


def test_reader_that_goes_away() -> None:
    """`dce … | head` exits quietly."""
    command = f"{sys.executable} -m dce completion bash | head -c 1; exit ${{PIPESTATUS[0]}}"
    result = subprocess.run(["bash", "-c", command], capture_output=True, check=False, timeout=100)
    assert result.stderr == b""
    assert result.returncode in (0, 141)  # 0: everything was written before the reader closed


def test_terminal_without_utf8(tmp_path: Path) -> None:
    """On a terminal that cannot show ✓ an escape is printed, not a traceback."""
    result = run("doctor", "--url", "ftp://x", "-C", str(tmp_path), PYTHONIOENCODING="latin-1", DCE_API_KEY="")
    assert result.returncode == 1
    assert b"\\u2717 client" in result.stdout


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    """The script for each shell names the program."""
    assert main(["completion", shell]) == 0
    assert "_DCE_COMPLETE" in capsys.readouterr().out
