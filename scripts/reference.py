"""Writes what is written from the code, so that it cannot drift: `python scripts/reference.py [--check]`.

tests/test_docs.py runs it with --check. The front-end's types follow from openapi.json by `npm run types`; `make reference` does both.
"""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
from msgspec import inspect

from dce.cli.reference import page as verbs
from dce.gateway.endpoints import routes
from dce.gateway.reload import FIXED
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.panel.openapi import text as api
from dce.wire.errors import CODES

ROOT = Path(__file__).parent.parent
HEAD = "<!-- Written by scripts/reference.py from the code; `make reference` renews it. -->\n\n"


def errors() -> str:
    """Page: the error codes."""
    rows = [
        f"| `{code}` | {row.hop} | {row.status} | {'yes' if row.is_retryable else 'no'} | {row.hint} |"
        for code, row in CODES.items()
    ]
    text = (
        "# Errors\n\nEvery error names its hop (client → gateway → backend → model), the fact and the next step. Over HTTP and in a stream it is\n"
        '`{"error": {"message", "type", "code", "hop", "hint", "request_id", "choices"}}`, at most 4 KB; `choices` lists the 0-based responses it concerns.\n\n'
        "| code | hop | HTTP status | can trying again help? | usual next step |\n|---|---|---|---|---|\n"
    )
    return text + "\n".join(rows) + "\n"


def settings() -> str:
    """Page: the gateway's settings."""
    text = (
        "# Gateway settings\n\nA setting is a key in the TOML file given with `--config`, and for the usual ones a flag of `dce gateway serve`.\n"
        "Flag before environment before file before default. Environment: `DCE_DATA_DIR`, `VLLM_URL` (or the original's `VLLM_ENDPOINT`).\n\n"
        "| setting | default | meaning |\n|---|---|---|\n"
    )
    fixed = ", ".join(f"`{name}`" for name in sorted(FIXED))
    reload = (
        "\n\n## Changing them while it runs\n\n`kill -HUP` to a gateway that was started with `--config` reads the file again (and the "
        "backends' key files). Either all of it counts for whatever begins from then on, or, when something in it is wrong, none of it; the "
        f"log says which. Running responses end as they began. A restart is needed for {fixed}; the log names those that differ.\n"
    )
    backends = (
        reload + "\n## A backend\n\nAn entry of `backends` is a URL, or a table (`[[backends]]`) with these keys.\n\n"
        "| setting | default | meaning |\n|---|---|---|\n"
    )
    return text + "\n".join(_rows(GatewaySettings)) + backends + "\n".join(_rows(BackendSettings)) + "\n"


def _rows(struct: type[msgspec.Struct]) -> list[str]:
    """A row of the table for each field."""
    info = inspect.type_info(struct)
    assert isinstance(info, inspect.StructType)
    rows = []
    for field in info.fields:
        extra = field.type.extra_json_schema if isinstance(field.type, inspect.Metadata) else {}
        has_default = field.default is not msgspec.NODEFAULT or field.default_factory is not msgspec.NODEFAULT
        default = field.default_factory() if callable(field.default_factory) else field.default
        shown = f"`{msgspec.json.encode(default).decode()}`" if has_default else "(needed)"
        rows.append(f"| `{field.name}` | {shown} | {(extra or {}).get('description', '')} |")
    return rows


def http() -> str:
    """Page: the gateway's routes."""
    names = ("proxy", "forwarder", "lookups", "catalog", "diagnostics", "privacy", "drain")
    parts: Any = [_Named(name) for name in names]
    table = routes(*parts)
    rows = [f"| `{row.method} {row.pattern}` | {'no' if row.is_public else 'yes'} |" for row in table.rows]
    text = "# Gateway routes\n\nAnother path answers 404 `route_not_found`, another method 405 `method_not_allowed` (with a key; without one, 401). One trailing slash is\nignored; `GET` routes answer `HEAD` too, but for event streams; `{model*}` may contain slashes. The setting `legacy` adds\n[routes for the original extension](../operations/legacy.md).\n\n| route | needs a key |\n|---|---|\n"
    return text + "\n".join(rows) + "\n"


class _Named:
    """Stands for an object whose methods are only named, never called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> str:
        return f"{self._name}.{name}"


PAGES: dict[str, Callable[[], str]] = {
    "docs/reference/cli.md": verbs,
    "docs/reference/errors.md": lambda: HEAD + errors(),
    "docs/reference/gateway-settings.md": lambda: HEAD + settings(),
    "docs/reference/gateway-routes.md": lambda: HEAD + http(),
    "frontend/openapi.json": api,
}


def main(arguments: list[str]) -> int:
    """Writes the pages, or says with --check which are out of date."""
    texts = {name: page() for name, page in PAGES.items()}
    stale = [name for name, text in texts.items() if not _holds(ROOT / name, text)]
    for name in stale:
        if "--check" in arguments:
            print(f"{name} is out of date: run make reference")
        else:
            (ROOT / name).write_text(texts[name], "utf-8")
            print(f"wrote {name}")
    return 1 if stale and "--check" in arguments else 0


def _holds(path: Path, text: str) -> bool:
    return path.is_file() and path.read_text("utf-8") == text


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
