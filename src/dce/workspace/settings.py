"""The client's settings: which server, which key, and the parameters of a request.

Each setting is defined once, as a field of `Settings`. Precedence: flag > environment > .dce/config.toml > default. What must always
hold: no repr and no committed file contains the key; an unknown setting is an error, not ignored.
"""

import os
import re
import stat
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal
from urllib.parse import SplitResult, parse_qsl, urlsplit

import msgspec

from dce import durable
from dce.wire.asking import MAX_RESPONSES
from dce.wire.errors import DceError
from dce.wire.urls import same_server, with_scheme
from dce.workspace.encoding_names import problem_of
from dce.workspace.key_vault import KeyVault, find_keyring
from dce.workspace.project import Project
from dce.workspace.request_options import extra_body_problem, filled_in, headers_problem, omit_problem

DEFAULT_URL = "http://127.0.0.1:3001"

CONFIG_FILE = "config.toml"
CREDENTIALS_FILE = "credentials"
CARDS = "cards"
"""The table of config.toml that holds the model cards: `[cards.NAME]`."""

BUILT_IN_CARDS: Mapping[str, Mapping[str, Any]] = {"manual": {"provider": "manual"}}
"""Cards that always exist unless the configuration defines one of the same name. Copy and paste needs no server."""

_SECRET_FIELD = re.compile(
    r"(.*[-_.])?(key|api-?key|apikey|token|access_token|secret|password|code|sig)", re.IGNORECASE
)
"""Names of a URL's query fields that hold a secret. The URL is shown, logged and committed."""

_ENVIRONMENT = {"url": "DCE_URL", "key": "DCE_API_KEY"}


class Settings(msgspec.Struct, frozen=True, kw_only=True):
    """The client's settings. `model` None: the gateway's default; `max_tokens`, `temperature`, `reasoning_effort` None: not sent.

    `provider`: the type of server at `url`: a DCE gateway, any OpenAI-compatible server, or none (answers are pasted). `context`: the
    model's window in tokens, if the server does not report it. `temperature_spread`, `seed`: see `sampling.py`. `card`: the model
    card these settings come from, "" for none. `judge_card`: the card that `dce judge` asks; "": the generation's own.
    `secrets`: how secrets in a prompt are handled. `exclude`: .gitignore-style patterns of files that are never included.
    `encoding`: patterns as in `exclude` → the encoding of files that are not UTF-8; the last match counts.
    `tokenizer`: path or URL of the served model's tokenizer.json, to count tokens here instead of asking the server.
    `images`: attach selected pictures, for a model with vision; if off, the prompt only describes them.
    `history_cycles`: how many earlier cycles a prompt includes in full; older ones get one line each.
    `extra_body`, `omit`: fields added to every request for responses, and fields left out of it. `headers`: sent with every request;
    `${NAME}` in a value stands for an environment variable.
    `section_order`: order a prompt's sections by number, or put first those that stay the same from cycle to cycle, so that the
    server can reuse its prefix cache.
    """

    url: str = DEFAULT_URL
    key: str | None = None
    model: str | None = None
    n: int = 10
    max_tokens: int | None = None
    temperature: float | None = None
    reasoning_effort: str | None = None
    schema: str = "blocks"
    provider: Literal["gateway", "openai", "manual"] = "gateway"
    context: int | None = None
    temperature_spread: float | None = None
    seed: int | None = None
    card: str = ""
    judge_card: str = ""
    secrets: Literal["refuse", "placeholder", "exclude"] = "refuse"
    exclude: tuple[str, ...] = ()
    encoding: dict[str, str] = {}
    tokenizer: str = ""
    images: bool = False
    history_cycles: int = 5
    section_order: Literal["numbered", "stable"] = "numbered"
    extra_body: dict[str, Any] = {}
    headers: dict[str, str] = {}
    omit: tuple[str, ...] = ()

    def __repr__(self) -> str:
        return f"Settings({', '.join(f'{name}={value!r}' for name, value in self.__rich_repr__())})"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        """The fields with the key and the headers' values hidden: rich would otherwise use msgspec's own, which shows them."""
        hidden: dict[str, Any] = {"key": "…"} if self.key else {}
        shown = msgspec.structs.asdict(self) | hidden | {"headers": dict.fromkeys(self.headers, "…")}
        return list(shown.items())


def load_settings(project: Project | None, environ: Mapping[str, str], **flags: object) -> Settings:
    """The settings in force. A flag or variable that is None or empty counts as not given. Raises DceError invalid_input, not_found (card).

    A model card, named by the flag `card` or the configuration, overrides the environment: flag > card > environment > file.
    """
    state_dir = project.state_dir if project else None
    cards: Mapping[str, Any] = {}
    layers: list[tuple[str, dict[str, Any]]] = []
    if state_dir is not None:
        config = state_dir / CONFIG_FILE
        values = read_config(config)
        cards = {**BUILT_IN_CARDS, **values.pop(CARDS, {})}
        layers.append((str(config), values))
        layers.append((str(state_dir / CREDENTIALS_FILE), _read_key(state_dir / CREDENTIALS_FILE)))
    layers.append(("the environment", {name: environ.get(variable) for name, variable in _ENVIRONMENT.items()}))
    name = str(flags.get("card") or (layers[0][1].get("card") if state_dir is not None else None) or "")
    if name:
        if state_dir is None or name not in cards:
            known = ", ".join(sorted(cards)) or "none"
            raise DceError(
                "not_found",
                f"there is no model card {name!r}",
                hint=f"Available cards: {known}. `dce cycle card ''` makes the cycle use the settings without a card.",
            )
        card = dict(cards[name])
        key = KeyVault(state_dir, find_keyring(environ)).get(name)
        url = str(next((kept["url"] for _, kept in reversed(layers) if kept.get("url")), DEFAULT_URL))
        is_elsewhere = not same_server(str(card.get("url", url)), url)
        if is_elsewhere:  # like the key, what the headers hold is for one server
            layers = [(source, {n: v for n, v in kept.items() if n != "headers"}) for source, kept in layers]
        if key or is_elsewhere:  # the key of one server is never sent to another
            layers = [(source, {n: v for n, v in kept.items() if n != "key"}) for source, kept in layers]
            card["key"] = key
        layers.append((f"the card {name!r}", card))
    layers.append(("the command line", dict(flags)))
    merged: dict[str, Any] = {}
    for source, values in layers:
        given = {name: value for name, value in values.items() if value is not None and value != ""}
        check_settings(source, given)
        if "url" in given:
            given["url"] = with_scheme(given["url"])
            if merged.get("url", given["url"]) != given["url"]:
                merged.pop("headers", None)  # written for the other server
        merged |= given
    if "headers" in merged:
        merged["headers"] = filled_in(merged["headers"], environ)
    return msgspec.convert(merged, Settings)


def read_config(path: Path) -> dict[str, Any]:
    """The committed configuration; empty if the file is missing. Raises invalid_input if it contains a key."""
    try:
        values = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DceError("invalid_input", f"{path} is not TOML: {error}") from error
    if "key" in values:
        raise DceError(
            "invalid_input",
            f"{path} contains a key, but this file is meant to be committed",
            hint=f"Remove the key; set DCE_API_KEY, or put only the key into {path.with_name(CREDENTIALS_FILE)}.",
        )
    return values


def _read_key(path: Path) -> dict[str, str]:
    """The key of .dce/credentials, which only its owner may read."""
    try:
        mode = path.stat().st_mode
        key = path.read_text(encoding="utf-8").strip()
    except FileNotFoundError:
        return {}
    except UnicodeDecodeError as error:
        raise DceError("invalid_input", f"{path} is not text") from error
    if os.name == "posix" and stat.S_IMODE(mode) & 0o077:
        raise DceError("invalid_input", f"{path} can be read by others", hint=f"chmod 600 {path}")
    return {"key": key}


def keep_key(state_dir: Path, key: str) -> None:
    """Stores the workspace's own key in .dce/credentials, which only its owner may read; "" deletes it. Raises invalid_input."""
    path = state_dir / CREDENTIALS_FILE
    if not key:
        path.unlink(missing_ok=True)
        return
    check_settings("the key", {"key": key})
    durable.write(path, f"{key}\n".encode(), durable.PRIVATE)


def check_settings(source: str, values: Mapping[str, Any]) -> None:
    """Raises DceError naming the invalid setting and its source."""
    for name, value in values.items():
        if name not in Settings.__struct_fields__:
            known = ", ".join(field for field in Settings.__struct_fields__ if field != "key")
            raise DceError(
                "invalid_input", f"{source}: there is no setting {name!r}", hint=f"Available settings: {known}."
            )
        problem = _problem(name, value)
        if problem:
            raise DceError("invalid_input", f"{source}: {name} {problem}")


def _problem(name: str, value: Any) -> str:
    """What is wrong with a value; "" if nothing is. A key's value is never repeated."""
    try:
        msgspec.convert({name: value}, Settings)
    except msgspec.ValidationError as error:
        return str(error).removesuffix(f" - at `$.{name}`")
    if name in _CHECKS:
        return _CHECKS[name](value)
    low, high = _LIMITS.get(name, (0, 0))
    if high and not low <= value <= high:
        return f"is {value}, must be {low} to {high}"
    return ""


def _key_problem(key: str) -> str:
    if key.isascii() and key.isprintable() and " " not in key:
        return ""
    return "contains a character that is not allowed in a key (a space, a line break or a character outside ASCII)"


def _encoding_problem(encodings: Mapping[str, str]) -> str:
    problem = next((found for name in encodings.values() if (found := problem_of(name))), None)
    return "" if problem is None else f"names an encoding that cannot be used: {problem.fact}"


def _url_problem(url: str) -> str:
    try:
        parts = urlsplit(with_scheme(url))
        has_port = parts.port is None or parts.port > 0
    except ValueError as error:
        return f"is not a URL: {error}"
    if parts.scheme not in {"http", "https"} or not parts.hostname or not has_port:
        return f"is {_shown(parts)!r}, must begin with http:// or https:// and name a host"
    if parts.password:
        return "contains a password; use the key instead"
    if any(_SECRET_FIELD.fullmatch(name) for name, _ in parse_qsl(parts.query, keep_blank_values=True)):
        return "contains a key in its query; use the key instead, or a header with an environment variable"
    return "has a fragment (#…), which no server sees" if parts.fragment else ""


def _shown(parts: SplitResult) -> str:
    """A refused URL as it may be repeated: without a password and without its query."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


_CHECKS: Mapping[str, Callable[[Any], str]] = {
    "url": _url_problem,
    "key": _key_problem,
    "extra_body": extra_body_problem,
    "headers": headers_problem,
    "omit": lambda fields: omit_problem(tuple(fields)),
    "encoding": _encoding_problem,
}
"""What is wrong with a value of the right type; "" if nothing is."""

_LIMITS = {
    "n": (1, MAX_RESPONSES),
    "max_tokens": (1, 10_000_000),
    "context": (1, 100_000_000),
    "temperature": (0, 2),
    "temperature_spread": (0, 2),
    "seed": (-(2**31), 2**31),
    "history_cycles": (0, 1_000),
}
"""Smallest and largest value of a number."""
