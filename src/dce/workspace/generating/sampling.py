"""How the answers of one generation are made to differ: a temperature and a seed for each slot.

What must always hold: pure and repeatable; the same slot and version get the same values whether all slots run or one alone.
"""

VERSION_STRIDE = 1000
"""Between the seeds of two versions of a slot: more than there are slots, so that no two answers share a seed."""

MAX_TEMPERATURE = 2.0


def slot_temperature(temperature: float | None, spread: float | None, slot: int, n: int) -> float | None:
    """Evenly from `temperature - spread/2` (slot 1) to `temperature + spread/2` (slot n), within 0 and 2; None is not sent.

    With a spread and no temperature the middle is 1, which is what servers take when none is sent.
    """
    if not spread or n < 2:
        return temperature
    middle = 1.0 if temperature is None else temperature
    value = middle + spread * ((slot - 1) / (n - 1) - 0.5)
    return round(min(MAX_TEMPERATURE, max(0.0, value)), 4)


def slot_seed(seed: int | None, slot: int, version: int) -> int | None:
    """A seed of its own for every version of every slot; None is not sent."""
    return None if seed is None else seed + slot - 1 + VERSION_STRIDE * (version - 1)
