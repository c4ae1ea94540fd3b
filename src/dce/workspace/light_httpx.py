"""httpx as the client uses it, loaded when something is asked of a server: verbs that ask nothing start without it.

What must always hold: this is httpx itself; only its command line is left out, which it loads with itself where it can (rich, pygments:
half of the time) and does without where click is not installed.
"""

import sys

_COMMAND_LINE = "httpx._main"

if "httpx" not in sys.modules:
    sys.modules[_COMMAND_LINE] = None  # type: ignore[assignment]  # "cannot be imported"
    try:
        import httpx
    finally:
        del sys.modules[_COMMAND_LINE]
else:
    import httpx

__all__ = ("httpx",)
