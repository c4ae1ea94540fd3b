"""The hosted side: authenticates, limits, chooses a backend and streams N responses from one prompt."""
