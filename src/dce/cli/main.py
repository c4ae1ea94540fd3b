"""`dce`: the table of verbs, each imported on use, and the one place where errors become messages and exit codes.

What must hold: `dce --help` imports no verb; no user sees a traceback unless DCE_DEBUG=1; every error names its hop, the fact and
the next step; the exit code comes from `exits.py`.
"""

import gc
import importlib
import io
import os
import sys
import traceback
from collections.abc import Sequence
from typing import Any

import click

from dce import __version__
from dce.cli.exits import Exit, exit_of
from dce.cli.output import note, report
from dce.wire.errors import DceError, Hop
from dce.wire.nearest import advice, did_you_mean, nearest

VERBS: dict[str, tuple[str, str]] = {
    "demo": ("dce.cli.demo", "Everything on this machine: engine, gateway, panel and one generation."),
    "init": ("dce.cli.init", "Make a folder a workspace."),
    "files": ("dce.cli.files", "The workspace's files, their tokens, and why a file is left out."),
    "select": ("dce.cli.select", "Choose the files that go into the prompt."),
    "consent": ("dce.cli.consent", "Show which hosts this workspace would contact, or agree to some."),
    "secrets": ("dce.cli.secrets", "Find secrets before they are sent, and allow false findings."),
    "cycle": ("dce.cli.cycle", "The iterations of the work, and what each asks for."),
    "prompt": ("dce.cli.prompt", "Write .dce/prompt.md and show its tokens by section."),
    "generate": ("dce.cli.generate", "Have the model write N responses to the cycle's prompt."),
    "stop": ("dce.cli.stop", "Stop one response, or all, of a running generation."),
    "continue": ("dce.cli.continue_", "Continue a response that was cut off."),
    "regenerate": ("dce.cli.regenerate", "Generate responses again from the same prompt."),
    "follow-up": ("dce.cli.follow_up", "Have the model make a new answer from one: a reply, a repair or a fusion."),
    "paste": ("dce.cli.paste", "Put an answer from a file, or standard input, into a slot."),
    "board": ("dce.cli.board", "The ranked table of a generation's responses (default: the latest)."),
    "judge": ("dce.cli.judge", "Ask a model which of the responses at the top is best, each pair in both orders."),
    "show": ("dce.cli.show", "One response: its text exactly as the model wrote it, or parts of it."),
    "diff": ("dce.cli.diff", "A response against the workspace, or against response OTHER of the same generation."),
    "run-checks": (
        "dce.cli.run_checks",
        "Run the project's checks (.dce/checks.toml) on responses, in isolation; without SLOT, on all that contain files.",
    ),
    "checks": ("dce.cli.checks", "Propose checks (.dce/checks.toml) from the project's files."),
    "accept": ("dce.cli.accept", "Write a response's files into the workspace."),
    "restore": (
        "dce.cli.restore",
        "Put back what the last accept of this cycle changed: bytes, modes, names and files.",
    ),
    "stats": (
        "dce.cli.stats",
        "Show how often you accepted the response ranked first, and how often accepted ones passed their checks or were restored.",
    ),
    "history": ("dce.cli.history", "List every cycle, or search the cycles and responses."),
    "export": ("dce.cli.export", "Write the history to a file that `dce import` reads."),
    "import": ("dce.cli.import_history", "Add a history from a file to this workspace."),
    "store": ("dce.cli.store", "Check the store, recover a damaged one, or restore a backup."),
    "settings": ("dce.cli.settings", "Settings of this workspace, and its model cards."),
    "panel": ("dce.cli.panel", "Serve the web panel of a workspace."),
    "doctor": ("dce.cli.doctor", "Find the hop that fails between here and the model, and the fix."),
    "gateway": ("dce.cli.gateway", "The hosted side: serve, check, keys, usage."),
    "engine": ("dce.cli.engine", "The embedded engine as an OpenAI-compatible server."),
    "completion": ("dce.cli.completion", "Print the script that completes dce's verbs in your shell."),
}
"""Verb → the module that defines it as `command`, and its line in `dce --help` (a test compares the line with the module's own)."""


_EXTRA_OF_MODULE = {
    "uvicorn": "gateway",
    "uvloop": "gateway",
    "httptools": "gateway",
    "prometheus_client": "gateway",
    "starlette": "panel",
    "xllamacpp": "engine",
}
"""Module that the plain install leaves out → the extra that installs it."""


class Verbs(click.Group):
    """A group whose commands are modules, each imported when its verb is named."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in VERBS:
            return None
        command: click.Command = importlib.import_module(VERBS[cmd_name][0]).command
        if not gc.isenabled():
            gc.freeze()  # loaded modules stay: no later collection needs to scan them
            gc.enable()
        return command

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        verb = args[0] if args else ""
        if verb and not verb.startswith("-") and verb not in VERBS:
            raise click.UsageError(advice(f"No such verb {verb!r}.", did_you_mean(nearest(verb, VERBS))), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Verbs"):
            formatter.write_dl([(verb, text) for verb, (_, text) in VERBS.items()])

    def invoke(self, ctx: click.Context) -> Any:
        try:
            result = super().invoke(ctx)
            sys.stdout.flush()
        except BrokenPipeError:
            _silence_stdout()
            ctx.exit(Exit.PIPE_CLOSED)
        return result


@click.group(cls=Verbs, context_settings={"help_option_names": ["-h", "--help"]}, epilog="Start with: dce demo")
@click.version_option(__version__, prog_name="dce")
def cli() -> None:
    """Best-of-N coding on your own model server: one exact prompt, N responses, judged, accepted and undone safely."""


def main(argv: Sequence[str] | None = None) -> int:
    """Runs the command line `argv` (the process's own when None) and returns its exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    _write_any_text()
    if argv is not None:
        return _run(arguments)
    gc.disable()  # importing a verb makes no garbage; `get_command` enables collection before the verb runs
    try:
        return _run(arguments)
    finally:
        gc.freeze()  # the process is ending: one last collection takes longer than many verbs do


def _run(arguments: list[str]) -> int:
    try:
        result = cli.main(args=arguments, prog_name="dce", standalone_mode=False)
    except DceError as error:
        _debug()
        report(error, _is_json(arguments))
        return exit_of(error)
    except click.Abort:
        note("interrupted")
        return Exit.INTERRUPTED
    except click.ClickException as error:
        return _usage(error, _is_json(arguments))
    except ModuleNotFoundError as error:
        _debug()
        missing = _missing(error)
        report(missing, _is_json(arguments))
        return exit_of(missing) if missing.code != "internal" else Exit.FAULT
    except Exception as error:  # noqa: BLE001 - the edge: a bug in DCE must still become a message
        _debug()
        report(_fault(error), _is_json(arguments))
        return Exit.FAULT
    return int(result) if isinstance(result, int) else Exit.DONE


def _is_json(arguments: Sequence[str]) -> bool:
    # Read from the arguments, not from click: a usage error is raised before click has parsed the option.
    before = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in before


def _usage(error: click.ClickException, is_json: bool) -> int:
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return Exit.USAGE
    if is_json:
        report(DceError("invalid_input", error.format_message(), hint="See `dce VERB --help`."), is_json)
    else:
        error.show()
    return Exit.USAGE


def _fault(error: Exception) -> DceError:
    fact = f"{type(error).__name__}: {error}"
    return DceError(
        "internal", fact, hop=Hop.CLIENT, hint="This is a bug in DCE: run it again with DCE_DEBUG=1 and report it."
    )


def _missing(error: ModuleNotFoundError) -> DceError:
    extra = _EXTRA_OF_MODULE.get(str(error.name).partition(".")[0])
    if extra is None:
        return _fault(error)
    fact = f"this verb needs {error.name}, which the plain install does not include"
    return DceError("invalid_input", fact, hint=f"pip install 'dce[{extra}]'; 'dce[demo]' includes everything.")


def _debug() -> None:
    if os.environ.get("DCE_DEBUG") == "1":
        traceback.print_exc()


def _write_any_text() -> None:
    # On a terminal that is not UTF-8, ✓ prints as \u2713; without this the verb would end with an encoding error.
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _silence_stdout() -> None:
    # Python flushes standard output once more at exit; on a closed pipe that would print a warning.
    try:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (OSError, ValueError, io.UnsupportedOperation):
        return


if __name__ == "__main__":
    sys.exit(main())
