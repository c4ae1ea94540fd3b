"""The gateway's settings: one table. Each field is a TOML key, a `dce gateway serve` flag and a line of the documentation.

Precedence: flag, environment, TOML file, then the default given here. A limit has its unit in its name and its reason in its
description.
"""

import os
import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta

from dce.gateway.backend_keys import backend_key
from dce.gateway.logs import Level
from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.wire.hosts import is_this_machine
from dce.wire.urls import base_of

Strategy = Literal["auto", "fanout", "native"]
Refused = Literal["structured_outputs.regex", "structured_outputs.structural_tag", "chat_template_kwargs"]
"""What is refused unless the operator allows it."""

DEFAULT_ADMIN_PORT = 3002
_DEFAULT_BACKEND_URL = "http://127.0.0.1:8000"
_ORIGIN = re.compile(r"[a-z][a-z0-9+.-]*://([a-z0-9._~-]+|\[[0-9a-f:.]+\])(:\d{1,5})?")
_FULL_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1")


class BackendSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One inference server."""

    url: Annotated[str, Meta(description="Base URL; a trailing `/v1` or endpoint path is removed.")]
    key: Annotated[str, Meta(description="The backend's API key, sent as `Authorization: Bearer`.")] = ""
    key_file: Annotated[
        str, Meta(description="File to read the key from instead; relative to the configuration file.")
    ] = ""
    key_env: Annotated[str, Meta(description="Environment variable to read the key from instead.")] = ""
    n_strategy: Annotated[
        Strategy,
        Meta(
            description="`fanout`: one request per response; `native`: one request with `n`; `auto`: whichever suits the server type."
        ),
    ] = "auto"
    max_responses: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Responses it can run at once (vLLM: `--max-num-seqs`; llama.cpp reports its own). The rest of a larger "
            "generation goes to an idle backend."
        ),
    ] = None

    def __repr__(self) -> str:
        return f"BackendSettings(url={self.url!r}, n_strategy={self.n_strategy!r})"


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can set."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 picks a free one.")] = 3001
    admin_host: Annotated[str, Meta(description="Address of the admin listener (metrics, status, drain).")] = (
        "127.0.0.1"
    )
    admin_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="Port of the admin listener; 0 picks a free one, and so does the default when `port` is 0.",
        ),
    ] = DEFAULT_ADMIN_PORT
    admin_name: Annotated[
        str,
        Meta(
            description="A host name the admin listener accepts besides localhost and IP addresses, such as its name in a container network."
        ),
    ] = ""
    admin_open: Annotated[
        bool,
        Meta(
            description="Allow an admin address that other machines can reach. It asks for no key: anyone there can read metrics and stop the gateway."
        ),
    ] = False
    no_admin: Annotated[bool, Meta(description="Run without the admin listener.")] = False
    log_level: Annotated[
        Level,
        Meta(description="Lowest level that is logged; requests are logged at `info`. JSON lines on standard error."),
    ] = "info"
    data_dir: Annotated[str, Meta(description="Folder for the keys, the pepper and the ledger.")] = ""
    backends: Annotated[
        tuple[BackendSettings, ...], Meta(description="Inference servers; flag: --backend URL, repeatable.")
    ] = ()
    aliases: Annotated[dict[str, str], Meta(description="Extra names for served models: alias = served name.")] = {}
    default_model: Annotated[
        str, Meta(description="Model for requests that name none; if empty, the first one served.")
    ] = ""
    insecure: Annotated[bool, Meta(description="Serve without keys; allowed only on a loopback address.")] = False
    isolate_prefix_cache: Annotated[
        bool,
        Meta(
            description="Keep each key's prompts apart in the backend's prefix cache (vLLM's cache_salt): otherwise cache timing reveals what others asked."
        ),
    ] = True
    privacy_contact: Annotated[
        str, Meta(max_length=200, description="Privacy contact, shown in the notice at /api/dce/privacy.")
    ] = ""
    privacy_text: Annotated[
        str,
        Meta(
            max_length=4000,
            description="The operator's text in that notice: who runs this gateway, what else is kept, for how long.",
        ),
    ] = ""
    tracing: Annotated[
        bool,
        Meta(
            description="OpenTelemetry traces: one span per request, without content, sent to OTEL_EXPORTER_OTLP_ENDPOINT. "
            "Needs the extra: pip install 'dce[otel]'."
        ),
    ] = False
    ledger_keep_days: Annotated[
        Annotated[int, Meta(ge=32)] | None,
        Meta(
            description="Days before ledger rows are deleted, at least 32 (monthly budgets are read from them); unset, rows are kept "
            "forever. Total budgets still count deleted rows."
        ),
    ] = None
    cors_origins: Annotated[
        tuple[str, ...],
        Meta(
            description="Origins of web pages whose scripts may use the gateway, such as `https://chat.example.org`, or `*` for any; none "
            "by default. A page still needs a key. Flag: --cors-origin ORIGIN, repeatable."
        ),
    ] = ()
    allowed_fields: Annotated[
        tuple[Refused, ...],
        Meta(
            description="Fields to accept that are refused by default: an expression in `structured_outputs.regex` or "
            "`structured_outputs.structural_tag`, or a template argument in `chat_template_kwargs`, can stop some servers for everyone. "
            "Flag: --allowed-field NAME, repeatable."
        ),
    ] = ()
    legacy: Annotated[
        Literal["off", "route", "injected"],
        Meta(
            description="Serve the original extension (version 1.2.0), which sends no key: `route`, its URL is `/api/dce/legacy/KEY`; "
            "`injected`, requests to `/api/dce/proxy` without a key count as those of `legacy_key`."
        ),
    ] = "off"
    legacy_key: Annotated[
        str,
        Meta(
            max_length=200,
            description='Name or id of the key for `legacy = "injected"`. It needs a limit: anyone who reaches the gateway uses it.',
        ),
    ] = ""
    max_n: Annotated[int, Meta(ge=1, le=MAX_RESPONSES, description="Maximum responses per request.")] = MAX_RESPONSES
    max_body_bytes: Annotated[
        int,
        Meta(
            ge=1024,
            description="Maximum request body. The original's limit; the largest real prompt seen was 2.2 MB.",
        ),
    ] = 50 * 1024 * 1024
    max_running_responses: Annotated[
        int,
        Meta(
            ge=1,
            description="Maximum responses running at once, over all backends and keys; the rest wait in the gateway's queue, where "
            "clients see their position. Best set to the sum of the backends' limits (vLLM: --max-num-seqs): their own queues are invisible.",
        ),
    ] = 1024
    max_queued_requests: Annotated[
        int, Meta(ge=0, description="Maximum queued requests per model; each holds its prompt in memory.")
    ] = 200
    max_queued_requests_per_key: Annotated[
        int, Meta(ge=0, description="Maximum queued requests per key, so that one key cannot fill the queue.")
    ] = 20
    queue_timeout_s: Annotated[float, Meta(gt=0, description="Maximum wait in the queue.")] = 600.0
    busy_timeout_s: Annotated[
        float,
        Meta(
            ge=0,
            description="Maximum total wait for a backend that answers 429, or 503 while it loads a model, before its answer is passed "
            "on; 0 passes it on at once.",
        ),
    ] = 120.0
    head_timeout_s: Annotated[
        float, Meta(gt=0, description="Maximum wait for a request's head, including the first on a new connection.")
    ] = 10.0
    body_window_s: Annotated[
        float, Meta(gt=0, description="How often the upload rate of a request body is checked.")
    ] = 10.0
    min_body_bytes_per_s: Annotated[
        int,
        Meta(
            ge=0,
            description="Minimum upload rate of a request body; slower ones are refused, since a trickle would hold a connection for free.",
        ),
    ] = 10 * 1024
    connect_timeout_s: Annotated[float, Meta(gt=0, description="Maximum time to connect to a backend.")] = 5.0
    first_byte_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Maximum wait for a backend's first byte: a long prompt may queue and prefill for minutes.",
        ),
    ] = 600.0
    first_token_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Maximum wait for the first token after the response head: vLLM sends the head at once, then queues and prefills.",
        ),
    ] = 600.0
    idle_timeout_s: Annotated[
        float,
        Meta(gt=0, description="Maximum silence of a backend in the middle of an answer before it counts as stalled."),
    ] = 120.0
    total_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Maximum time a request may spend at the backends: 100,000 tokens at 15 per second take under two hours.",
        ),
    ] = 7200.0
    heartbeat_s: Annotated[
        float, Meta(gt=0, description="Silence after which a client is sent a heartbeat (a comment frame).")
    ] = 15.0
    head_patience_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Wait for the backend's answer after which the stream starts anyway, with heartbeats.",
        ),
    ] = 10.0
    write_stall_timeout_s: Annotated[
        float,
        Meta(
            gt=0, description="A client that reads nothing for this long is disconnected, so that it cannot hold a GPU."
        ),
    ] = 60.0
    resume_grace_s: Annotated[
        float,
        Meta(
            ge=0,
            description="How long a stream keeps running after its client disconnects, unless the client asked for more.",
        ),
    ] = 0.2
    max_resume_grace_s: Annotated[
        float,
        Meta(
            ge=0, description="Maximum a client may ask for with X-DCE-Resume-Grace: enough for a laptop's short sleep."
        ),
    ] = 120.0
    max_detached_streams: Annotated[
        int,
        Meta(
            ge=0,
            description="Maximum streams kept without a client, over all keys: each may hold `backlog_bytes`. Beyond it, the oldest that "
            "is over is dropped; if all still run, a stream ends when its client disconnects.",
        ),
    ] = 128
    max_detached_streams_per_key: Annotated[
        int,
        Meta(
            ge=0,
            description="The same per key. While so many of a key's streams run without a client, a request with X-DCE-Resume-Grace is "
            "refused.",
        ),
    ] = 16
    replay_bytes: Annotated[
        int, Meta(ge=4096, description="Sent frames kept per stream so that a client can resume.")
    ] = 256 * 1024
    backlog_bytes: Annotated[
        int,
        Meta(
            ge=4096,
            description="Unsent frames kept per stream while its client is away; beyond this, the backends are paused.",
        ),
    ] = 8 * 1024 * 1024
    discovery_interval_s: Annotated[
        float, Meta(gt=0, description="How often each backend is asked which models it serves.")
    ] = 5.0
    routing: Annotated[
        Literal["least_loaded", "prefix", "session"],
        Meta(
            description="How a backend is chosen: `least_loaded`, the one running the fewest responses; `prefix`, the one that has "
            "probably cached this prompt's beginning; `session`, the one that served this X-DCE-Session (or `user`)."
        ),
    ] = "least_loaded"
    max_retries: Annotated[
        int,
        Meta(
            ge=0,
            le=10,
            description="Maximum retries of a request that failed before its first byte; a request that crashes backends reaches at most "
            "this many more.",
        ),
    ] = 2
    breaker_failures: Annotated[
        int, Meta(ge=1, description="Consecutive failures after which a backend is skipped while another can be used.")
    ] = 5
    breaker_max_wait_s: Annotated[
        float, Meta(gt=0, description="Maximum time a failing backend is skipped; starts at one second and doubles.")
    ] = 30.0
    shutdown_timeout_s: Annotated[
        float, Meta(ge=0, description="How long running responses may continue when the gateway drains or stops.")
    ] = 5.0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the listener."""
        return is_this_machine(self.host)


def load_settings(
    config: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> GatewaySettings:
    """The settings from file, environment and flags (None means the flag is absent). Raises DceError naming the key."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = _read_toml(config) if config else {}
    values.update({name: value for name, value in flags.items() if value is not None})
    values.setdefault("data_dir", environ.get("DCE_DATA_DIR") or _default_data_dir(environ))
    values.setdefault("backends", [environ.get("VLLM_URL") or environ.get("VLLM_ENDPOINT") or _DEFAULT_BACKEND_URL])
    try:
        if isinstance(values["backends"], list | tuple):
            folder = config.parent if config else Path()
            values["backends"] = [_backend(value, environ, folder) for value in values["backends"]]
        settings = msgspec.convert(values, GatewaySettings)
    except msgspec.ValidationError as error:
        raise DceError(
            "invalid_input",
            f"{config or 'settings'}: {error}",
            hint="docs/reference/gateway-settings.md lists every setting.",
        ) from None
    for origin in settings.cors_origins:
        _check_origin(origin)
    return settings


def _check_origin(origin: str) -> None:
    """Refuses an origin that no browser would ever send."""
    if origin == "*" or _ORIGIN.fullmatch(origin):
        return
    raise DceError(
        "invalid_input",
        f"cors_origins: {origin!r} is not the origin of a web page",
        hint="An origin is scheme, host and port in lower case, without a path: https://chat.example.org or http://localhost:5173.",
    )


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError:
        raise DceError(
            "invalid_input", f"there is no configuration file {path}", hint="Name an existing file with --config."
        ) from None
    except OSError as error:
        raise DceError(
            "invalid_input", f"cannot read {path}: {error.strerror}", hint="Name a readable file with --config."
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DceError(
            "invalid_input", f"{path} is not TOML: {error}", hint="Correct the file; nothing was started."
        ) from None


def _default_data_dir(environ: Mapping[str, str]) -> str:
    home = environ.get("XDG_DATA_HOME") or str(Path(environ.get("HOME") or "~").expanduser() / ".local" / "share")
    return str(Path(home) / "dce-gateway")


def _backend(value: Any, environ: Mapping[str, str], folder: Path) -> Any:
    """A backend given as a URL or a table. The original's full endpoint and a trailing /v1 are reduced to the base URL."""
    row = {"url": value} if isinstance(value, str) else value
    if not isinstance(row, dict) or not isinstance(row.get("url"), str):
        return row
    url = base_of(row["url"], _FULL_PATHS)
    _check_url(url, row["url"])
    return {**row, "url": url, "key": backend_key({**row, "url": url}, environ, folder)}


def _check_url(url: str, given: str) -> None:
    """Refuses at startup a URL that could never be connected to."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # an invalid port, a truncated IPv6 address, an empty label
        host, port = "", None
    if not url.startswith(("http://", "https://")) or not host or port == 0 or set(url) & set("@?# "):
        raise DceError(
            "invalid_input",
            f"a backend must be an http:// or https:// URL of a host, not {given!r}",
            hint="For example --backend http://127.0.0.1:8000; a key has its own setting, `key`.",
        )
