"""Makes the answers of one generation differ: a temperature and a seed for each slot.

What must always hold: pure and repeatable; a slot and version get the same values whether all slots run or only one.
"""

VERSION_STRIDE = 1000
"""Distance between the seeds of two versions of a slot: more than the number of slots, so no two answers share a seed."""

MAX_TEMPERATURE = 2.0


def slot_temperature(temperature: float | None, spread: float | None, slot: int, n: int) -> float | None:
    """Evenly spaced from `temperature - spread/2` (slot 1) to `temperature + spread/2` (slot n), limited to 0..2; None means not sent.

    With a spread but no temperature the middle is 1, the servers' usual default.
    """
    if not spread or n < 2:
        return temperature
    middle = 1.0 if temperature is None else temperature
    value = middle + spread * ((slot - 1) / (n - 1) - 0.5)
    return round(min(MAX_TEMPERATURE, max(0.0, value)), 4)


def slot_seed(seed: int | None, slot: int, version: int) -> int | None:
    """A distinct seed for every version of every slot; None means not sent."""
    return None if seed is None else seed + slot - 1 + VERSION_STRIDE * (version - 1)
