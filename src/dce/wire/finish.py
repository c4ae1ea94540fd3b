"""What a finish_reason says about a response: one table for every server's words. Pure.

Only a word that is known to mean the model's own end makes a response whole. An unknown one is a failure that names the word: a response
wrongly called whole is accepted, one wrongly called cut is looked at.
"""

from enum import StrEnum


class Outcome(StrEnum):
    """How a response ended."""

    WHOLE = "whole"
    CUT = "cut"
    STOPPED = "stopped"
    FAILED = "failed"


_OUTCOMES = {
    Outcome.WHOLE: (
        "stop",
        "eos",
        "eos_token",
        "end_turn",
        "stop_sequence",
        "end",
        "complete",
        "completed",
        "finish",
        "finished",
    ),
    Outcome.CUT: (
        "length",
        "max_tokens",
        "max_output_tokens",
        "max_completion_tokens",
        "max_new_tokens",
        "max_length",
        "model_length",
        "model_context_window_exceeded",
        "token_limit",
        "incomplete",
    ),
    Outcome.STOPPED: ("stopped",),  # DCE's own: at the user's request
}
_OF_REASON = {reason: outcome for outcome, reasons in _OUTCOMES.items() for reason in reasons}
_RUNNING = frozenset({"", "null", "none"})
"""Some servers send these as the reason of a response that is still running."""


def reason_of(value: object) -> str | None:
    """The finish_reason in a chunk; None while the response is running."""
    return value if isinstance(value, str) and value.strip().lower() not in _RUNNING else None


def outcome_of(reason: str) -> Outcome:
    """What a finish_reason means, in any case and spelling (`MAX_TOKENS`, `max-tokens`, `FINISH_REASON_STOP`)."""
    word = reason.strip().lower().replace("-", "_").removeprefix("finish_reason_")
    return _OF_REASON.get(word, Outcome.FAILED)
