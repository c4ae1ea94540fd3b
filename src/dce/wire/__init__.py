"""What both sides say to each other. Pure: no I/O, no framework, no imports from the rest of DCE."""
