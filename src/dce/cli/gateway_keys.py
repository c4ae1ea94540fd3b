"""`dce gateway keys`: who may use the gateway, and how much. A running gateway applies changes from its next request."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec

from dce.cli.context import Verb, json_option
from dce.cli.moments import date_text, end_moment, span
from dce.cli.output import note, say, say_json
from dce.gateway.access.limits import NO_LIMITS, Limits
from dce.gateway.settings import load_settings
from dce.wire.errors import DceError

if TYPE_CHECKING:
    from dce.gateway.access.keys import Key, KeyStore

_NONE = ("0", "none", "never", "")
"""Values that remove a limit."""


_HELP = {
    "rpm": "Requests per minute.",
    "tpm": "Prompt and answer tokens per minute.",
    "concurrency": "Responses at once; more wait in the queue.",
    "max_n": "Responses per request.",
}


@click.group()
def keys() -> None:
    """Who may use the gateway, and how much. A running gateway notices changes at once."""


def _limits_options(verb: Verb) -> Verb:
    """A flag for each limit. A flag that is not given changes nothing."""
    verb = click.option(
        "--weight", type=float, metavar="N", help="Share when requests of several keys are waiting (default: 1)."
    )(verb)
    verb = click.option("--budget", metavar="N/day", help="Tokens per day, per month, or in total: N/day, N/month, N.")(
        verb
    )
    models = "Allowed models, by the names that clients use."
    verb = click.option("--models", metavar="A,B", help=models)(verb)
    for name in reversed(_HELP):
        flag = "--" + name.replace("_", "-")
        verb = click.option(flag, name, metavar="N", help=_HELP[name])(verb)
    expires = "When the key expires: 12h, 30d, or a date such as 2027-01-31 (UTC)."
    return click.option("--expires", metavar="D", help=expires)(verb)


def _changes(
    expires: str | None, budget: str | None, models: str | None, weight: float | None, **counts: str | None
) -> dict[str, Any]:
    """The given flags as fields of a key."""
    given: dict[str, Any] = {
        name: _limit(text, "--" + name.replace("_", "-")) for name, text in counts.items() if text is not None
    }
    if expires is not None:
        given["expires_at"] = None if expires in _NONE else end_moment(expires, time.time(), "--expires")
    if models is not None:
        given["models"] = [] if models in _NONE else [name.strip() for name in models.split(",") if name.strip()]
    if weight is not None:
        given["weight"] = weight
    if budget is not None:
        amount, _, period = budget.partition("/")
        given["budget_tokens"] = _limit(amount, "--budget")
        given["budget_period"] = period or "total"
    return given


def _limit(text: str, flag: str) -> int | None:
    """A whole number, also written 100_000; None for no limit."""
    if text in _NONE:
        return None
    digits = text.replace("_", "").replace(",", "")
    if not (digits.isascii() and digits.isdigit()):
        raise click.BadParameter(f"{text!r} is neither a whole number nor `none`", param_hint=flag)
    return int(digits)


def data_dir_option(verb: Verb) -> Verb:
    """`--data-dir DIR`."""
    return click.option(
        "--data-dir", metavar="DIR", help="The gateway's data folder (default: DCE_DATA_DIR, or that of `serve`)."
    )(verb)


@contextmanager
def key_store(data_dir: str | None, *, may_create: bool = False) -> Iterator["KeyStore"]:
    """The keys of a data folder, closed afterwards. A folder without keys is initialized only if `may_create`: otherwise a mistyped
    name would create an empty folder and report that there are no keys. Raises not_found."""
    from dce.gateway.access.keys import FILE, KeyStore  # noqa: PLC0415

    folder = Path(load_settings(None, data_dir=data_dir).data_dir)
    try:
        if not may_create and not (folder / FILE).exists():
            raise DceError(
                "not_found",
                f"there are no keys in {folder}",
                hint="Name the gateway's data folder with --data-dir or DCE_DATA_DIR; `dce gateway keys create NAME` creates its first key.",
            )
        store = KeyStore(folder)
    except OSError as error:
        raise DceError("invalid_input", f"cannot use the data folder {folder}: {error.strerror}") from None
    try:
        yield store
    finally:
        store.close()


@keys.command()
@click.argument("name")
@_limits_options
@json_option
@data_dir_option
def create(name: str, is_json: bool, data_dir: str | None, **flags: Any) -> None:
    """Create a key and print it, alone on standard output. It is not stored and cannot be shown again."""
    from dce.gateway.access.keys import changed  # noqa: PLC0415

    given = _changes(**flags)
    expires_at = given.pop("expires_at", None)
    with key_store(data_dir, may_create=True) as store:
        key, secret = store.create(name, expires_at=expires_at, limits=changed(NO_LIMITS, given))
    _show_secret(key, secret, is_json, f"key {key.id} for {key.name}{_until(key.expires_at)}{_tail(key.limits)}")


@keys.command()
@click.argument("name_or_id", metavar="NAME|ID")
@_limits_options
@json_option
@data_dir_option
def edit(name_or_id: str, is_json: bool, data_dir: str | None, **flags: Any) -> None:
    """Change a key's limits or expiry; 0 or `none` removes a limit, options not given change nothing."""
    given = _changes(**flags)
    if not given:
        raise click.UsageError("nothing to change: name a limit, such as --rpm 60")
    with key_store(data_dir) as store:
        key = store.edit(name_or_id, given)
    if is_json:
        say_json(key)
        return
    say(f"{key.id}  {key.name}{_until(key.expires_at)}  {limits_text(key.limits) or 'no limits'}")


@keys.command()
@click.argument("name_or_id", metavar="NAME|ID")
@click.option(
    "--overlap",
    default="24h",
    metavar="SPAN",
    help="How long the old secret keeps working (default: 24h); 0: it stops now.",
)
@json_option
@data_dir_option
def rotate(name_or_id: str, overlap: str, is_json: bool, data_dir: str | None) -> None:
    """Give a key a new secret and print it, alone on standard output. The key keeps its limits and usage."""
    overlap_s = 0.0 if overlap == "0" else span(overlap)
    if overlap_s is None:
        raise click.BadParameter(f"{overlap!r} is not a span such as 24h", param_hint="--overlap")
    with key_store(data_dir) as store:
        key, secret = store.rotate(name_or_id, overlap_s)
    end = (
        f"the old secret works until {date_text(key.rotated_until or 0)} UTC"
        if overlap_s
        else "the old secret no longer works"
    )
    _show_secret(key, secret, is_json, f"new secret for key {key.id} ({key.name}); {end}")


@keys.command(name="list")
@json_option
@data_dir_option
def list_(is_json: bool, data_dir: str | None) -> None:
    """Print all keys with their limits, including revoked ones; never a secret."""
    with key_store(data_dir) as store:
        found = store.list()
    if is_json:
        say_json(found)
        return
    for key in found:
        say(f"{key.id}  {key.name}  {_state(key)}{_tail(key.limits)}")
    if not found:
        note("no keys yet: dce gateway keys create NAME")


@keys.command()
@click.argument("name_or_id", metavar="NAME|ID")
@json_option
@data_dir_option
def revoke(name_or_id: str, is_json: bool, data_dir: str | None) -> None:
    """Revoke a key at once, by its id, or all keys of a name."""
    with key_store(data_dir) as store:
        revoked = store.revoke(name_or_id)
        fault = store.write_fault
    if fault:
        note(f"{fault}; the revocation is in the file `revoked` beside them, and in force")
        note("free disk space: the next `dce gateway keys` command moves it into the database")
    if is_json:
        say_json(revoked)
        return
    for key in revoked:
        say(f"revoked {key.id} ({key.name})")


def limits_text(limits: Limits) -> str:
    """The limits that a key has, in words."""
    words: list[tuple[Any, Callable[[], str]]] = [
        (limits.rpm, lambda: f"{limits.rpm:,} requests/min"),
        (limits.tpm, lambda: f"{limits.tpm:,} tokens/min"),
        (limits.concurrency, lambda: f"{limits.concurrency} at once"),
        (limits.max_n, lambda: f"n ≤ {limits.max_n}"),
        (limits.models, lambda: f"models {', '.join(limits.models)}"),
        (limits.budget_tokens, lambda: f"{limits.budget_tokens:,} tokens/{limits.budget_period}"),
        (limits.weight != 1, lambda: f"weight {limits.weight:g}"),
    ]
    return " · ".join(text() for is_set, text in words if is_set)


def _tail(limits: Limits) -> str:
    text = limits_text(limits)
    return f"  {text}" if text else ""


def _state(key: "Key") -> str:
    if key.revoked_at:
        return f"revoked {date_text(key.revoked_at)}"
    is_overlapping = key.rotated_until is not None and key.rotated_until > time.time()
    overlap = f", old secret until {date_text(key.rotated_until or 0)} UTC" if is_overlapping else ""
    return f"made {date_text(key.created_at)}{_until(key.expires_at)}{overlap}"


def _show_secret(key: "Key", secret: str, is_json: bool, text: str) -> None:
    if is_json:
        say_json({**msgspec.to_builtins(key), "key": secret})
        return
    note(f"{text}; this is the only time it is shown:")
    say(secret)


def _until(expires_at: float | None) -> str:
    return f", until {date_text(expires_at)} UTC" if expires_at else ""
