"""What both sides know about a request for responses: the maximum number, and the model names that mean "any". Pure."""

MAX_RESPONSES = 20
"""Maximum responses per request: twice the usual ten. A gateway's `max_n` can be less."""

ANY_MODEL = frozenset({"", "local-model", "default"})
"""Model names that mean "whatever is served": the original's url mode sent `local-model`."""
