"""One error class, one table, one form on the wire."""

import json

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.errors import CODES, DceError, ErrorBody, Hop, decode_error, encode_error, error_of

MAX_BODY_BYTES = 4096
NASTY_TEXT = st.text(st.sampled_from(["a", "é", "日", "🙂", "\0", '"', "\\", "\x1b"]), min_size=1).map(
    lambda text: text * 3000
)


@pytest.mark.parametrize("code", CODES)
def test_every_code_says_hop_fact_and_next_step(code: str) -> None:
    """Every row of the table gives a body with all fields an SDK or a person needs, under 4 KB."""
    error = DceError(code, "the fact")
    body = error.body("r1")
    assert body.message == "the fact"
    assert body.code == code
    assert body.hop in set(Hop)
    assert body.type
    assert body.hint
    assert 400 <= error.status <= 599
    assert msgspec.json.decode(encode_error(error, "r1"))["error"]["request_id"] == "r1"


@given(NASTY_TEXT, NASTY_TEXT)
def test_no_error_is_longer_than_4_kb(message: str, hint: str) -> None:
    """However long the message and the hint, and however JSON must escape them, the body stays under 4 KB."""
    error = DceError("backend_error", message, hint=hint, choices=tuple(range(20)))
    assert len(encode_error(error, "0123456789abcdef")) <= MAX_BODY_BYTES
    again = DceError.from_body(ErrorBody(message=message, type="x", code="y", hint=hint))
    assert len(encode_error(again, "0123456789abcdef")) <= MAX_BODY_BYTES


def test_a_short_message_is_left_as_it_is() -> None:
    """Shortening touches only what is too long, and keeps its beginning."""
    assert DceError("internal", "Grüße 🙂").message == "Grüße 🙂"
    assert "x" * 500 in DceError("internal", "x" * 100_000).message


def test_an_error_survives_the_wire() -> None:
    """Code, hop, message, hint and choices arrive at the other side as they were sent."""
    sent = DceError("prompt_too_long", "9000 tokens", hint="less", hop=Hop.BACKEND, choices=(1, 3))
    body = decode_error(encode_error(sent, "r"))
    assert body is not None
    got = DceError.from_body(body)
    assert (got.code, got.message, got.hint, got.hop, got.choices) == (
        "prompt_too_long",
        "9000 tokens",
        "less",
        Hop.BACKEND,
        (1, 3),
    )


def test_an_unknown_code_or_hop_is_the_backends() -> None:
    """What a newer peer or a foreign server calls it becomes `backend_error` at the hop of its row."""
    got = DceError.from_body(ErrorBody(message="m", type="t", code="flux", hop="moon"))
    assert (got.code, got.hop) == ("backend_error", Hop.BACKEND)


@pytest.mark.parametrize(
    ("body", "message", "code"),
    [
        (b'{"error":{"message":"no","type":"BadRequestError","param":null,"code":400}}', "no", "400"),
        (b'{"error":"Unauthorized"}', "Unauthorized", ""),
        (b'{"error":{"message":null,"code":null}}', "", ""),
    ],
)
def test_foreign_errors_are_read(body: bytes, message: str, code: str) -> None:
    """vLLM's integer codes, bare strings and nulls are read without complaint."""
    error = decode_error(body)
    assert error is not None
    assert (error.message, error.code) == (message, code)


@pytest.mark.parametrize(
    "body",
    [b"", b"<html>", b"[]", b'{"error":5}', b'{"error":""}', b"\xff", b"[" * 100_000],
    ids=lambda body: repr(body[:8]),
)
def test_what_holds_no_error_gives_none(body: bytes) -> None:
    """An answer without an error object is None, whatever else it is."""
    assert decode_error(body) is None


def test_choices_of_a_wrong_type_are_left_out() -> None:
    """Only whole numbers count as choices."""
    error = error_of({"error": {"message": "m", "choices": [1, "2", None]}})
    assert error is not None
    assert error.choices == (1,)


def test_half_characters_do_not_break_an_error() -> None:
    """A message with a file name that is not UTF-8 can still be sent."""
    assert "\\udcff" in DceError("not_found", "no file a\udcff").message


@pytest.mark.parametrize(
    "value",
    [
        {"object": "error", "message": "no memory", "type": "BadRequestError", "code": 400},
        {"detail": "no memory"},
        {"detail": [{"loc": ["body"], "msg": "no memory", "input": "a prompt"}]},
        {"error": "no memory"},
        {"error": {"message": {"error": "no memory"}}},
        {"error": True, "message": "no memory"},
        {"errors": ["no memory"]},
        [{"error": {"message": "no memory"}}],
        {"code": 500, "message": "no memory"},
    ],
)
def test_errors_of_other_shapes_are_told(value: object) -> None:
    """Whatever field a server puts its message in, the message is found; what it echoes of the request is not told."""
    found = decode_error(json.dumps(value).encode())
    assert found is not None
    assert "no memory" in found.message
    assert "a prompt" not in found.message


def test_half_a_surrogate_hides_no_error() -> None:
    """JSON with half a character in it is read, and what is told of it can be encoded."""
    found = decode_error(b'{"error": {"message": "bad \\ud83d", "request_id": "\\ud83d"}}')
    assert found is not None
    assert found.message == "bad \ufffd"
    assert msgspec.json.encode(found)
