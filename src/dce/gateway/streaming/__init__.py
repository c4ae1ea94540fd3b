"""Events from backends to one client: split, renumbered, buffered for resuming, delivered."""
