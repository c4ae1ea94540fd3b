"""The command line's output."""

import json

import pytest

from dce.cli.output import data, error_text, report, visible
from dce.wire.errors import DceError


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain ✓ text\n\ttab", "plain ✓ text\n\ttab"),
        ("\x1b[31mred\x1b[0m", "\\x1b[31mred\\x1b[0m"),
        ("\x1b]0;title\x07", "\\x1b]0;title\\x07"),
        ("over\rwritten", "over\\rwritten"),
        ("windows\r\nline", "windows\nline"),
        ("left\u202eright", "left\\u202eright"),
        ("c1\x9b31m", "c1\\x9b31m"),
    ],
)
def test_text_of_others_cannot_act_on_a_terminal(text: str, shown: str) -> None:
    """Control characters are made visible; ordinary text is unchanged."""
    assert visible(text) == shown


def test_error_names_hop_fact_and_next_step() -> None:
    """An error message names the hop, the fact and the next step."""
    text = error_text(DceError("invalid_key", "the key was not accepted"))
    assert text.startswith("error [gateway · invalid_key] the key was not accepted\n  next: Check DCE_API_KEY")


def test_error_as_json_is_on_standard_output(capsys: pytest.CaptureFixture[str]) -> None:
    """With --json an error is printed where the data would be."""
    report(DceError("not_found", "no response 3"), is_json=True)
    captured = capsys.readouterr()
    assert json.loads(captured.out)["error"]["code"] == "not_found"
    assert captured.err == ""


def test_data_into_a_pipe_is_exact(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """A response's text is written to a pipe byte for byte, without an added newline."""
    data("a\x1b[0m\r\nü")
    assert capfdbinary.readouterr().out == "a\x1b[0m\r\nü".encode()
