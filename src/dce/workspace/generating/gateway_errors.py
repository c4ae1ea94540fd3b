"""Turns an unexpected answer from the gateway's URL into a `DceError` that names the hop and the next step.

What must always hold: no message contains a key, a prompt or the text of a foreign page.
"""

import time
from collections.abc import Mapping

from dce.wire.errors import CODES, DceError, Hop, decode_error
from dce.wire.retry_after import retry_after_s
from dce.workspace.http.peer import Peer

_PROXY_DOWN = frozenset({502, 503, 504})


def error_of_answer(status: int, headers: Mapping[str, str], content: bytes, url: str) -> DceError:
    """The error that an unexpected answer means. `content` may be only its beginning."""
    body = decode_error(content)
    if body is not None and (body.code in CODES or body.hop):
        error = DceError.from_body(body)
        return DceError(
            error.code,
            error.message,
            hint=error.hint,
            hop=error.hop,
            choices=error.choices,
            retry_after_s=retry_after_s(headers.get("retry-after", ""), time.time()),
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
        return DceError("body_too_large", f"{fact}: the web server in front of the gateway refuses a prompt this large")
    if 300 <= status < 400:
        target = headers.get("location", "")[:200]
        return DceError("not_a_gateway", f"{fact}, a redirect to {target!r}", hint="Set DCE_URL to the final address.")
    return DceError("not_a_gateway", f"{fact}, so it is not a DCE gateway")


GATEWAY = Peer(
    name="the gateway",
    hop=Hop.GATEWAY,
    unreachable="gateway_unreachable",
    silent="gateway_timeout",
    foreign="not_a_gateway",
    has_heartbeat=True,
    error_of_answer=error_of_answer,
)
