"""The hosted side: authenticates, limits, chooses a backend and streams N responses from one prompt."""

import logging

# Who does not serve (`gateway check`) wants no log; without a handler Python prints warnings without their fields.
logging.getLogger("dce.gateway").addHandler(logging.NullHandler())
