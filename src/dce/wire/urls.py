"""The base URL in whatever address people paste: often the endpoint from another tool's settings. Pure.

Each caller has its own table of endings, on purpose: a gateway has routes that an inference server lacks, and the root of an OpenAI API
may be `/v1` or not.
"""

from collections.abc import Sequence


def base_of(url: str, endings: Sequence[str]) -> str:
    """`url` without the first of `endings` that it has and without trailing slashes; a path prefix is kept."""
    base = url.strip().rstrip("/")
    ending = next((ending for ending in endings if base.endswith(ending)), "")
    return base.removesuffix(ending).rstrip("/")
