"""`dce panel`: the web panel of a workspace, until Ctrl-C.

What must hold: the link is printed once the panel answers; it holds a one-time token, so Enter prints a fresh one; Ctrl-C stops
running responses and keeps what has arrived.
"""

import os
import signal
import sys
import threading
import webbrowser
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from dce.cli.context import cards_of, gateway_options, open_served_workspace, schema_option, workspace_option
from dce.cli.output import note, say
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from types import FrameType

    from dce.panel.server import PanelServer
    from dce.panel.tools import Tools
    from dce.workspace.project import Project


@click.command(name="panel")
@click.option("--host", default="127.0.0.1", show_default=True, help="Loopback only: 127.0.0.1, localhost or ::1.")
@click.option("--port", type=click.IntRange(0, 65535), default=8765, show_default=True, help="0: any free one.")
@click.option("--init", "is_init", is_flag=True, help="Make the folder a workspace first, if it is not one.")
@click.option("--no-open", is_flag=True, help="Print the link without opening a browser.")
@click.option("--model", metavar="M", help="The model to ask.")
@schema_option
@click.option("-n", type=int, metavar="N", help="Default number of responses.")
@gateway_options
@workspace_option
def command(host: str, port: int, is_init: bool, no_open: bool, directory: Path, **flags: object) -> None:
    """Serve the web panel of a workspace.

    It serves this machine only. The printed link works once; press Enter for another one, Ctrl-C to stop. In a folder that is not a
    workspace yet, it offers to make it one.
    """
    try:
        from dce.cli.demo_server import CARD, DemoServer, can_serve  # noqa: PLC0415
        from dce.panel.server import PanelServer  # noqa: PLC0415
        from dce.workspace.project import Project  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise click.ClickException(f"{error.name} is not installed: pip install 'dce[panel]'") from error

    _ensure_workspace(directory, is_init=is_init)
    with (
        DemoServer(Project.find(directory).state_dir) as demo,
        open_served_workspace(directory, {CARD: demo.settings}, flags) as workspace,
        PanelServer(
            workspace, host, port, tools=panel_tools(workspace.project, (CARD,) if can_serve() else ())
        ) as server,
    ):
        link = server.url
        say(link)
        note("Ctrl-C stops the panel" + ("; Enter prints another link" if sys.stdin.isatty() else ""))
        if not no_open:
            webbrowser.open(link)
        _serve(server)


def _ensure_workspace(directory: Path, *, is_init: bool) -> None:
    """Makes `directory` a workspace if it is not in one and the user agrees, by the flag or at the terminal."""
    from dce.workspace.project import Project  # noqa: PLC0415

    try:
        Project.find(directory)
    except DceError as error:
        question = (
            f"{directory.resolve()} is not a workspace yet. Make it one? (adds a folder .dce, changes nothing else)"
        )
        if not is_init and not (sys.stdin.isatty() and click.confirm(question, default=True, err=True)):
            raise DceError(error.code, error.message, hint="`dce panel --init` makes this folder one.") from None
        note(f"made a workspace: {Project.init(directory).root}")


def panel_tools(project: "Project", servers: tuple[str, ...] = ()) -> "Tools":
    """What only the command line can give the panel: the cards with this system's keyring, the doctor, and the names of cards it serves."""
    import dce.doctor.tree as doctor  # noqa: PLC0415
    from dce.cli.doctor import proxy_environment  # noqa: PLC0415
    from dce.panel.tools import Check, Diagnosis, DoctorTarget, Tools  # noqa: PLC0415

    async def examine(target: DoctorTarget, on_check: Callable[[Check], None]) -> Diagnosis:
        options = doctor.Options(url=target.url, key=target.key, model=target.model)
        return await doctor.examine(options, proxy_environment(os.environ), on_check)

    return Tools(cards=cards_of(project.root), examine=examine, servers=servers)


def _serve(server: "PanelServer") -> None:
    """Serves until Ctrl-C or SIGTERM, which count as a normal end."""

    def end(number: int, frame: "FrameType | None") -> None:  # noqa: ARG001 - the signal module's signature
        server.request_stop()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end)
    if sys.stdin.isatty():
        threading.Thread(target=_links, args=(server,), daemon=True).start()
    server.wait()


def _links(server: "PanelServer") -> None:
    for _ in sys.stdin:
        say(server.url)
