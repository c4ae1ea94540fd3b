"""Pictures attached to a prompt, for vision models: which formats, which sizes, and how a request carries them.

What must always hold: prompt.md stays text, with a line that names each attached picture by the hash of its bytes, so that the same
prompt always means the same pictures; only formats that servers accept are attached, and never more than the limits here.
"""

import base64
from collections.abc import Iterable
from typing import Any

from dce.wire.errors import DceError
from dce.workspace.record.pictures import Picture

MAX_PICTURE_BYTES = 5_000_000
"""Largest picture: the smallest limit among hosted vision models."""

MAX_PICTURES_BYTES = 15_000_000
"""Total size of a prompt's pictures. In base64 that is 20 MB, less than half of the 50 MiB that a gateway accepts in a body."""

TOKENS_EACH = 1_000
"""Assumed tokens per picture. Models use 250 to 2,500, depending on its size and their own rules, and no server says in advance."""

_MARKS = ((b"\x89PNG\r\n\x1a\n", "image/png"), (b"\xff\xd8\xff", "image/jpeg"), (b"GIF8", "image/gif"))


def picture_of(path: str, content: bytes) -> Picture:
    """The picture in a file. Raises DceError invalid_input if no server would accept it."""
    mime = next((mime for mark, mime in _MARKS if content.startswith(mark)), "")
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        mime = "image/webp"
    hint = f"Remove it with `dce select rm {path}`, or turn off the setting `images` to send only its format and size."
    if not mime:
        raise DceError(
            "invalid_input", f"{path} is not a PNG, JPEG, GIF or WebP picture: no model accepts it", hint=hint
        )
    if len(content) > MAX_PICTURE_BYTES:
        megabytes = MAX_PICTURE_BYTES // 1_000_000
        raise DceError("invalid_input", f"{path} is larger than the {megabytes} MB that models accept", hint=hint)
    return Picture(path=path, mime=mime, content=content)


def check_size(pictures: Iterable[Picture]) -> None:
    """Raises DceError invalid_input if the pictures are too large together for a request."""
    size = sum(len(picture.content) for picture in pictures)
    if size > MAX_PICTURES_BYTES:
        raise DceError(
            "invalid_input",
            f"the selected pictures total {size:,} bytes, but a prompt can carry at most {MAX_PICTURES_BYTES:,}",
            hint="Remove some from the selection: `dce select rm PATH…`.",
        )


def content_of(text: str, pictures: Iterable[Picture]) -> str | list[dict[str, Any]]:
    """A message's content in OpenAI format: just the text, or parts with the text first and then the pictures, in order."""
    parts = [
        {
            "type": "image_url",
            "image_url": {"url": f"data:{picture.mime};base64,{base64.b64encode(picture.content).decode()}"},
        }
        for picture in pictures
    ]
    return [{"type": "text", "text": text}, *parts] if parts else text
