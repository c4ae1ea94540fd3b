"""The state of one choice while its stream is read: its text, and how it may end. No I/O.

Invariant: a finish_reason ends the choice only once nothing can follow it; an end without an answer says what came instead.
"""

import msgspec

from dce.wire.chat import ChoiceDelta
from dce.wire.errors import DceError, ErrorBody, Hop
from dce.wire.finish import Outcome, outcome_of
from dce.wire.halves import Halves, whole
from dce.wire.parts import ToolCalls
from dce.workspace.generating.provider_events import Delta


class ChoiceReader:
    """Assembles one choice from its chunks."""

    def __init__(self, index: int) -> None:
        self._index = index
        self._text, self._thinking = Halves(), Halves()
        self._tools = ToolCalls()
        self._has_text = self._has_any_text = self._has_thinking = False
        self._message = ""
        self.reason = ""
        self.has_gone_on = False
        """Whether anything came after the finish_reason."""

    def add(self, choice: ChoiceDelta) -> Delta | None:
        """The text that a chunk adds, as far as it can be emitted now."""
        text, thinking = self._text.feed(choice.text), self._thinking.feed(choice.thinking)
        self._message = choice.message or self._message
        for piece in choice.tools:
            self._tools.add(piece)
        has_more = bool(text or thinking or choice.tools)
        self.has_gone_on = (self.has_gone_on or (has_more and bool(self.reason))) and not choice.finish_reason
        self.reason = whole(choice.finish_reason or "") or self.reason
        return self._delta(text, thinking)

    def flush(self) -> Delta | None:
        """What remains at the end: half a character, and the tool calls as text that the answer readers understand."""
        calls = [_as_text(call.name, call.arguments) for call in self._tools.calls]
        text = self._text.flush()
        if not self._has_any_text and not text:
            text = whole(self._message)
        return self._delta(text + "".join(calls), self._thinking.flush())

    def fault(self) -> ErrorBody | None:
        """Why a response that ended normally has no answer; None if it has one."""
        said = f"finish_reason {self.reason!r}"
        if self._tools:
            names = ", ".join(whole(call.name) or "without a name" for call in self._tools.calls)
            message = (
                f"the model called a tool ({names}) instead of answering in text ({said}); the call is kept as text"
            )
            hint = "Check the call: it may contain files that DCE can read. Regenerate to get an answer in text."
            return DceError("backend_error", message, hint=hint, hop=Hop.MODEL).body()
        if self._has_thinking and not self._has_text and outcome_of(self.reason) is Outcome.WHOLE:
            message = f"the model wrote only its thinking and no answer ({said}); the thinking is kept"
            hint = "Regenerate it; if it happens again, lower the reasoning effort, or check the server's reasoning parser."
            return DceError("backend_error", message, hint=hint, hop=Hop.MODEL).body()
        return None

    def _delta(self, text: str, thinking: str) -> Delta | None:
        self._has_text = self._has_text or bool(text.strip())
        self._has_any_text = self._has_any_text or bool(text)
        self._has_thinking = self._has_thinking or bool(thinking.strip())
        return Delta(index=self._index, text=text, thinking=thinking) if text or thinking else None


def _as_text(name: str, arguments: str) -> str:
    """A tool call as text, in the form that models themselves write."""
    name, arguments = whole(name), whole(arguments)
    try:
        call = msgspec.json.encode({"name": name, "arguments": msgspec.json.decode(arguments)})
    except (msgspec.DecodeError, RecursionError, ValueError, OverflowError):
        # Cut off, not JSON, or JSON that cannot be encoded again, such as half a character or a very long number.
        call = msgspec.json.encode({"name": name, "arguments": arguments})
    return f"\n<tool_call>\n{call.decode()}\n</tool_call>\n"
