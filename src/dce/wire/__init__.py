"""The protocol shared by client and gateway. Pure: no I/O, no framework, no imports from the rest of DCE."""
