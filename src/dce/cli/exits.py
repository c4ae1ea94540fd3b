"""Exit codes: the one table from an error's code to the shell's exit code. docs/reference/cli.md shows it."""

from enum import IntEnum

from dce.wire.errors import CODES, DceError


class Exit(IntEnum):
    """A verb's exit code. Scripts may rely on the first six."""

    DONE = 0
    NOT_SO = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    FAULT = 70
    INTERRUPTED = 130
    PIPE_CLOSED = 141


MEANING: dict[Exit, str] = {
    Exit.DONE: "done",
    Exit.NOT_SO: "the thing asked about is not so (no such response, a check failed, a response did not complete)",
    Exit.USAGE: "wrong usage: an unknown verb, option or value form",
    Exit.REFUSED: "refused input: a key, a model, a path, a prompt too long, a stale file, a workspace in use",
    Exit.UNREACHABLE: "a hop (gateway, backend) cannot be reached or cannot work now",
    Exit.FAULT: "a fault of DCE itself",
    Exit.INTERRUPTED: "interrupted (Ctrl-C); for `panel` and `gateway serve`, which run until then, that is 0",
    Exit.PIPE_CLOSED: "the reader of the output went away (as `| head` does)",
}

_NOT_SO = ("not_found", "interrupted")
_UNREACHABLE = (
    "queue_full",
    "draining",
    "internal",
    "no_healthy_backend",
    "backend_unreachable",
    "backend_unauthorized",
    "backend_error",
    "backend_timeout",
    "stream_interrupted",
    "gateway_unreachable",
    "gateway_timeout",
    "not_a_gateway",
    "engine_unavailable",
)

EXIT_OF_CODE: dict[str, Exit] = {
    **dict.fromkeys(CODES, Exit.REFUSED),
    **dict.fromkeys(_NOT_SO, Exit.NOT_SO),
    **dict.fromkeys(_UNREACHABLE, Exit.UNREACHABLE),
}
"""Exit code of every code in wire/errors.py. A code not listed above means that the caller's input was refused."""


def exit_of(error: DceError) -> Exit:
    """The exit code for `error`."""
    return EXIT_OF_CODE[error.code]
