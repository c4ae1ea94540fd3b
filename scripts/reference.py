"""Writes docs/reference/*.md from the tables in the code, so that they cannot drift: `python scripts/reference.py [--check]`.

tests/test_docs.py runs it with --check.
"""

import sys
from pathlib import Path

import msgspec
from msgspec import inspect

from dce.gateway.endpoints import routes
from dce.gateway.reload import FIXED
from dce.gateway.settings import BackendSettings, GatewaySettings
from dce.wire.errors import CODES

FOLDER = Path(__file__).parent.parent / "docs" / "reference"
HEAD = "<!-- Written by scripts/reference.py from the code; `make reference` renews it. -->\n\n"


def errors() -> str:
    """The table of error codes."""
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
    """The table of the gateway's settings."""
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
    """The table of the gateway's routes."""
    table = routes(*(_Named(name) for name in ("proxy", "forwarder", "catalog", "diagnostics", "privacy", "drain")))  # type: ignore[arg-type]
    rows = [f"| `{row.method} {row.pattern}` | {'no' if row.is_public else 'yes'} |" for row in table.rows]
    text = "# Gateway routes\n\nAnything else answers 404 `route_not_found` (with a key; without one, 401).\n\n| route | needs a key |\n|---|---|\n"
    return text + "\n".join(rows) + "\n"


class _Named:
    """Stands for an object whose methods are only named, never called."""

    def __init__(self, name: str) -> None:
        self._name = name

    def __getattr__(self, name: str) -> str:
        return f"{self._name}.{name}"


PAGES = {"errors.md": errors, "gateway-settings.md": settings, "gateway-routes.md": http}


def main(arguments: list[str]) -> int:
    """Writes the pages, or says with --check which are out of date."""
    stale = [
        name
        for name, page in PAGES.items()
        if not (FOLDER / name).is_file() or (FOLDER / name).read_text("utf-8") != HEAD + page()
    ]
    if "--check" in arguments:
        for name in stale:
            print(f"docs/reference/{name} is out of date: run make reference")
        return 1 if stale else 0
    for name in stale:
        (FOLDER / name).write_text(HEAD + PAGES[name](), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
