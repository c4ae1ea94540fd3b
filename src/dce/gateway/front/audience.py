"""Next steps for those who do not use DCE's own client: an error's hint fits who asks.

The hints of wire/errors.py are for users of DCE. On the routes of other APIs they would name settings that those clients do not have.
"""

from collections.abc import Mapping

import msgspec

from dce.wire.errors import DceError, ErrorBody

Hints = Mapping[str, str]
"""An error's code → the next step."""

NO_HINTS: Hints = {}
_ANY = {
    "prompt_too_long": "Send a shorter prompt, or ask for fewer output tokens.",
    "body_too_large": "Send a smaller request, or ask the operator to raise `max_body_bytes`.",
    "stream_interrupted": "Send the request again.",
}
OPENAI_USERS: Hints = {
    **_ANY,
    "missing_key": "Send `Authorization: Bearer KEY`: `api_key` in an SDK, OPENAI_API_KEY (DCE's own client: DCE_API_KEY) in the "
    "environment. The operator makes keys.",
    "invalid_key": "Check the key (`api_key`, OPENAI_API_KEY, or DCE_API_KEY) for a missing character; ask the operator for a new one if "
    "it was revoked.",
}
ANTHROPIC_USERS: Hints = {
    **_ANY,
    "missing_key": "Send the key as `x-api-key` or `Authorization: Bearer`: `api_key` or `auth_token` in the SDK, ANTHROPIC_API_KEY or "
    "ANTHROPIC_AUTH_TOKEN in the environment. The operator makes keys.",
    "invalid_key": "Check the key (ANTHROPIC_API_KEY or ANTHROPIC_AUTH_TOKEN) for a missing character; ask the operator for a new one if it "
    "was revoked.",
}
OPENAI_BASE_URL = "set the base URL (OPENAI_BASE_URL) to https://HOST/v1"
ANTHROPIC_BASE_URL = "set the base URL (ANTHROPIC_BASE_URL) to https://HOST, without a path"


def body_for(error: DceError, request_id: str, hints: Hints) -> ErrorBody:
    """The error as it is sent. A hint that the code which raised it chose is better than any of these."""
    body = error.body(request_id)
    is_usual = error.hint == error.kind.hint
    return msgspec.structs.replace(body, hint=hints[error.code]) if is_usual and error.code in hints else body
