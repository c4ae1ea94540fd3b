"""Control tokens of chat templates: in a file they would end the user's turn or forge another one.

What must always hold: a token is found by a literal (searched case-insensitively), and is what `CONTROL_TOKEN` matches there.
Tokens that are also everyday markup or usage text (`<think>`, `<role>`, `<filename>`) count only in a form that templates alone have.
"""

import re
from collections.abc import Iterator

CONTROL_LITERALS: tuple[bytes, ...] = (
    *(b"<|", b"|>", b"[inst]", b"[/inst]", b"<<sys>>", b"<</sys>>", b"<start_of_turn>", b"<end_of_turn>", b"</s>"),
    *(b"[tool_calls]", b"[available_tools]", b"[tool_results]", b"[system_prompt]", b"<eos>", b"<bos>", b"<s>"),
    *(b"<unk>", b"<pad>", b"[gmask]", b"[smask]", b"<fim_", b"<tool_", b"</tool_"),
    *(b"<seed:", b"]~b]", b"]~!b[", b"[e~[", b"<role>", b"<reponame>", b"<repo_name>", b"<file_sep>"),
    *(b"<special_", b"<extra_id_", b"<unused", b"<gh_stars>", b"<start_of_image>", "<\uff5c".encode()),
)

CONTROL_TOKEN = re.compile(
    rb"<\|[A-Za-z][A-Za-z0-9_]{0,60}\|>"
    rb"|<\|[ ]?(?:im_start|im_end|im_sep|endoftext|eot_id|start_header_id|end_header_id|user|system|assistant|end|eom_id)[ ]?\|>"
    rb"|<\|(?:turn|channel|think|tool|tool_call|tool_response|image|audio)>"
    + "|<\uff5c(?:[A-Za-z_ ]|\u2581){1,60}\uff5c>".encode()
    + rb"|(?<!\w)\[/?(?:INST|TOOL_CALLS|AVAILABLE_TOOLS|TOOL_RESULTS|SYSTEM_PROMPT)\]|<</?SYS>>|<(?:start|end)_of_turn>|</s>|<[be]os>"
    rb"|(?<![\w.>\\])<(?:s|unk|pad)>|(?<!\w)\[[gs]MASK\]|<fim_(?:prefix|middle|suffix|pad)>|</?tool_(?:call|response)>"
    rb"|<seed:[a-z_]{2,40}>|\]~!?b[\[\]]|\[e~\[|<role>(?=(?:SYSTEM|HUMAN|ASSISTANT|OBSERVATION)\b)"
    rb"|<(?:reponame|repo_name|file_sep|gh_stars|start_of_image)>|<SPECIAL_\d{1,4}>|<extra_id_\d{1,3}>|<unused\d{1,4}>"
)

_CLOSING = re.compile(rb"<(?:turn|channel|think|tool|tool_call|tool_response|image|audio)\|>")
"""Tokens found by their end."""

_CLOSING_CHARS = 16

_STRUCK_OUT = re.compile(rb"<s[ >]")


def control_tokens(content: bytes, lowered: bytes) -> Iterator[tuple[int, int]]:
    """The spans of control tokens. `<s>` and `</s>` on one line are HTML."""
    for literal in CONTROL_LITERALS:
        at = lowered.find(literal)
        while at >= 0:
            match = _ending(content, at) if literal == b"|>" else CONTROL_TOKEN.match(content, at)
            if match and not _is_html(content, match):
                yield match.span()
            at = lowered.find(literal, at + len(literal))


def is_control_token(value: bytes) -> bool:
    """Whether a whole text is one control token."""
    return (CONTROL_TOKEN.fullmatch(value) or _CLOSING.fullmatch(value)) is not None


def _ending(content: bytes, at: int) -> re.Match[bytes] | None:
    start = content.rfind(b"<", max(0, at - _CLOSING_CHARS), at)
    return None if start < 0 else _CLOSING.match(content, start)


def _is_html(content: bytes, match: re.Match[bytes]) -> bool:
    if match[0] == b"</s>":
        start = max(content.rfind(b"\n", 0, match.start()), match.start() - 2_000, 0)
        return _STRUCK_OUT.search(content, start, match.start()) is not None
    if match[0] == b"<s>":
        end = content.find(b"\n", match.end(), match.end() + 2_000)
        return content.find(b"</s>", match.end(), match.end() + 2_000 if end < 0 else end) >= 0
    return False
