"""Retry-After as servers send it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.retry_after import retry_after_s

NOW = 784_111_777.0
"""Sun, 06 Nov 1994 08:49:37 GMT, the example of RFC 9110."""


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("7", 7.0),
        (" 7 ", 7.0),
        ("0", 0.0),
        ("1.5", 1.5),
        ("Sun, 06 Nov 1994 08:50:07 GMT", 30.0),
        ("Sun, 06 Nov 1994 08:49:07 GMT", 0.0),
        ("", None),
        ("soon", None),
        ("-3", None),
        ("1e9", None),
        ("inf", None),
        ("\u0663", None),
        ("9" * 400, None),
        ("Sun, 06 Nov 99999 08:50:07 GMT", None),
    ],
)
def test_seconds_and_dates(value: str, seconds: float | None) -> None:
    """Seconds, with or without a fraction, and HTTP dates are read; anything else says nothing."""
    assert retry_after_s(value, NOW) == seconds


@given(st.text(max_size=40))
def test_garbage_says_nothing_or_a_time(value: str) -> None:
    """No header makes the reader fail, and no wait is negative."""
    found = retry_after_s(value, NOW)
    assert found is None or found >= 0
