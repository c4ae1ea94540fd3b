"""The threat model's rows about code that nobody here wrote or meant to run (S19, S20)."""

import ast
import importlib.metadata
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dce
from dce.gateway.exposure import PORTS
from dce.gateway.settings import load_settings
from dce.wire.errors import DceError
from tests.fakes.chain import Chain, error_of

ROOT = Path(__file__).parents[2]
SOURCES = Path(dce.__file__).parent
REQUIREMENT = re.compile(r"^([A-Za-z0-9._-]+)==[^\s\\]+(.*?)(?=^[A-Za-z0-9]|\Z)", re.MULTILINE | re.DOTALL)
WITHOUT_HASH = {"torch"}
"""locks/torch.txt says why; it runs real models in tests and is in no installation."""
RUNS_CODE = {"pickle", "marshal", "shelve", "yaml", "dill", "cloudpickle", "subprocess", "importlib", "runpy", "code"}
"""Modules that make code or objects of bytes, or start programs."""
CALLS_CODE = {"eval", "exec", "compile", "__import__"}
STARTS_PROGRAMS = {"system", "popen", "create_subprocess_exec", "create_subprocess_shell"}

LOADED = """
import sys, importlib.metadata as metadata
before = set(sys.modules)  # what the environment's own .pth files have loaded
import dce.gateway.app, dce.gateway.check, dce.gateway.server
tops = {name.partition(".")[0] for name in set(sys.modules) - before}
owners = metadata.packages_distributions()
print("\\n".join(sorted({owner for top in tops for owner in owners.get(top, [])})))
"""


def locked(name: str) -> dict[str, str]:
    """The packages of a lock with the rest of their entries."""
    text = (ROOT / "locks" / f"{name}.txt").read_text()
    return {match[1].lower().replace("_", "-"): match[2] for match in REQUIREMENT.finditer(text)}


def gateway_modules() -> list[Path]:
    """The modules that run in the gateway."""
    return [path for package in ("gateway", "wire") for path in sorted((SOURCES / package).rglob("*.py"))]


# -- S19 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", sorted(path.stem for path in (ROOT / "locks").glob("*.txt") if "overrides" not in path.stem)
)
def test_s19_what_is_installed_is_named_by_its_hash(name: str) -> None:
    """S19: every package of every lock has one version and hashes, so that a file exchanged in a registry is not installed."""
    packages = locked(name)
    assert packages
    assert {package for package, rest in packages.items() if "--hash=sha256:" not in rest} <= WITHOUT_HASH


def test_s19_the_panels_packages_are_named_by_their_hash() -> None:
    """S19: so is every package that the panel is built with; none of them runs a script of its own when it is installed unnoticed."""
    packages = json.loads((ROOT / "frontend" / "package-lock.json").read_text())["packages"]
    foreign = {name: entry for name, entry in packages.items() if name and not entry.get("link")}
    assert foreign
    assert [name for name, entry in foreign.items() if not entry.get("integrity", "").startswith("sha512-")] == []


def test_s19_the_gateway_loads_only_what_its_lock_names() -> None:
    """S19: a gateway's process holds the code of no package that the lock of the installation does not name."""
    out = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout
    loaded = {name.lower().replace("_", "-") for name in out.split()}
    assert {"dce", "msgspec", "uvicorn"} <= loaded
    assert loaded - {"dce"} <= locked("runtime").keys()


def test_s19_an_installation_leaves_nothing_that_python_runs_by_itself() -> None:
    """S19: the package ships no `.pth` file and no `sitecustomize`, which would run in every Python of the machine."""
    names = [path.name for path in SOURCES.rglob("*") if path.is_file()]
    assert not [name for name in names if name.endswith(".pth") or name.startswith(("sitecustomize", "usercustomize"))]
    scripts = importlib.metadata.distribution("dce").entry_points
    assert [(script.group, script.name) for script in scripts] == [("console_scripts", "dce")]


# -- S20 ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", gateway_modules(), ids=lambda path: str(path.relative_to(SOURCES)))
def test_s20_the_gateway_cannot_run_what_it_is_sent(path: Path) -> None:
    """S20: no module of the gateway loads a name it was given, deserialises objects, evaluates text or starts a program."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            assert not {alias.name.partition(".")[0] for alias in node.names} & RUNS_CODE
        elif isinstance(node, ast.ImportFrom):
            assert (node.module or "").partition(".")[0] not in RUNS_CODE
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            assert node.func.id not in CALLS_CODE
        elif isinstance(node, ast.Attribute):
            assert node.attr not in STARTS_PROGRAMS


@pytest.mark.parametrize(
    "line",
    [
        'plugin = "evil.module"',
        'callbacks = ["evil.module"]',
        'command = ["sh", "-c", "id"]',
        'routing = "evil.module:Policy"',
        '[[backends]]\nurl = "http://127.0.0.1:1"\nn_strategy = "evil.module"',
        '[[backends]]\nurl = "http://127.0.0.1:1"\nkey_command = "id"',
        '[[backends]]\nurl = "file:///etc/passwd"',
        '[[backends]]\nurl = "unix:///run/docker.sock"',
    ],
)
def test_s20_no_setting_names_code_or_a_program(line: str, tmp_path: Path) -> None:
    """S20: a configuration that names a module, a command or an address that is none of a web server is refused."""
    config = tmp_path / "gateway.toml"
    config.write_text(line)
    with pytest.raises(DceError) as caught:
        load_settings(config, {})
    assert caught.value.code == "invalid_input"


@pytest.mark.parametrize("path", ["/config/update", "/config", "/mcp", "/v1/mcp", "/plugins", "/collective_rpc"])
def test_s20_nothing_on_the_api_configures_the_gateway(chain: Chain, path: str) -> None:
    """S20: there is no route that changes a setting or names a program, with a key as without; no backend hears of it."""
    heard = len(chain.fake.posts())
    body = {"command": "id", "args": [], "litellm_settings": {"callbacks": ["evil.module"]}}
    response = chain.client.post(path, json=body)
    assert response.status_code == 404
    assert error_of(response)["hop"] == "gateway"
    assert len(chain.fake.posts()) == heard


def test_s20_the_ports_that_run_code_are_looked_for() -> None:
    """S20: Ray's dashboard, client and store, and vLLM's ZMQ and NIXL ports are among those that `dce gateway check` tries."""
    assert {8265, 10001, 6379, 5557, 5600} <= {port for port, _ in PORTS}
