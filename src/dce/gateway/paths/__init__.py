"""The two data paths from an admitted request to its end, and what both need."""
