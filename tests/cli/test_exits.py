"""Exit codes."""

from dce.cli.exits import EXIT_OF_CODE, MEANING, Exit, exit_of
from dce.wire.errors import CODES, DceError


def test_every_error_has_an_exit_code() -> None:
    """Each code of the error table maps to an exit code, and no other does."""
    assert EXIT_OF_CODE.keys() == CODES.keys()


def test_every_exit_code_is_explained() -> None:
    """The reference page can explain every exit code."""
    assert MEANING.keys() == set(Exit)


def test_promised_exit_codes() -> None:
    """Scripts rely on these exit codes: refused input 3, unreachable hop 4, not found 1."""
    assert exit_of(DceError("invalid_key", "x")) == 3
    assert exit_of(DceError("stale_file", "x")) == 3
    assert exit_of(DceError("gateway_unreachable", "x")) == 4
    assert exit_of(DceError("no_healthy_backend", "x")) == 4
    assert exit_of(DceError("not_found", "x")) == 1
