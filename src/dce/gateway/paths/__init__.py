"""The two data paths of a request, and what both need."""
