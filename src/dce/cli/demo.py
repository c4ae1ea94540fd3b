"""`dce demo`: engine, gateway and panel on this machine, a sample workspace, and one generation through all of them.

What must hold: nothing is faked (the key, the stream, the tests and the files are real); however the demo ends, engine and
gateway end with it; the workspace it made stays usable from another terminal.
"""

import asyncio
import contextlib
import os
import shlex
import shutil
import signal
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.exits import Exit
from dce.cli.local_chain import local_chain, require_parts
from dce.cli.output import note, say
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.engine.process import EngineProcess
    from dce.panel.server import PanelServer
    from dce.workspace.judging.board import BoardRow
    from dce.workspace.project import Project
    from dce.workspace.record.generations import Generation
    from dce.workspace.workspace import Workspace

PANEL_PORTS = 20
"""How many ports are tried for the panel, starting from the requested one."""

WATCH_S = 1.0
"""Seconds between a serving demo's checks that its engine is alive."""

MODEL_NOTE = (
    "The model is SmolLM2-135M: 100 MB, on this machine's processor. It fills in one-line stubs, sometimes correctly;"
    " real work needs a real model on a real server."
)


@click.command(name="demo")
@click.option("--exit", "is_exit", is_flag=True, help="Exit after the board, with 0 if everything worked.")
@click.option("-n", "n", type=click.IntRange(1, 20), default=10, show_default=True, help="How many responses.")
@click.option(
    "--workspace",
    "-C",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for the sample: new, empty, or from an earlier demo (default: a temporary one).",
)
@click.option("--port", type=click.IntRange(0, 65_535), default=8765, show_default=True, help="The panel's port.")
@click.pass_context
def command(ctx: click.Context, is_exit: bool, n: int, folder: Path | None, port: int) -> None:
    """Everything on this machine: engine, gateway, panel and one generation.

    Serves until Ctrl-C; the workspace is kept, so that `dce board`, `dce accept` and `dce restore` work in it.
    """
    require_parts()
    from dce.cli.sample import make_folder  # noqa: PLC0415

    started = time.monotonic()
    with _folder(folder, is_temporary=folder is None and is_exit) as place:
        project = make_folder(place)
        with _served(project) as engine:
            ctx.exit(_generate_and_show(project, engine, n, port, started, is_exit=is_exit))


@contextlib.contextmanager
def _folder(given: Path | None, *, is_temporary: bool) -> Iterator[Path]:
    """The workspace's folder. One that is temporary is removed afterwards, unless something went wrong."""
    folder = given or Path(tempfile.mkdtemp(prefix="dce-demo-"))
    try:
        yield folder
    except click.exceptions.Exit as end:
        if is_temporary and end.exit_code == 0:
            shutil.rmtree(folder, ignore_errors=True)
        raise


@contextlib.contextmanager
def _served(project: "Project") -> Iterator["EngineProcess"]:
    """Starts engine and gateway, and writes them into the workspace's settings."""
    from dce.cli.sample import configure  # noqa: PLC0415

    say(MODEL_NOTE)
    with local_chain(project.state_dir, "demo") as chain:
        configure(project, chain.url, chain.secret)
        say(f"engine    {chain.engine.url}  {chain.engine.model}, process {chain.engine.pid}")
        say(f"gateway   {chain.url}  key {chain.key_id}")
        say(f"workspace {project.root}")
        _warn_of_environment()
        yield chain.engine


def _warn_of_environment() -> None:
    shadowing = [name for name in ("DCE_URL", "DCE_API_KEY") if os.environ.get(name)]
    if shadowing:
        note(f"note: {' and '.join(shadowing)} in this environment override the demo's settings in other terminals")


def _generate_and_show(
    project: "Project", engine: "EngineProcess", n: int, port: int, started: float, *, is_exit: bool
) -> Exit:
    from dce.cli.board import print_board  # noqa: PLC0415
    from dce.cli.evidence import say_behaviour, say_first  # noqa: PLC0415
    from dce.cli.sample import curate  # noqa: PLC0415
    from dce.workspace.judging.behaving import find_comparison  # noqa: PLC0415
    from dce.workspace.judging.board import board  # noqa: PLC0415
    from dce.workspace.settings import Settings, load_settings  # noqa: PLC0415
    from dce.workspace.workspace import Workspace  # noqa: PLC0415

    settings = load_settings(project, {}, n=n)  # ignores this shell's environment: the demo uses its own gateway
    with Workspace.open(project, settings) as workspace:
        cycle = curate(workspace)
        generation, code = asyncio.run(_generate(workspace, cycle.id, n))
        if code is Exit.INTERRUPTED:
            return code
        rows = board(workspace, generation.id)
        found = find_comparison(workspace, generation.id)
    say()
    print_board(rows, f"generation {generation.id}: {n} responses to one prompt, best first")
    say_first(rows, ())
    say_behaviour(found, is_full=False)
    say()
    _say_outcome(rows, time.monotonic() - started)
    if not engine.is_alive:
        note(f"the engine ended during the demo (exit code {engine.exit_code}); its log: {engine.log}")
    if code is Exit.DONE and not any(row.parse != "failed" for row in rows):
        code = Exit.NO

    def settings_of(card: str) -> Settings:
        return load_settings(project, {}, n=n, card=card)

    with (
        Workspace.open(project, settings, settings_of=settings_of) as workspace,
        _panel(workspace, port) as panel,
    ):
        if is_exit:
            say(f"The panel would serve at {panel.address}; without --exit it keeps running.")
        else:
            _serve(panel, engine, project, rows)
    return code


async def _generate(workspace: "Workspace", cycle_id: int, n: int) -> "tuple[Generation, Exit]":
    """Runs one generation, then the sample's own tests on each response, and compares those that pass; in one live view."""
    from dce.cli.progress import open_view  # noqa: PLC0415
    from dce.cli.running import Run  # noqa: PLC0415
    from dce.workspace.judging.behaving import compare_behaviour  # noqa: PLC0415
    from dce.workspace.judging.checking import check_responses, commands_to_run  # noqa: PLC0415
    from dce.workspace.judging.command_consent import CommandConsents  # noqa: PLC0415
    from dce.workspace.project import PROMPT_FILE  # noqa: PLC0415

    with workspace.writer_lock("demo"):
        generation = await workspace.preparation.begin(cycle_id, n)
        say(f"prompt    {PROMPT_FILE}, {generation.prompt_tokens:,} tokens: sending it once, for {n} responses\n")
        with open_view() as view:
            code = await Run(workspace, generation, view).to_end()
            if code is Exit.DONE:
                # The sample and its checks are DCE's own.
                CommandConsents(workspace.store.meta).give(await commands_to_run(workspace))
                await check_responses(workspace, generation.id, on_event=view.on_event)
                await compare_behaviour(workspace, generation.id)
    return generation, code


def _say_outcome(rows: "list[BoardRow]", elapsed_s: float) -> None:
    parsed = sum(row.parse != "failed" for row in rows)
    right = [row.slot for row in rows if row.checks and not row.checks.failed and row.checks.passed]
    say(
        f"{parsed} of {len(rows)} parsed, {len(right)} pass all of the sample's tests; {elapsed_s:.0f} s from start to board."
    )
    if right:
        say(f"Best: response {right[0]}.")
    elif parsed:
        say("None is correct this time, which happens with a model this small: run the demo again.")


def _panel(workspace: "Workspace", wanted: int) -> "PanelServer":
    """A panel, not yet started, on the requested port or the next free one. DceError invalid_input if none of twenty is free."""
    from dce.cli.panel import panel_tools  # noqa: PLC0415
    from dce.panel.server import PanelServer  # noqa: PLC0415

    for port in range(wanted, min(wanted + PANEL_PORTS, 65_536)):
        if port and not _is_free(port):
            continue
        if port != wanted:
            note(f"port {wanted} is in use: the panel uses {port}")
        return PanelServer(workspace, port=port, tools=panel_tools(workspace.project))
    raise DceError(
        "invalid_input",
        f"none of the {PANEL_PORTS} ports from {wanted} is free for the panel",
        hint="Name one with --port.",
    )


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True


def _serve(panel: "PanelServer", engine: "EngineProcess", project: "Project", rows: "list[BoardRow]") -> None:
    """Serves until Ctrl-C or SIGTERM, which count as a normal end. If the engine dies, says so; the panel keeps running."""
    stop = threading.Event()
    before = {number: signal.signal(number, lambda *_: stop.set()) for number in (signal.SIGINT, signal.SIGTERM)}
    say()
    say(f"Panel: {panel.url}")
    say(
        f"In another terminal: cd {shlex.quote(str(project.root))} && dce accept {rows[0].slot}   (dce restore undoes it)"
    )
    note("Ctrl-C ends the demo" + ("; Enter prints another link to the panel" if sys.stdin.isatty() else ""))
    if sys.stdin.isatty():
        threading.Thread(target=_links, args=(panel,), daemon=True).start()
    was_alive = True
    while not stop.wait(WATCH_S):
        if was_alive and not engine.is_alive:
            was_alive = False
            note(
                f"the engine has ended (exit code {engine.exit_code}); its log: {engine.log}. Existing responses can still be judged."
            )
    for number, handler in before.items():
        signal.signal(number, handler)
    note(f"the demo has ended; the workspace is kept: {project.root}")


def _links(panel: "PanelServer") -> None:
    for _ in sys.stdin:
        say(panel.url)
