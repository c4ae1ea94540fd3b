"""DCE: best-of-N coding on your own model server."""

__version__ = "0.2.0"
