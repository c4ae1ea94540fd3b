"""Parsing times as people type them."""

import click
import pytest

from dce.cli.moments import begin_moment, date_text, end_moment


@pytest.mark.parametrize(
    ("text", "moment"),
    [("90s", 1090.0), ("2w", 1000.0 + 1_209_600), ("1970-01-02", 86_400.0), ("1970-01-02T00:00:00+01:00", 82_800.0)],
)
def test_ends(text: str, moment: float) -> None:
    """A duration counts from now; a date is UTC unless it says otherwise."""
    assert end_moment(text, 1000.0, "--expires") == moment


@pytest.mark.parametrize(("text", "moment"), [("90s", 910.0), ("1970-01-01", 0.0), ("1970-01-01 00:10", 600.0)])
def test_beginnings(text: str, moment: float) -> None:
    """A duration counts back from now."""
    assert begin_moment(text, 1000.0, "--since") == moment


def test_an_end_in_the_past_is_wrong_usage() -> None:
    """A past expiry and an invalid time are refused, naming the flag."""
    for text in ("1970-01-01", "soon", "", "d", "9999999d"):
        with pytest.raises(click.BadParameter) as caught:
            end_moment(text, 1e9, "--expires")
        assert caught.value.param_hint == "--expires"


def test_dates_are_shown_in_utc() -> None:
    """A moment is shown to the minute."""
    assert date_text(86_461.0) == "1970-01-02 00:01"
