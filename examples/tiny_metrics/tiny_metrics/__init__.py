"""Figures about a list of numbers."""
