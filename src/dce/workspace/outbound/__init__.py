"""What may leave this machine, and what must not."""
