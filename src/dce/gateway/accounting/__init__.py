"""What every response cost: counted once, kept without content."""
