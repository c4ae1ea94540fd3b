"""`dce engine`: the embedded engine as an OpenAI-compatible server."""

import threading

import click

from dce.cli.output import note, say


@click.group(name="engine")
def command() -> None:
    """The embedded engine as an OpenAI-compatible server."""


@command.command()
@click.option("--port", type=click.IntRange(0, 65_535), default=8000, show_default=True, help="0: any free one.")
@click.option("--host", default="127.0.0.1", show_default=True, metavar="ADDRESS", help="Where to listen.")
@click.option(
    "--threads", type=click.IntRange(1, 256), help="Threads for generation (default: half of the processors)."
)
def serve(port: int, host: str, threads: int | None) -> None:
    """Serve SmolLM2-135M until Ctrl-C.

    It needs no GPU and no network, and it is tiny: good for trying DCE and for tests, not for real work. It requires no key, so
    keep it on this machine and put `dce gateway serve` in front of it.
    """
    from dce.engine import embedded  # noqa: PLC0415

    stop = threading.Event()
    embedded.stop_on_signals(stop)
    settings = embedded.EmbeddedSettings(host=host, port=port, threads=threads or embedded.usable_threads())
    embedded.serve(settings, lambda url: say(f"{embedded.MODEL} at {url}/v1 — Ctrl-C ends it"), stop)
    note("the engine has ended")
