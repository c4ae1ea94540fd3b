"""`python -m tiny_metrics`: reads numbers from standard input, prints one line about them."""

import sys

from tiny_metrics.report import line, read_numbers

if __name__ == "__main__":
    print(line(read_numbers(sys.stdin.read())))
