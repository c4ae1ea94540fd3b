"""Events from backends to one client: cut, renumbered, kept for a while, handed on."""
