"""Parses times as people type them: a span such as `30d`, or a date (UTC unless it names another zone)."""

import re
from datetime import UTC, datetime

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


def span(text: str) -> float | None:
    """`30d` in seconds; None if it is not a span."""
    match = re.fullmatch(r"(\d{1,6})([smhdw])", text)
    return float(match[1]) * _UNITS[match[2]] if match else None


def end_moment(text: str, now: float, flag: str) -> float:
    """`30d` from `now`, or a date or date and time, as seconds since the epoch. It must be in the future."""
    moment = _moment(text, now, 1, flag)
    if moment <= now:
        raise click.BadParameter(f"{text} is in the past", param_hint=flag)
    return moment


def begin_moment(text: str, now: float, flag: str) -> float:
    """`30d` before `now`, or a date or date and time, as seconds since the epoch."""
    return _moment(text, now, -1, flag)


def _moment(text: str, now: float, sign: int, flag: str) -> float:
    seconds = span(text)
    if seconds is not None:
        return now + sign * seconds
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        raise click.BadParameter(f"{text!r} is neither a span such as 30d nor a date", param_hint=flag) from None
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def date_text(moment: float) -> str:
    """A time to the minute, in UTC."""
    return datetime.fromtimestamp(moment, UTC).strftime("%Y-%m-%d %H:%M")
