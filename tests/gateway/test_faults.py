"""Refusals of real servers, translated."""

import pytest

from dce.gateway.faults import backend_fault
from dce.wire.errors import Hop

VLLM_TOO_LONG = (
    b'{"error":{"message":"This model\'s maximum context length is 8192 tokens. However, your prompt contains at least 8193 input '
    b"tokens, which exceeds this limit even without any output tokens. Please reduce the length of the input prompt. "
    b'(parameter=input_tokens, value=8193)","type":"BadRequestError","param":"input_tokens","code":400}}'
)
LLAMA_TOO_LONG = (
    b'{"error":{"code":400,"message":"request (20031 tokens) exceeds the available context size (8192 tokens), try increasing it",'
    b'"type":"exceed_context_size_error","n_prompt_tokens":20031,"n_ctx":8192}}'
)
VLLM_NO_MODEL = b'{"error":{"message":"The model `nope` does not exist. Valid aliases: smollm2-135m.","type":"NotFoundError","param":"model","code":404}}'
VLLM_DEAD = b'{"error":{"message":"EngineCore encountered an issue. See stack trace (above) for the root cause.","type":"InternalServerError","param":null,"code":500}}'
LOADING = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, VLLM_TOO_LONG, "prompt_too_long"),
        (400, LLAMA_TOO_LONG, "prompt_too_long"),
        (404, VLLM_NO_MODEL, "model_not_found"),
        (500, VLLM_DEAD, "backend_error"),
        (503, LOADING, "backend_error"),
        (429, b'{"error":"slow down"}', "backend_error"),
        (401, b'{"error":"Unauthorized"}', "backend_unauthorized"),
        (403, b"", "backend_unauthorized"),
        (404, b'{"detail":"Not Found"}', "backend_error"),
        (405, b'{"detail":"Method Not Allowed"}', "backend_error"),
        (502, b"<html><h1>502 Bad Gateway</h1></html>", "backend_error"),
        (500, b"", "backend_error"),
        (500, b"\xff\xfe\x00", "backend_error"),
        (302, b"", "backend_error"),
        (
            400,
            b'{"error":{"message":"n must be 1 when using greedy sampling, got 2.","type":"BadRequestError","code":400}}',
            "invalid_request",
        ),
    ],
)
def test_each_refusal_has_its_code(status: int, body: bytes, code: str) -> None:
    """The answers of vLLM, llama.cpp and proxies become the code that names the cause, at the hop that has it."""
    fault = backend_fault(status, body, "/v1/chat/completions")
    assert fault.code == code
    assert fault.hop in (Hop.BACKEND, Hop.MODEL)
    assert fault.message
    assert fault.hint


def test_the_reason_of_the_backend_is_kept() -> None:
    """What the backend said stands in the message, on one line, also when it was not JSON."""
    assert "greedy" in backend_fault(400, b'{"error":{"message":"greedy\\nsampling"}}', "/x").message
    assert "502 Bad Gateway" in backend_fault(502, b"<html>\n<h1>502 Bad\nGateway</h1>", "/x").message


def test_overload_says_when_to_come_back() -> None:
    """503 and 429 carry a time to wait; other faults do not."""
    assert backend_fault(503, LOADING, "/x").retry_after_s
    assert backend_fault(500, VLLM_DEAD, "/x").retry_after_s is None
