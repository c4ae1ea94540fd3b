"""Comparing, checking and ranking the answers."""
