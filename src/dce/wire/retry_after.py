"""The Retry-After header of an answer: seconds, or a date. Pure."""

import re
from email.utils import parsedate_to_datetime

_SECONDS = re.compile(r"\d{1,9}(\.\d{1,9})?")


def retry_after_s(value: str, now: float) -> float | None:
    """The seconds to wait from `now` (since the epoch); None if the header says nothing. A date that has passed means 0."""
    text = value.strip()
    if _SECONDS.fullmatch(text) and text.isascii():
        return float(text)
    try:
        return max(0.0, parsedate_to_datetime(text).timestamp() - now)
    except (ValueError, OverflowError):
        return None
