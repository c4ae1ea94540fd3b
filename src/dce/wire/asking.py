"""What both sides hold about a request for responses: how many there can be, and which model names mean "any". Pure."""

MAX_RESPONSES = 20
"""Most responses to one request: twice the ten that are usual. A gateway's `max_n` can be less."""

ANY_MODEL = frozenset({"", "local-model", "default"})
"""Model names that mean "whatever you serve": the original's url mode sent `local-model`."""
