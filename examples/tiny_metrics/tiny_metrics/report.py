"""From text to numbers, and from numbers to a line of text."""

from tiny_metrics import stats


def read_numbers(text):
    """Return the numbers in a text, which are separated by spaces or line ends."""
    return [float(word) for word in text.split()]


def line(values):
    """Return one line that says how many values there are, their mean and their spread."""
    if not values:
        return "no values"
    return f"{len(values)} values, mean {stats.mean(values):.1f}, spread {stats.spread(values):g}"
