"""`dce gateway check`: would this configuration serve, and who could go round it? Nothing is served, made or changed.

Three parts: the settings (an invalid one is an error), the backends (reached as the gateway would reach them), and cautions: what
works and should be mended, each with the fact and the fix. A new caution about this machine is a new row of `LOCAL`, one about a
backend a new row in exposure.py.
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
from dce.gateway.backends.health import Discoverer
from dce.gateway.backends.transport import Timeouts, Transport
from dce.gateway.backends.upstream import Upstream
from dce.gateway.exposure import Caution, Found, exposed
from dce.gateway.settings import GatewaySettings
from dce.wire.errors import ErrorBody
from dce.wire.hosts import is_this_machine

MIN_FREE_BYTES = 1024 * 1024 * 1024
"""Room that should be on the ledger's disk: years of rows, and days of a log that somebody turned up."""
MIN_DESCRIPTORS = 4096
"""Open files a gateway may need: ten backend connections and a client's for each of some hundred streams, times three."""
MAX_CLOCK_SKEW_S = 60.0


class ServedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model and its context in tokens, None if the backend does not say."""

    id: str
    context: int | None


class BackendReport(msgspec.Struct, frozen=True, kw_only=True):
    """One backend, as the gateway sees it."""

    url: str
    ok: bool
    kind: str
    models: tuple[ServedModel, ...]
    error: ErrorBody | None = None


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """`ok`: every backend can be used. Cautions do not make it less so."""

    ok: bool
    backends: tuple[BackendReport, ...]
    cautions: tuple[Caution, ...]


async def check(settings: GatewaySettings, config: Path | None = None) -> Report:
    """Looks at everything. Raises DceError invalid_input when `serve` would refuse these settings for what they say."""
    refuse_exposed(settings)
    transport = Transport(
        Timeouts(
            connect_s=settings.connect_timeout_s,
            first_byte_s=settings.first_byte_timeout_s,
            idle_s=settings.idle_timeout_s,
        )
    )
    upstreams = [Upstream(backend) for backend in settings.backends]
    try:
        await Discoverer(upstreams, transport, settings.discovery_interval_s).probe_all()
        found = [await exposed(upstream, transport) for upstream in upstreams if upstream.is_up]
    finally:
        transport.close()
    local = local_cautions(settings, config)
    clocks = [caution for one in found for caution in _clock(one, time.time())]
    return Report(
        ok=all(upstream.is_up for upstream in upstreams),
        backends=tuple(_backend(upstream) for upstream in upstreams),
        cautions=(*local, *clocks, *(caution for one in found for caution in one.cautions)),
    )


def local_cautions(
    settings: GatewaySettings, config: Path | None, rows: "Sequence[Row] | None" = None
) -> list[Caution]:
    """What `rows` (default: `LOCAL`) say of this machine. What this user may not look at is a caution of its own."""
    found: list[Caution] = []
    for row in LOCAL if rows is None else rows:
        try:
            found += row(settings, config)
        except PermissionError as error:
            found.append(
                Caution(
                    name="not_readable",
                    detail=f"this user may not look at {error.filename}, so nothing can be said of it",
                    fix="Run it as the user that serves: sudo -u dce dce gateway check …",
                )
            )
    return list(dict.fromkeys(found))


def _backend(upstream: Upstream) -> BackendReport:
    return BackendReport(
        url=upstream.url,
        ok=upstream.is_up,
        kind=upstream.kind.name if upstream.is_up else "",
        models=tuple(ServedModel(id=model.id, context=model.max_model_len) for model in upstream.models),
        error=upstream.fault.body() if upstream.fault else None,
    )


def _clock(found: Found, now: float) -> Iterator[Caution]:
    if found.date is not None and abs(now - found.date) > MAX_CLOCK_SKEW_S:
        yield Caution(
            name="clock",
            detail=f"this machine's clock and that of {found.url} differ by {abs(now - found.date):,.0f} s: keys end at the wrong time, "
            "and the two logs do not match",
            fix="Have both take their time from the network (`timedatectl set-ntp true`).",
        )


Cautions = Iterator[Caution]


def _keys(settings: GatewaySettings, _: Path | None) -> Cautions:
    if settings.insecure:
        yield Caution(
            name="insecure",
            detail="every program of every user of this machine may use it without a key",
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


def _listener(settings: GatewaySettings, _: Path | None) -> Cautions:
    if not settings.is_loopback:
        yield Caution(
            name="plain_http",
            detail=f"it listens on {settings.host}:{settings.port} in plain HTTP: who is between reads keys and code",
            fix="Put Caddy or nginx before it (deploy/) and listen on 127.0.0.1; in a container network of its own this is as it must be.",
        )
    if not settings.no_admin and not is_this_machine(settings.admin_host):
        yield Caution(
            name="admin_open",
            detail=f"the admin listener on {settings.admin_host}:{settings.admin_port} takes no key: who reaches it may read metrics "
            "and stop the gateway",
            fix="Leave admin_host at 127.0.0.1, or let a firewall admit the monitor alone.",
        )


def _cache(settings: GatewaySettings, _: Path | None) -> Cautions:
    if not settings.isolate_prefix_cache:
        yield Caution(
            name="shared_cache",
            detail="keys share the backends' prefix cache: by timing, one can find out what another has asked",
            fix="Leave isolate_prefix_cache at true unless all keys belong to people who may read each other's code.",
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
                detail=f"{path} may be read by others (mode {mode:04o})",
                fix=f"chmod {'700' if path.is_dir() else '600'} {path}",
            )


def _disk(settings: GatewaySettings, _: Path | None) -> Cautions:
    path = Path(settings.data_dir).absolute()
    there = next(folder for folder in (path, *path.parents) if folder.exists())
    free = shutil.disk_usage(there).free
    if free < MIN_FREE_BYTES:
        yield Caution(
            name="disk",
            detail=f"{free / 1024**2:,.0f} MB are free where the keys and the ledger are: when it is full, rows wait in memory",
            fix=f"Make room on the disk of {there}.",
        )


def _descriptors(_: GatewaySettings, __: Path | None) -> Cautions:
    if os.name != "posix":
        return
    import resource  # noqa: PLC0415 - not on Windows

    soft, _hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < MIN_DESCRIPTORS:
        yield Caution(
            name="descriptors",
            detail=f"a process may open {soft} files here: enough for some {soft // 11} streams of ten responses",
            fix="ulimit -n 65536, or LimitNOFILE=65536 in the unit (deploy/systemd has it).",
        )


Row = Callable[[GatewaySettings, Path | None], Cautions]

LOCAL: tuple[Row, ...] = (
    _keys,
    _listener,
    _cache,
    _files,
    _disk,
    _descriptors,
)
"""What is looked at on this machine."""
