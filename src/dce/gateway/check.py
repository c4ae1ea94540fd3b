"""`dce gateway check`: would this configuration serve, and could anyone bypass it? Nothing is served, created or changed.

Three parts: the settings (an invalid one is an error), the backends (reached as the gateway would reach them), and cautions: things
that work but should be fixed, each with the fact and the fix. A new caution about this machine is a new row of `LOCAL`; one about a
backend is a new row in exposure.py.
"""

import os
import shutil
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import msgspec

from dce.gateway.access.keys import KeyStore
from dce.gateway.accounting.ledger import FILE as LEDGER_FILE
from dce.gateway.app import refuse_exposed
from dce.gateway.backends.backend import Backend
from dce.gateway.backends.health import Discoverer
from dce.gateway.backends.transport import Timeouts, Transport
from dce.gateway.exposure import Caution, Exposure, exposed
from dce.gateway.legacy import bound_key
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import DceError, ErrorBody
from dce.wire.hosts import is_this_machine

MIN_FREE_BYTES = 1024 * 1024 * 1024
"""Free space the ledger's disk should have: years of rows, and days of verbose logs."""
MIN_DESCRIPTORS = 4096
"""Open files a gateway may need: ten backend connections and one client connection for each of about a hundred streams, times three."""
MAX_CLOCK_SKEW_S = 60.0


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model and its context in tokens, None if the backend does not say."""

    id: str
    context: int | None


class BackendReport(msgspec.Struct, frozen=True, kw_only=True):
    """One backend as the gateway sees it."""

    url: str
    ok: bool
    kind: str
    models: tuple[ServedModel, ...]
    error: ErrorBody | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`: every backend can be used. Cautions do not change it."""

    ok: bool
    backends: tuple[BackendReport, ...]
    cautions: tuple[Caution, ...]


async def check(settings: GatewaySettings, config: Path | None = None) -> Report:
    """Runs every check. Raises DceError invalid_input when `serve` would refuse these settings."""
    refuse_exposed(settings)
    transport = Transport(
        Timeouts(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
        )
    )
    backends = [Backend(row) for row in settings.backends]
    try:
        await Discoverer(backends, transport, settings.discovery_interval_s).probe_all()
        found = [await exposed(backend, transport) for backend in backends if backend.is_up]
    finally:
        transport.close()
    local = local_cautions(settings, config)
    clocks = [caution for one in found for caution in _clock(one, time.time())]
    return Report(
        ok=all(backend.is_up for backend in backends),
        backends=tuple(_backend(backend) for backend in backends),
        cautions=(*local, *clocks, *(caution for one in found for caution in one.cautions)),
    )


def local_cautions(
    settings: GatewaySettings, config: Path | None, checks: "Sequence[LocalCheck] | None" = None
) -> list[Caution]:
    """What `checks` (default: `LOCAL`) find on this machine. A file this user may not read is a caution of its own."""
    found: list[Caution] = []
    for check in LOCAL if checks is None else checks:
        try:
            found += check(settings, config)
        except PermissionError as error:
            found.append(
                Caution(
                    name="not_readable",
                    detail=f"this user cannot read {error.filename}, so it was not checked",
                    fix="Run the check as the gateway's user: sudo -u dce dce gateway check …",
                )
            )
    return list(dict.fromkeys(found))


def _backend(backend: Backend) -> BackendReport:
    return BackendReport(
        url=backend.url,
        ok=backend.is_up,
        kind=backend.kind.name if backend.is_up else "",
        models=tuple(ServedModel(id=model.id, context=model.max_model_len) for model in backend.models),
        error=backend.fault.body() if backend.fault else None,
    )


def _clock(found: Exposure, now: float) -> Iterator[Caution]:
    if found.date is not None and abs(now - found.date) > MAX_CLOCK_SKEW_S:
        yield Caution(
            name="clock",
            detail=f"the clocks of this machine and {found.url} differ by {abs(now - found.date):,.0f} s: keys expire at the wrong "
            "time, and the two logs do not match",
            fix="Turn on network time on both machines (`timedatectl set-ntp true`).",
        )


Cautions = Iterator[Caution]


def _keys(settings: GatewaySettings, _: Path | None) -> Cautions:
    if settings.insecure:
        yield Caution(
            name="insecure",
            detail="any program of any user on this machine can use the gateway without a key",
            fix="Create keys and drop `insecure`.",
        )
        return
    folder = Path(settings.data_dir)
    has_key = False
    if (folder / "gateway.db").exists() and (folder / "pepper").exists():
        keys = KeyStore(folder)
        has_key = keys.has_live()
        keys.close()
    if not has_key:
        yield Caution(
            name="no_keys",
            detail=f"there is no live key in {settings.data_dir}: `serve` will refuse to start",
            fix=f"dce gateway keys create NAME --data-dir {settings.data_dir}",
        )


def _legacy(settings: GatewaySettings, _: Path | None) -> Cautions:
    folder = Path(settings.data_dir)
    if settings.legacy == "off" or not ((folder / "gateway.db").exists() and (folder / "pepper").exists()):
        return  # without a key there is a caution for that
    keys = KeyStore(folder)
    try:
        key = bound_key(settings, keys)
    except DceError as error:
        yield Caution(name="legacy_refused", detail=f"`serve` will refuse to start: {error.message}", fix=error.hint)
        return
    finally:
        keys.close()
    if key is None:
        yield Caution(
            name="legacy",
            detail="the legacy profile takes keys in URLs: proxies, browsers and their logs may keep them",
            fix="Keep those URLs out of access logs (docs/operations/legacy.md), and turn `legacy` off when nobody needs it.",
        )
    else:
        yield Caution(
            name="legacy",
            detail=f"anyone who reaches the gateway can use it without a key, as {key.name!r}, within that key's limits",
            fix="Let only your own network reach it, and turn `legacy` off when nobody needs it.",
        )


def _listener(settings: GatewaySettings, _: Path | None) -> Cautions:
    if not settings.is_loopback:
        yield Caution(
            name="plain_http",
            detail=f"the gateway listens on {settings.host}:{settings.port} in plain HTTP: anyone on the network path can read keys and code",
            fix="Put Caddy or nginx in front of it (deploy/) and listen on 127.0.0.1. In a private container network this is expected.",
        )
    if not settings.no_admin and not is_this_machine(settings.admin_host):
        yield Caution(
            name="admin_open",
            detail=f"the admin listener on {settings.admin_host}:{settings.admin_port} asks for no key: anyone who can reach it can read "
            "metrics and stop the gateway",
            fix="Leave admin_host at 127.0.0.1, or allow only the monitoring host through a firewall.",
        )


def _cache(settings: GatewaySettings, _: Path | None) -> Cautions:
    if not settings.isolate_prefix_cache:
        yield Caution(
            name="shared_cache",
            detail="keys share the backends' prefix cache: its timing reveals what other keys have asked",
            fix="Leave isolate_prefix_cache at true unless all key holders may read each other's code.",
        )


def _files(settings: GatewaySettings, config: Path | None) -> Cautions:
    folder = Path(settings.data_dir)
    private = [folder, *(folder / name for name in ("pepper", "gateway.db", LEDGER_FILE))]
    if config is not None and any(backend.key for backend in settings.backends):
        private.append(config)
    for path in private:
        if path.exists() and (mode := stat.S_IMODE(path.stat().st_mode)) & 0o077:
            yield Caution(
                name="file_mode",
                detail=f"other users can read {path} (mode {mode:04o})",
                fix=f"chmod {'700' if path.is_dir() else '600'} {path}",
            )


def _disk(settings: GatewaySettings, _: Path | None) -> Cautions:
    path = Path(settings.data_dir).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < MIN_FREE_BYTES:
        yield Caution(
            name="disk",
            detail=f"only {free / 1024**2:,.0f} MB are free on the disk of the keys and the ledger: when it is full, rows wait in memory",
            fix=f"Free space on the disk of {there}.",
        )


def _descriptors(_: GatewaySettings, __: Path | None) -> Cautions:
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MIN_DESCRIPTORS:
        yield Caution(
            name="descriptors",
            detail=f"a process may open only {soft} files here: enough for about {soft // 11} streams of ten responses",
            fix="ulimit -n 65536, or LimitNOFILE=65536 in the unit (see deploy/systemd).",
        )


LocalCheck = Callable[[GatewaySettings, Path | None], Cautions]

LOCAL: tuple[LocalCheck, ...] = (
    _keys,
    _legacy,
    _listener,
    _cache,
    _files,
    _disk,
    _descriptors,
)
"""The checks of this machine."""
