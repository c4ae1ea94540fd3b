"""The hosted side: authenticates, limits, chooses a backend and streams N responses from one prompt."""

import logging

# Commands that do not serve (`gateway check`) log nothing; without a handler Python would print warnings without their fields.
logging.getLogger("dce.gateway").addHandler(logging.NullHandler())
