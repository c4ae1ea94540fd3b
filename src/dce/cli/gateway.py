"""`dce gateway`: the gateway's verbs. Every field of `GatewaySettings` is a flag of `serve` and `check`."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dce.cli.context import Verb, json_option
from dce.cli.exits import Exit
from dce.cli.gateway_keys import keys
from dce.cli.gateway_usage import usage
from dce.cli.output import error_text, note, say, say_json
from dce.gateway.settings import GatewaySettings, load_settings
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.gateway.check import Report

_LISTS: dict[str, tuple[str, str]] = {
    "backends": ("--backend", "URL"),
    "aliases": ("--alias", "NAME=MODEL"),
    "cors_origins": ("--cors-origin", "ORIGIN"),
    "allowed_fields": ("--allowed-field", "NAME"),
}
"""Fields that hold several values → the flag, given once per value, and the form of a value."""

_TYPES: dict[type, type] = {
    msgspec.inspect.IntType: int,
    msgspec.inspect.FloatType: float,
    msgspec.inspect.StrType: str,
}


@click.group(name="gateway")
def command() -> None:
    """The hosted side: serve, check, keys, usage."""


def _settings_options(verb: Verb) -> Verb:
    """`--config F` and a flag for every field of the settings, with its description and default."""
    info = msgspec.inspect.type_info(GatewaySettings)
    for field in reversed(info.fields if isinstance(info, msgspec.inspect.StructType) else ()):
        verb = _flag(field)(verb)
    config = click.option("--config", type=click.Path(path_type=Path), metavar="F", help="A TOML file of settings.")
    return config(verb)


def _flag(field: msgspec.inspect.Field) -> Callable[[Verb], Verb]:
    kind, text = field.type, ""
    if isinstance(kind, msgspec.inspect.Metadata):
        text = str((kind.extra_json_schema or {}).get("description", ""))
        kind = kind.type
    if isinstance(kind, msgspec.inspect.UnionType):  # a number or None
        kind = next(one for one in kind.types if not isinstance(one, msgspec.inspect.NoneType))
    if field.name in _LISTS:
        flag, metavar = _LISTS[field.name]
        return click.option(flag, field.name, multiple=True, metavar=metavar, help=text)
    flag = "--" + field.name.replace("_", "-")
    if isinstance(kind, msgspec.inspect.BoolType):
        return click.option(flag, field.name, is_flag=True, default=None, help=text)
    shown = f" (default: {field.default})" if field.default not in (msgspec.NODEFAULT, "", None) else ""
    if isinstance(kind, msgspec.inspect.LiteralType):
        return click.option(
            flag, field.name, type=click.Choice([str(value) for value in kind.values]), help=f"{text}{shown}"
        )
    return click.option(flag, field.name, type=_TYPES[type(kind)], help=f"{text}{shown}")


def _settings(config: Path | None, flags: dict[str, Any]) -> GatewaySettings:
    given = {name: value for name, value in flags.items() if value not in (None, ())}
    if "aliases" in given:
        given["aliases"] = dict(_alias(text) for text in given["aliases"])
    return load_settings(config, **given)


def _alias(text: str) -> tuple[str, str]:
    name, sign, model = text.partition("=")
    if not sign or not name or not model:
        raise click.BadParameter(f"{text!r} is not NAME=MODEL", param_hint="--alias")
    return name, model


@command.command()
@_settings_options
def serve(config: Path | None, **flags: Any) -> None:
    """Serve until Ctrl-C, which lets running responses finish; a second Ctrl-C ends them. Refuses to start without a key (see `dce gateway keys create`).

    With --config, SIGHUP reads the file again; if it cannot be applied, nothing changes and the log says why.
    """
    settings = _settings(config, flags)
    from dce.gateway.logs import logging_to  # noqa: PLC0415
    from dce.gateway.server import GatewayServer  # noqa: PLC0415

    server = GatewayServer(settings, (lambda: _settings(config, flags)) if config else None)
    backends = ", ".join(backend.url for backend in settings.backends)
    note(f"gateway on {server.url} · backends: {backends}" + (" · WITHOUT KEYS" if settings.insecure else ""))
    if settings.legacy != "off":
        note(f"legacy profile: {settings.legacy} (docs/operations/legacy.md); `dce gateway check` says what it opens")
    if server.admin_url:
        note(f"metrics and status on {server.admin_url}")
    with logging_to(sys.stderr, settings.log_level):
        server.run()
    note("gateway stopped")


@command.command()
@_settings_options
@json_option
@click.pass_context
def check(ctx: click.Context, /, config: Path | None, is_json: bool, **flags: Any) -> None:
    """Validate the settings, contact every backend, and warn of what is unsafe, without serving.

    Ends with 0 even when there are warnings; 3 when the settings are wrong; 4 when a backend cannot be used.
    """
    settings = _settings(config, flags)
    from dce.gateway.check import check as run_check  # noqa: PLC0415

    report = asyncio.run(run_check(settings, config))
    if is_json:
        say_json(report)
    else:
        _show(report)
    ctx.exit(Exit.DONE if report.ok else Exit.UNREACHABLE)


def _show(report: "Report") -> None:
    for backend in report.backends:
        if backend.error:
            say(f"✗ {backend.url}\n{error_text(DceError.from_body(backend.error))}")
            continue
        models = [f"{m.id} ({m.context:,} tokens)" if m.context else m.id for m in backend.models]
        say(f"✓ {backend.url} ({backend.kind}) serves {', '.join(models) or 'no model'}")
    for caution in report.cautions:
        say(f"! {caution.name}: {caution.detail}\n    better: {caution.fix}")


command.add_command(keys)
command.add_command(usage)
