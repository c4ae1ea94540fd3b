"""Accounting: what every response cost, counted once, stored without content."""
