"""Refusals of real servers, translated."""

import pytest

from dce.gateway.backends.faults import Verdict, backend_fault, fault_in, frame_fault, verdict
from dce.wire.errors import CODES, DceError, ErrorBody, Hop

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
VLLM_NO_EMBEDDINGS = b'{"error":{"message":"The model does not support Embeddings API","type":"NotImplementedError","param":null,"code":501}}'
LLAMA_NO_EMBEDDINGS = b'{"error":{"code":501,"message":"This server does not support embeddings. Start it with `--embeddings`","type":"not_supported_error"}}'
LOADING = b'{"error":{"message":"Loading model","type":"unavailable_error","code":503}}'


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (400, VLLM_TOO_LONG, "prompt_too_long"),
        (400, LLAMA_TOO_LONG, "prompt_too_long"),
        (404, VLLM_NO_MODEL, "model_not_found"),
        (500, VLLM_DEAD, "backend_error"),
        (503, LOADING, "no_healthy_backend"),
        (429, b'{"error":"slow down"}', "rate_limited"),
        (401, b'{"error":"Unauthorized"}', "backend_unauthorized"),
        (403, b"", "backend_unauthorized"),
        (404, b'{"detail":"Not Found"}', "route_not_found"),
        (405, b'{"detail":"Method Not Allowed"}', "route_not_found"),
        (501, VLLM_NO_EMBEDDINGS, "route_not_found"),
        (501, LLAMA_NO_EMBEDDINGS, "route_not_found"),
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
    busy = backend_fault(429, b"{}", "/x", 41.5)
    assert (busy.status, busy.retry_after_s) == (429, 41.5)
    assert "42 s" in busy.hint
    assert backend_fault(500, VLLM_DEAD, "/x", 7.0).retry_after_s is None


@pytest.mark.parametrize(
    ("message", "kind", "code", "expected"),
    [
        ("Grammar error: Failed to parse the EBNF: root ::= (", "BadRequestError", "400", "invalid_request"),
        ("Invalid grammar specification", "BadRequestError", "", "invalid_request"),
        ("prompt is too long: 9000 tokens", "BadRequestError", "400", "prompt_too_long"),
        ("The model `x` does not exist.", "NotFoundError", "404", "model_not_found"),
        ("slow down", "RateLimitError", "", "rate_limited"),
        ("EngineCore encountered an issue.", "InternalServerError", "500", "backend_error"),
        ("", "", "", "backend_error"),
        ("odd", "?", "999999999999", "backend_error"),
        ("odd", "?", "\u00b2", "backend_error"),
    ],
)
def test_an_error_frame_means_what_its_status_would_have(message: str, kind: str, code: str, expected: str) -> None:
    """vLLM finds a broken grammar after it has said 200: the caller is told that the request was at fault, not the server."""
    fault = frame_fault(ErrorBody(message=message, type=kind, code=code))
    assert fault.code == expected
    assert fault.hop in (Hop.BACKEND, Hop.MODEL)


def test_a_grammar_is_named() -> None:
    """A refused grammar or schema says so and what to do, with the engine's own words."""
    fault = backend_fault(
        400, b'{"error":{"message":"Grammar error: expecting rule name","type":"BadRequestError"}}', "/x"
    )
    assert "grammar" in fault.message
    assert "expecting rule name" in fault.message
    assert "`grammar`" in fault.hint


def test_only_the_backend_s_own_faults_count_against_it() -> None:
    """A caller's mistake, an unknown model or a full queue is no sign of illness; a lost connection, a 5xx and silence are."""
    assert verdict(None) is Verdict.WORKS
    counted = {code for code in CODES if verdict(DceError(code, "x")) is Verdict.FAILED}
    assert counted == {
        "backend_unreachable",
        "backend_unauthorized",
        "backend_error",
        "backend_timeout",
        "stream_interrupted",
    }
    assert verdict(backend_fault(503, LOADING, "/x")) is Verdict.BUSY
    assert verdict(backend_fault(400, VLLM_TOO_LONG, "/x")) is Verdict.WORKS
    assert verdict(backend_fault(404, b"", "/x")) is Verdict.WORKS


@pytest.mark.parametrize(
    ("body", "answer", "says"),
    [
        (b'{"error": "CUDA out of memory"}', "choices", "CUDA out of memory"),
        (b'{"detail": "no memory"}', "choices", "no memory"),
        (b'{"choices": [], "error": null}', "choices", ""),
        (b'{"object": "response", "status": "completed", "error": null, "output": []}', "output", ""),
        (b'{"object": "list", "data": []}', "data", ""),
        (b'{"type": "message", "content": []}', "content", ""),
        (b'{"choices": null}', "choices", "without `choices`"),
        (b'{"error": true}', "choices", "without `choices`: {"),
        (b'{"error": {}}', "content", "without `content`"),
        (b'{"error": null, "message": "x"}', "choices", "without `choices`"),
        (b'{"choices": []}', "output", "without `output`"),
        (b"<html>Log in</html>", "choices", "without `choices`: <html>Log in</html>"),
        (b"null", "choices", "without `choices`: null"),
        (b"", "choices", "(an empty answer)"),
        (b"[" * 100_000, "choices", "without `choices`"),
        (b'{"choices": [' + b"1," * 100_000 + b"1]}", "choices", ""),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_status_200_is_not_enough(body: bytes, answer: str, says: str) -> None:
    """A backend that answers 200 with an error, or with anything that is no answer, has failed; a null `error` is none."""
    found = fault_in(body, answer)
    assert (found is not None) is bool(says)
    assert found is None or says in found.message
