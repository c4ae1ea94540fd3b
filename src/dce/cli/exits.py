"""Exit codes: the one table from an error's code to the shell's exit code. docs/reference/cli.md shows it."""

from enum import IntEnum

from dce.wire.errors import CODES, DceError


class Exit(IntEnum):
    """A verb's exit code. Scripts may rely on the first six."""

    DONE = 0
    NO = 1
    USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    FAULT = 70
    INTERRUPTED = 130
    PIPE_CLOSED = 141


MEANING: dict[Exit, str] = {
    Exit.DONE: "done",
    Exit.NO: "the answer is no (no such response, a check failed, no response completed)",
    Exit.USAGE: "usage error: an unknown verb, an unknown option or a malformed value",
    Exit.REFUSED: "refused input: a key, a model, a path, a prompt too long, a stale file, a workspace in use",
    Exit.UNREACHABLE: "a hop (gateway, backend), or a cluster for checks, cannot be reached or is not working",
    Exit.FAULT: "a bug in DCE itself",
    Exit.INTERRUPTED: "interrupted (Ctrl-C); `panel` and `gateway serve`, which run until then, end with 0",
    Exit.PIPE_CLOSED: "the reader of the output closed it (as `| head` does)",
}

_NO = ("not_found", "interrupted")
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
    "cluster_unreachable",
)

EXIT_OF_CODE: dict[str, Exit] = {
    **dict.fromkeys(CODES, Exit.REFUSED),
    **dict.fromkeys(_NO, Exit.NO),
    **dict.fromkeys(_UNREACHABLE, Exit.UNREACHABLE),
}
"""Exit code of every code in wire/errors.py. A code not listed above means that the caller's input was refused."""


def exit_of(error: DceError) -> Exit:
    """The exit code for `error`."""
    return EXIT_OF_CODE[error.code]
