"""The gateway's settings: one table. A field here is a TOML key, a `dce gateway serve` flag and a line of the documentation.

Order of precedence: flag, then environment, then the TOML file, then the default written here. Limits carry their unit in
the name and their reason in the description.
"""

import os
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

DEFAULT_ADMIN_PORT = 3002
_DEFAULT_BACKEND_URL = "http://127.0.0.1:8000"
_FULL_PATHS = ("/v1/chat/completions", "/v1/completions", "/v1")


class BackendSettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One inference server."""

    url: Annotated[str, Meta(description="Its base URL; a trailing `/v1` or full endpoint is taken off.")]
    key: Annotated[str, Meta(description="Its own key, sent as `Authorization: Bearer`.")] = ""
    key_file: Annotated[
        str, Meta(description="A file that holds the key instead; relative to the configuration file.")
    ] = ""
    key_env: Annotated[str, Meta(description="An environment variable that holds the key instead.")] = ""
    n_strategy: Annotated[
        Strategy,
        Meta(
            description="`fanout`: a request for each response; `native`: one with `n`; `auto`: what suits the kind of server."
        ),
    ] = "auto"
    max_responses: Annotated[
        Annotated[int, Meta(ge=1)] | None,
        Meta(
            description="Responses it runs at the same time (vLLM: `--max-num-seqs`; llama.cpp says it itself): with more, a "
            "generation spills to an idle backend."
        ),
    ] = None

    def __repr__(self) -> str:
        return f"BackendSettings(url={self.url!r}, n_strategy={self.n_strategy!r})"


class GatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Everything an operator can set."""

    host: Annotated[str, Meta(description="Address to listen on.")] = "127.0.0.1"
    port: Annotated[int, Meta(ge=0, le=65535, description="Port to listen on; 0 picks a free one.")] = 3001
    admin_host: Annotated[str, Meta(description="Address of the admin listener (metrics, status, draining).")] = (
        "127.0.0.1"
    )
    admin_port: Annotated[
        int,
        Meta(
            ge=0,
            le=65535,
            description="Port of the admin listener; 0 picks a free one, as does leaving it out when `port` is 0.",
        ),
    ] = DEFAULT_ADMIN_PORT
    admin_name: Annotated[
        str,
        Meta(
            description="A host name by which the admin listener may be asked, besides localhost and addresses: say, its name in a container network."
        ),
    ] = ""
    admin_open: Annotated[
        bool,
        Meta(
            description="Let the admin listener stand on an address that others reach. It takes no key: they may read metrics and stop the gateway."
        ),
    ] = False
    no_admin: Annotated[bool, Meta(description="Do without the admin listener.")] = False
    log_level: Annotated[
        Level,
        Meta(description="Least level of the log's lines; a line a request is `info`. JSON, on standard error."),
    ] = "info"
    data_dir: Annotated[str, Meta(description="Folder for the keys, their pepper and the ledger.")] = ""
    backends: Annotated[
        tuple[BackendSettings, ...], Meta(description="Inference servers; flag: --backend URL, repeatable.")
    ] = ()
    aliases: Annotated[dict[str, str], Meta(description="Other names for served models: alias = served name.")] = {}
    default_model: Annotated[
        str, Meta(description="Model for requests that name none; empty: the first one served.")
    ] = ""
    insecure: Annotated[bool, Meta(description="Serve without keys; only on a loopback address.")] = False
    isolate_prefix_cache: Annotated[
        bool,
        Meta(
            description="Keys do not share a backend's prefix cache (vLLM's cache_salt): its timing would tell what others asked."
        ),
    ] = True
    privacy_contact: Annotated[
        str, Meta(max_length=200, description="Whom to ask about privacy; shown in the notice at /api/dce/privacy.")
    ] = ""
    privacy_text: Annotated[
        str,
        Meta(
            max_length=4000,
            description="The operator's own words in that notice: who runs this, what else is kept, for how long.",
        ),
    ] = ""
    tracing: Annotated[
        bool,
        Meta(
            description="OpenTelemetry traces, a span for each request without content; OTEL_EXPORTER_OTLP_ENDPOINT says where they go. "
            "Needs the extra: pip install 'dce[otel]'."
        ),
    ] = False
    ledger_keep_days: Annotated[
        Annotated[int, Meta(ge=32)] | None,
        Meta(
            description="Rows of the ledger are deleted after that many days, at least 32 (a month's budget is read from them); "
            "left out, they are kept for ever. Budgets in all go on counting what was deleted."
        ),
    ] = None
    max_n: Annotated[int, Meta(ge=1, le=MAX_RESPONSES, description="Most responses one request may ask for.")] = (
        MAX_RESPONSES
    )
    max_body_bytes: Annotated[
        int,
        Meta(ge=1024, description="Largest request body: the original's limit; its largest real prompt was 2.2 MB."),
    ] = 50 * 1024 * 1024
    max_running_responses: Annotated[
        int,
        Meta(
            ge=1,
            description="Responses that may run at once, over all backends and keys; more wait in the gateway's queue, where their "
            "place is visible. Best the sum of the backends' own limits (vLLM: --max-num-seqs): their queues are invisible.",
        ),
    ] = 1024
    max_queued_requests: Annotated[
        int, Meta(ge=0, description="Most requests that wait for one model; each holds its prompt in memory.")
    ] = 200
    max_queued_requests_per_key: Annotated[
        int, Meta(ge=0, description="Most requests of one key that wait, so that one key cannot fill the queue.")
    ] = 20
    queue_timeout_s: Annotated[float, Meta(gt=0, description="Longest wait in the queue.")] = 600.0
    head_timeout_s: Annotated[
        float, Meta(gt=0, description="Longest wait for a request's head, and for the first one of a connection.")
    ] = 10.0
    body_window_s: Annotated[
        float, Meta(gt=0, description="How often a body that is still coming is asked whether it brought enough.")
    ] = 10.0
    min_body_bytes_per_s: Annotated[
        int,
        Meta(ge=0, description="A body that comes more slowly is refused: a trickle would hold a connection for free."),
    ] = 10 * 1024
    connect_timeout_s: Annotated[float, Meta(gt=0, description="Longest wait for a backend's connection.")] = 5.0
    first_byte_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Longest wait for a backend's first byte: a long prompt may queue and prefill for minutes.",
        ),
    ] = 600.0
    first_token_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Longest wait for a stream's first token after its head: vLLM sends the head at once, then queues and prefills.",
        ),
    ] = 600.0
    idle_timeout_s: Annotated[
        float, Meta(gt=0, description="Longest silence of a backend within a stream before it counts as stalled.")
    ] = 120.0
    total_timeout_s: Annotated[
        float,
        Meta(
            gt=0,
            description="Longest life of a request at the backends: 100,000 tokens at 15 a second take less than two hours.",
        ),
    ] = 7200.0
    heartbeat_s: Annotated[
        float, Meta(gt=0, description="A comment frame goes to a client after this much silence.")
    ] = 15.0
    head_patience_s: Annotated[
        float,
        Meta(
            gt=0,
            description="After this long without an answer of the backend the stream starts anyway, with heartbeats.",
        ),
    ] = 10.0
    write_stall_timeout_s: Annotated[
        float, Meta(gt=0, description="A client that reads nothing for this long is cut, so that it cannot hold a GPU.")
    ] = 60.0
    resume_grace_s: Annotated[
        float,
        Meta(ge=0, description="How long a stream runs on without its client when the client asked for nothing else."),
    ] = 0.2
    max_resume_grace_s: Annotated[
        float,
        Meta(ge=0, description="The longest a client may ask for with X-DCE-Resume-Grace: a laptop's short sleep."),
    ] = 120.0
    replay_bytes: Annotated[
        int, Meta(ge=4096, description="Frames already sent, kept for each stream so that a client can resume.")
    ] = 256 * 1024
    backlog_bytes: Annotated[
        int, Meta(ge=4096, description="Frames kept for each stream while its client is away; then the backends wait.")
    ] = 8 * 1024 * 1024
    discovery_interval_s: Annotated[
        float, Meta(gt=0, description="How often the backends are asked what they serve.")
    ] = 5.0
    routing: Annotated[
        Literal["least_loaded", "prefix", "session"],
        Meta(
            description="Which of several backends: the one with the least to do; the one that has probably computed this prompt's "
            "beginning before; the one of this X-DCE-Session (or `user`)."
        ),
    ] = "least_loaded"
    max_retries: Annotated[
        int,
        Meta(
            ge=0,
            le=10,
            description="How often a request that failed before its first byte is sent again: what kills a backend reaches at most "
            "this many more.",
        ),
    ] = 2
    breaker_failures: Annotated[
        int, Meta(ge=1, description="Failures in a row after which a backend is left alone while another can be used.")
    ] = 5
    breaker_max_wait_s: Annotated[
        float, Meta(gt=0, description="Longest time it is left alone; the first is a second, each doubles.")
    ] = 30.0
    shutdown_timeout_s: Annotated[
        float, Meta(ge=0, description="How long running responses may go on when the gateway drains or stops.")
    ] = 5.0

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach the listener."""
        return is_this_machine(self.host)


def load_settings(
    config: Path | None = None, environ: Mapping[str, str] | None = None, **flags: Any
) -> GatewaySettings:
    """The settings from file, environment and flags (a flag that is None is not given). Raises DceError naming the key."""
    environ = os.environ if environ is None else environ
    values: dict[str, Any] = _read_toml(config) if config else {}
    values.update({name: value for name, value in flags.items() if value is not None})
    values.setdefault("data_dir", environ.get("DCE_DATA_DIR") or _default_data_dir(environ))
    values.setdefault("backends", [environ.get("VLLM_URL") or environ.get("VLLM_ENDPOINT") or _DEFAULT_BACKEND_URL])
    try:
        if isinstance(values["backends"], list | tuple):
            folder = config.parent if config else Path()
            values["backends"] = [_backend(value, environ, folder) for value in values["backends"]]
        return msgspec.convert(values, GatewaySettings)
    except msgspec.ValidationError as error:
        raise DceError(
            "invalid_input",
            f"{config or 'settings'}: {error}",
            hint="docs/reference/gateway-settings.md lists every setting.",
        ) from None


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
    """A backend given as a URL or a table; the original's full endpoint and a trailing /v1 are taken for the server they name."""
    row = {"url": value} if isinstance(value, str) else value
    if not isinstance(row, dict) or not isinstance(row.get("url"), str):
        return row
    url = base_of(row["url"], _FULL_PATHS)
    _check_url(url, row["url"])
    return {**row, "url": url, "key": backend_key({**row, "url": url}, environ, folder)}


def _check_url(url: str, given: str) -> None:
    """Refuses at the start what no connection could be made to later."""
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").encode("idna").decode(), parts.port
    except ValueError:  # a port that is none, half an IPv6 address, an empty label
        host, port = "", None
    if not url.startswith(("http://", "https://")) or not host or port == 0 or set(url) & set("@?# "):
        raise DceError(
            "invalid_input",
            f"a backend must be an http:// or https:// URL of a host, not {given!r}",
            hint="For example --backend http://127.0.0.1:8000; a key has its own setting, `key`.",
        )
