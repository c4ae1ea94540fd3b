"""`python -m dce` is the command line."""

import sys

from dce.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
