"""The HTTP answers of the panel: JSON from structs, errors in the one shape, pages."""

import asyncio
import gzip
import math
from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from dce.wire.errors import DceError, encode_error

MIN_PACKED_BYTES = 64 * 1024
"""Answers from this size on are packed, for panels that are looked at through a tunnel; smaller ones gain nothing."""


async def answer_json(value: object, accepted: str = "") -> Response:
    """`value` as JSON, gzipped if it is large and the browser's Accept-Encoding (`accepted`) allows."""
    body = await asyncio.to_thread(msgspec.json.encode, value)
    if len(body) < MIN_PACKED_BYTES or "gzip" not in accepted:
        return Response(body, media_type="application/json")
    packed = await asyncio.to_thread(gzip.compress, body, 1, mtime=0)
    headers = {"content-encoding": "gzip", "vary": "accept-encoding"}
    return Response(packed, headers=headers, media_type="application/json")


def answer_error(error: DceError, request_id: str = "") -> Response:
    """`{"error": {…}}` with the status of the error's row."""
    headers = {"retry-after": str(math.ceil(error.retry_after_s))} if error.retry_after_s else None
    return Response(encode_error(error, request_id), error.status, headers, media_type="application/json")


def answer_page(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An HTML page."""
    return Response(html, status, dict(headers or {}), media_type="text/html")
