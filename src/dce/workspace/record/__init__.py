"""What is kept: the store with its rows, its copies, its way out and in."""
