"""The panel's HTTP responses: JSON from structs, errors in the one shape, HTML pages."""

import asyncio
import gzip
import math
from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from dce.panel.limits import MIN_COMPRESSED_BYTES
from dce.wire.errors import DceError, encode_error


async def json_response(value: object, accept_encoding: str = "") -> Response:
    """`value` as JSON, gzipped if it is large and the browser's Accept-Encoding allows it."""
    body, headers = await asyncio.to_thread(_encoded, value, "gzip" in accept_encoding)
    return Response(body, headers=headers, media_type="application/json")


def _encoded(value: object, may_compress: bool) -> tuple[bytes, Mapping[str, str] | None]:
    body = msgspec.json.encode(value)
    if len(body) < MIN_COMPRESSED_BYTES or not may_compress:
        return body, None
    return gzip.compress(body, 1, mtime=0), {"content-encoding": "gzip", "vary": "accept-encoding"}


def error_response(error: DceError, request_id: str = "") -> Response:
    """`{"error": {…}}` with the status that the table of errors gives."""
    headers = {"retry-after": str(math.ceil(error.retry_after_s))} if error.retry_after_s else None
    return Response(encode_error(error, request_id), error.status, headers, media_type="application/json")


def html_response(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An HTML page."""
    return Response(html, status, dict(headers or {}), media_type="text/html")
