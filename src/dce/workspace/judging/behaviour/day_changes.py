"""Other days and times in the place of one: near ones, ends of months and years, leap days. Any other change of their numbers is mostly none."""

import ast
import calendar
import datetime
import random
import re

_ISO_DAY = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})\b")
_CLOCK = re.compile(r"\b([01]?\d|2[0-3]):([0-5]\d)\b")
_STEPS = (0, 1, 1, -1, -1, 2, 7, -7, 28, 30, -30, 31, 365, -365)
_MINUTES = (1, -1, 15, -15, 30, 60, -60, 720)


def is_day(node: ast.AST) -> bool:
    """Whether it is `date(2024, 1, 10)` or `datetime(…)`: its numbers belong together."""
    if not isinstance(node, ast.Call) or len(node.args) < 3:
        return False
    return ast.unparse(node.func).split(".")[-1] in {"date", "datetime"}


def changed_day(node: ast.Call, rng: random.Random) -> ast.Call | None:
    """Such a call with another day or time; None if it is none, or its numbers are no day."""
    if not is_day(node):
        return None
    try:
        numbers = [ast.literal_eval(argument) for argument in node.args]
        day = datetime.date(*numbers[:3])
    except (ValueError, TypeError, SyntaxError, OverflowError):
        return None
    other = _other(day, rng)
    clock = numbers[3:]
    if len(clock) >= 2 and rng.random() < 0.6 and all(type(number) is int for number in clock[:2]):
        other, minutes = day, (clock[0] * 60 + clock[1] + rng.choice(_MINUTES)) % 1440
        clock[:2] = divmod(minutes, 60)
    arguments: list[ast.expr] = [ast.Constant(number) for number in (other.year, other.month, other.day, *clock)]
    return ast.Call(node.func, arguments, node.keywords)


def changed_days(text: str, rng: random.Random) -> str | None:
    """A text with a day or a time of day in it, with another one; None if there is none."""
    found = [*_ISO_DAY.finditer(text), *_CLOCK.finditer(text)]
    if not found:
        return None
    match = rng.choice(found)
    if match.re is _ISO_DAY:
        try:
            new = _other(datetime.date(*map(int, match.groups())), rng).isoformat()
        except ValueError:
            return None
    else:
        clocks = [int(other[1]) * 60 + int(other[2]) for other in found if other.re is _CLOCK]
        minutes = rng.choice([0, *clocks, *(clock + step for clock in clocks for step in _MINUTES)])
        hour, minute = divmod(minutes % 1440, 60)
        new = f"{hour:0{len(match[1])}}:{minute:02}"
    return text[: match.start()] + new + text[match.end() :]


def _other(day: datetime.date, rng: random.Random) -> datetime.date:
    if rng.random() < 0.25:
        year = rng.choice((day.year, day.year, day.year + 1, 2024, 2023))
        month = rng.choice((day.month, 2, 12, 1))
        return datetime.date(min(year, 9998), month, rng.choice((1, calendar.monthrange(year, month)[1])))
    try:
        return day + datetime.timedelta(days=rng.choice(_STEPS))
    except OverflowError:
        return day
