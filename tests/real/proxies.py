"""A real Caddy and a real nginx with the files of deploy/, in front of a real gateway; certificates of the tests' own."""

import os
import shutil
import ssl
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx2
import pytest
import trustme

from tests.fakes.chain import Chain, eventually, free_port

DEPLOY = Path(__file__).parents[2] / "deploy"


@dataclass(frozen=True)
class Front:
    """A web server that forwards to a gateway: its address, and the file with the root certificate of its authority."""

    url: str
    root: Path

    def client(self, key: str) -> httpx2.Client:
        """An HTTP client that trusts it."""
        tls = ssl.create_default_context(cafile=str(self.root))
        headers = {"authorization": f"Bearer {key}"} if key else {}
        return httpx2.Client(base_url=self.url, headers=headers, verify=tls, trust_env=False, timeout=60)

    @property
    def environ(self) -> Mapping[str, str]:
        """The variables with which the doctor trusts it."""
        return {"SSL_CERT_FILE": str(self.root)}


def program(name: str) -> str:
    """Where a program is: beside this Python, on PATH, or where Debian keeps servers. Fails, never skips, when there is none."""
    beside = str(Path(sys.executable).parent)
    found = shutil.which(name, path=os.pathsep.join([beside, os.environ.get("PATH", ""), "/usr/sbin"]))
    if found is None:
        pytest.fail(f"{name} is not installed: run scripts/real_parts.sh, or `make test-all`, which does")
    return found


@contextmanager
def caddy(chain: Chain, folder: Path, changes: Mapping[str, str] | None = None) -> Iterator[Front]:
    """Caddy with deploy/Caddyfile; as the site is localhost it makes its certificate by its own authority. `changes` are made to the
    file's text first."""
    port, storage = free_port(), folder / "storage"
    config, site = folder / "Caddyfile", folder / "site"
    site.write_text(_changed((DEPLOY / "Caddyfile").read_text("utf-8"), changes or {}))
    config.write_text(
        f"{{\n skip_install_trust\n admin off\n auto_https disable_redirects\n storage file_system {storage}\n}}\n"
        f"import {site}\n"
    )
    environ = {
        **os.environ,
        "HOME": str(folder),
        "XDG_CONFIG_HOME": str(folder),
        "DCE_SITE": f"https://localhost:{port}",
        "DCE_GATEWAY": chain.server.url.removeprefix("http://"),
    }
    front = Front(f"https://localhost:{port}", storage / "pki/authorities/local/root.crt")
    with _serving([program("caddy"), "run", "--config", str(config)], folder / "caddy.log", front, environ):
        yield front


@contextmanager
def nginx(chain: Chain, folder: Path, changes: Mapping[str, str] | None = None) -> Iterator[Front]:
    """nginx with deploy/nginx.conf, its ports, certificate and log in this folder; `changes` are made to the file's text first."""
    port = free_port()
    authority = trustme.CA()
    certificate = authority.issue_cert("localhost")
    authority.cert_pem.write_to_path(str(folder / "root.crt"))
    certificate.private_key_and_cert_chain_pem.write_to_path(str(folder / "site.pem"))
    site = (DEPLOY / "nginx.conf").read_text("utf-8")
    ours = {
        "listen 443 ssl;": f"listen 127.0.0.1:{port} ssl;",
        "server 127.0.0.1:3001;": f"server {chain.server.url.removeprefix('http://')};",
        "/etc/ssl/dce/fullchain.pem": str(folder / "site.pem"),
        "/etc/ssl/dce/privkey.pem": str(folder / "site.pem"),
        "/var/log/nginx/dce.log": str(folder / "access.log"),
        "server_name dce.example.org;": "server_name localhost;",
    }
    site = _changed(site, {**ours, **(changes or {})})
    config = folder / "nginx.conf"
    temporary = "".join(
        f"{kind}_temp_path {folder}/{kind};\n" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    config.write_text(
        f"daemon off;\nmaster_process off;\npid {folder}/nginx.pid;\nerror_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n{temporary}\n{site}\n}}\n"
    )
    front = Front(f"https://localhost:{port}", folder / "root.crt")
    command = [program("nginx"), "-c", str(config), "-p", str(folder)]
    with _serving(command, folder / "nginx.log", front, os.environ):
        yield front


def _changed(text: str, changes: Mapping[str, str]) -> str:
    for old, new in changes.items():
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


@contextmanager
def _serving(command: list[str], log: Path, front: Front, environ: Mapping[str, str]) -> Iterator[None]:
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, env=dict(environ))
    try:
        eventually(lambda: process.poll() is not None or _answers(front))
        assert process.poll() is None, log.read_text()
        yield
    finally:
        process.terminate()
        process.wait(60)


def _answers(front: Front) -> bool:
    try:
        with front.client("") as client:
            return client.get("/healthz").status_code != 502
    except (OSError, httpx2.TransportError):
        return False
