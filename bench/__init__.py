"""Benchmarks: one scenario a file, each beside what it compares to, in one run; raw results are kept in bench/results."""
