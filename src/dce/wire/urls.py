"""The base of a server from whatever address its user has: people paste the endpoint they find in another tool's settings. Pure.

Each caller has its own table of endings, on purpose: a gateway has routes that an inference server lacks, and the root of an
OpenAI API may be `/v1` or not.
"""

from collections.abc import Sequence


def base_of(url: str, endings: Sequence[str]) -> str:
    """`url` without the first of `endings` that it has and without slashes at its end; a path prefix before it stays."""
    base = url.strip().rstrip("/")
    ending = next((ending for ending in endings if base.endswith(ending)), "")
    return base.removesuffix(ending).rstrip("/")
