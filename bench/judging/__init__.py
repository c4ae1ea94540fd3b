"""Judging, measured: how often the answer that DCE puts first is right, on recorded answers and on tasks of our own."""
