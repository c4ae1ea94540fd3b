"""What verbs load of httpx: nothing before a server is asked, and never its command line."""

import subprocess
import sys

import pytest


def _loaded(code: str) -> set[str]:
    """Which of the heavy modules a fresh interpreter holds after `code`."""
    heavy = ("httpx", "httpx._main", "rich", "pygments")
    tell = f"{code}\nimport sys\nprint(*[name for name in {heavy!r} if name in sys.modules])"
    return set(subprocess.run([sys.executable, "-c", tell], capture_output=True, check=True, text=True).stdout.split())


@pytest.mark.parametrize(
    "module", ["dce.workspace.workspace", "dce.workspace.generating.providers", "dce.workspace.generating.privacy"]
)
def test_nothing_is_loaded_before_a_server_is_asked(module: str) -> None:
    """Opening a workspace loads no HTTP client."""
    assert _loaded(f"import {module}") == set()


def test_the_client_comes_without_its_command_line() -> None:
    """A request loads httpx, whole but for the program that comes with it."""
    code = (
        "from dce.workspace.generating.gateway_errors import error_of_answer\n"
        "from dce.workspace.generating.http_link import HttpLink\n"
        "client = HttpLink('http://127.0.0.1:9', None, error_of_answer, 1.0).client()\n"
        "import httpx; assert isinstance(client, httpx.AsyncClient)"
    )
    assert _loaded(code) == {"httpx"}


def test_an_httpx_that_is_there_is_taken_as_it_is() -> None:
    """After a program has imported httpx itself, the same module is used."""
    code = "import httpx as own\nfrom dce.workspace.light_httpx import httpx\nassert httpx is own"
    assert "httpx._main" in _loaded(code)
