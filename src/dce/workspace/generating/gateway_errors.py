"""The seam where what can go wrong on the way to the gateway becomes a `DceError` that names the hop and the next step.

What must always hold: no message holds a key, a prompt or the text of a foreign page.
"""

import ssl
from collections.abc import Mapping

from dce.wire.errors import CODES, DceError, decode_error

_PROXY_DOWN = frozenset({502, 503, 504})


def error_of_transport(error: Exception, url: str) -> DceError:
    """Why there was no answer."""
    from dce.workspace.light_httpx import httpx  # noqa: PLC0415 - see there

    if isinstance(error, httpx.ConnectTimeout | httpx.PoolTimeout):
        return DceError("gateway_unreachable", f"{url} does not answer: no connection in time")
    if isinstance(error, httpx.TimeoutException):
        return DceError("gateway_timeout", f"{url} took the request and then was silent for too long")
    if isinstance(error, httpx.UnsupportedProtocol | httpx.InvalidURL | UnicodeError):
        return DceError("invalid_input", f"the gateway's URL is not usable: {error}")
    if isinstance(error, httpx.RemoteProtocolError) and "disconnected" not in str(error):
        return DceError("not_a_gateway", f"{url} does not speak HTTP: {error}")
    return DceError("gateway_unreachable", f"{url} cannot be reached: {_reason(error)}", hint=_hint(error))


def _reason(error: BaseException) -> str:
    """The innermost reason: httpx's own says only that all attempts failed."""
    text = str(error) or type(error).__name__
    cause = error.__cause__ or error.__context__
    return _reason(cause) if cause is not None and "All connection attempts failed" in text else text


def _hint(error: BaseException | None) -> str:
    while error is not None:
        if isinstance(error, ssl.SSLCertVerificationError) or "CERTIFICATE_VERIFY_FAILED" in str(error):
            return "The gateway's certificate is not trusted here: set SSL_CERT_FILE to its CA, or check the host name."
        if isinstance(error, ssl.SSLError) or "[SSL" in str(error):
            return "The port does not speak TLS: check whether DCE_URL should begin with http://."
        error = error.__cause__ or error.__context__
    return ""


def error_of_answer(status: int, headers: Mapping[str, str], content: bytes, url: str) -> DceError:
    """What an answer that is not the one asked for means. `content` may be its beginning only."""
    body = decode_error(content)
    if body is not None and (body.code in CODES or body.hop):
        error = DceError.from_body(body)
        return DceError(
            error.code,
            error.message,
            hint=error.hint,
            hop=error.hop,
            choices=error.choices,
            retry_after_s=_seconds(headers.get("retry-after", "")),
        )
    kind = headers.get("content-type", "").partition(";")[0].strip() or "nothing"
    fact = f"{url} answered {status} with {kind}"
    if status in _PROXY_DOWN and body is None:
        return DceError(
            "gateway_unreachable",
            f"{fact}: the web server in front of the gateway cannot reach it",
            hint="Start the gateway; `dce doctor` shows which hop fails.",
        )
    if status == 413:
        return DceError("body_too_large", f"{fact}: the web server in front of the gateway refuses so large a prompt")
    if 300 <= status < 400:
        target = headers.get("location", "")[:200]
        return DceError("not_a_gateway", f"{fact}, a redirect to {target!r}", hint="Set DCE_URL to the final address.")
    return DceError("not_a_gateway", f"{fact}, which no DCE gateway does")


def _seconds(value: str) -> float | None:
    return float(value) if value.isascii() and value.isdigit() else None
