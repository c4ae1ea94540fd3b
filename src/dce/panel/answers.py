"""The HTTP answers of the panel: JSON from structs, errors in the one shape, pages."""

from collections.abc import Mapping

import msgspec
from starlette.responses import Response

from dce.wire.errors import DceError, encode_error


def answer_json(value: object, status: int = 200) -> Response:
    """`value` (structs, built-in types) as JSON."""
    return Response(msgspec.json.encode(value), status, media_type="application/json")


def answer_error(error: DceError, request_id: str = "") -> Response:
    """`{"error": {…}}` with the status of the error's row."""
    headers = {"retry-after": str(round(error.retry_after_s))} if error.retry_after_s else None
    return Response(encode_error(error, request_id), error.status, headers, media_type="application/json")


def answer_page(html: str, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """An HTML page."""
    return Response(html, status, dict(headers or {}), media_type="text/html")
