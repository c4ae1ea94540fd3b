"""`dce gateway`: the hosted side. Every field of `GatewaySettings` is a flag of `serve` and `check`."""

import asyncio
import contextlib
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dce.cli.context import Verb, json_option
from dce.cli.exits import Exit
from dce.cli.output import error_text, note, say, say_json
from dce.gateway.settings import GatewaySettings, load_settings
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.gateway.keys import KeyStore

_LISTS: dict[str, tuple[str, str]] = {"backends": ("--backend", "URL"), "aliases": ("--alias", "NAME=MODEL")}
"""Fields that hold several values: the flag that is given once for each, and its value's form."""

_TYPES: dict[type, type] = {
    msgspec.inspect.IntType: int,
    msgspec.inspect.FloatType: float,
    msgspec.inspect.StrType: str,
}

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@click.group(name="gateway")
def command() -> None:
    """The hosted side: serve, check, keys."""


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
    if field.name in _LISTS:
        flag, metavar = _LISTS[field.name]
        return click.option(flag, field.name, multiple=True, metavar=metavar, help=text)
    flag = "--" + field.name.replace("_", "-")
    if isinstance(kind, msgspec.inspect.BoolType):
        return click.option(flag, field.name, is_flag=True, default=None, help=text)
    shown = f" (default: {field.default})" if field.default not in (msgspec.NODEFAULT, "") else ""
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
    """Serve until Ctrl-C. Refuses to start without a key (see `dce gateway keys create`)."""
    settings = _settings(config, flags)
    from dce.gateway.server import GatewayServer  # noqa: PLC0415

    server = GatewayServer(settings)
    backends = ", ".join(backend.url for backend in settings.backends)
    note(f"gateway on {server.url} · backends: {backends}" + (" · WITHOUT KEYS" if settings.insecure else ""))
    with contextlib.suppress(KeyboardInterrupt):  # the ordinary end of a server; uvicorn has closed everything by then
        server.run()
    note("gateway stopped")


@command.command()
@_settings_options
@json_option
@click.pass_context
def check(ctx: click.Context, /, config: Path | None, is_json: bool, **flags: Any) -> None:
    """Validate the settings and reach every backend, without serving. Ends with 4 if one cannot be used."""
    settings = _settings(config, flags)
    from dce.gateway.server import check as reach  # noqa: PLC0415

    found = asyncio.run(reach(settings))
    if is_json:
        say_json(
            [
                {"url": url, "ok": not fault, "error": fault and fault.body(), "models": models}
                for url, fault, models in found
            ]
        )
    else:
        for url, fault, models in found:
            say(f"✗ {url}\n{error_text(fault)}" if fault else f"✓ {url} serves {', '.join(models) or 'no model'}")
    ctx.exit(Exit.UNREACHABLE if any(fault for _, fault, _ in found) else Exit.DONE)


@command.group()
def keys() -> None:
    """Who may use the gateway. A running gateway notices changes at once."""


def _data_dir_option(verb: Verb) -> Verb:
    return click.option(
        "--data-dir", metavar="DIR", help="The gateway's data folder (default: DCE_DATA_DIR, or that of `serve`)."
    )(verb)


@contextmanager
def _key_store(data_dir: str | None) -> Iterator["KeyStore"]:
    from dce.gateway.keys import KeyStore  # noqa: PLC0415

    folder = Path(load_settings(None, data_dir=data_dir).data_dir)
    try:
        store = KeyStore(folder)
    except OSError as error:
        raise DceError("invalid_input", f"cannot use the data folder {folder}: {error.strerror}") from None
    try:
        yield store
    finally:
        store.close()


@keys.command()
@click.argument("name")
@click.option("--expires", metavar="D", help="When it ends: 12h, 30d, or a date such as 2027-01-31 (UTC).")
@json_option
@_data_dir_option
def create(name: str, expires: str | None, is_json: bool, data_dir: str | None) -> None:
    """Make a key and print it, alone on standard output. It is not kept and cannot be shown again."""
    expires_at = None if expires is None else _moment(expires, time.time())
    with _key_store(data_dir) as store:
        key, secret = store.create(name, expires_at=expires_at)
    if is_json:
        say_json({**msgspec.to_builtins(key), "key": secret})
        return
    note(f"key {key.id} for {key.name}{_until(key.expires_at)}; this is the only time it is shown:")
    say(secret)


@keys.command(name="list")
@json_option
@_data_dir_option
def list_(is_json: bool, data_dir: str | None) -> None:
    """Print all keys, revoked ones too; never a secret."""
    with _key_store(data_dir) as store:
        found = store.list()
    if is_json:
        say_json(found)
        return
    for key in found:
        state = (
            f"revoked {_date(key.revoked_at)}"
            if key.revoked_at
            else f"made {_date(key.created_at)}{_until(key.expires_at)}"
        )
        say(f"{key.id}  {key.name}  {state}")
    if not found:
        note("no keys yet: dce gateway keys create NAME")


@keys.command()
@click.argument("name_or_id", metavar="NAME|ID")
@json_option
@_data_dir_option
def revoke(name_or_id: str, is_json: bool, data_dir: str | None) -> None:
    """End a key at once, by its id, or all of a name."""
    with _key_store(data_dir) as store:
        revoked = store.revoke(name_or_id)
    if is_json:
        say_json(revoked)
        return
    for key in revoked:
        say(f"revoked {key.id} ({key.name})")


def _moment(text: str, now: float) -> float:
    """`30d` from `now`, or a UTC date or date and time, as seconds since the epoch."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    try:
        moment = now + int(match[1]) * _UNITS[match[2]] if match else _parse_date(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither 30d nor a date", param_hint="--expires") from None
    if moment <= now:
        raise click.BadParameter(f"{text} is in the past", param_hint="--expires")
    return moment


def _parse_date(text: str) -> float:
    parsed = datetime.fromisoformat(text)
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def _date(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")


def _until(expires_at: float | None) -> str:
    return f", until {_date(expires_at)} UTC" if expires_at else ""
