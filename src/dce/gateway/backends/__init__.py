"""The backends (inference servers): type, health, selection, and HTTP to them."""
