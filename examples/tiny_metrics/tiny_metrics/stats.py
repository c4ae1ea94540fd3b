"""Figures about lists of numbers."""


def mean(values):
    """Return the sum of the values divided by how many there are."""
    raise NotImplementedError


def spread(values):
    """Return the maximum of the values minus their minimum."""
    raise NotImplementedError
