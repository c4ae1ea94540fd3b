"""What differs between the servers, each read off the real one."""

from typing import Any

import pytest

from dce.gateway.backends.kinds import KINDS, Kind, LlamaCpp, Model, Other, Vllm, recognise
from dce.wire.errors import DceError

VLLM_CARD = {"id": "smollm2-135m", "object": "model", "owned_by": "vllm", "max_model_len": 8192}
LLAMA_CARD = {"id": "smollm2-135m", "object": "model", "owned_by": "llamacpp", "meta": {"n_ctx": 8192}}


@pytest.mark.parametrize(
    ("card", "kind", "strategy"),
    [
        (VLLM_CARD, Vllm, "fanout"),
        (LLAMA_CARD, LlamaCpp, "native"),
        ({"id": "x", "owned_by": "openai"}, Other, "fanout"),
        ({"id": "x"}, Other, "fanout"),
    ],
)
def test_a_server_is_recognised_by_its_cards(card: dict[str, object], kind: type, strategy: str) -> None:
    """`owned_by` decides the kind, and the kind how N responses are asked for."""
    found = recognise([card])
    assert isinstance(found, kind)
    assert found.n_strategy == strategy
    assert isinstance(recognise([]), Other)


def test_the_context_size_is_found() -> None:
    """vLLM says it on the card, llama.cpp in the card's meta; whoever says nothing has None."""
    assert Vllm().models([VLLM_CARD]) == [Model(id="smollm2-135m", max_model_len=8192)]
    assert LlamaCpp().models([LLAMA_CARD]) == [Model(id="smollm2-135m", max_model_len=8192)]
    assert LlamaCpp().models([{"id": "x"}, {"id": "y", "meta": 5}]) == [Model(id="x"), Model(id="y")]
    assert Other().models([{"id": "x", "max_model_len": "big"}]) == [Model(id="x")]


def test_only_llama_cpp_limits_one_request() -> None:
    """llama.cpp takes as many responses in one request as it has slots; the others know no limit."""
    assert LlamaCpp().native_limit({"total_slots": 10}) == 10
    assert LlamaCpp().native_limit({"total_slots": 0}) is None
    assert LlamaCpp().native_limit({}) is None
    assert Vllm().native_limit({"total_slots": 10}) is None
    assert Other().native_limit({"total_slots": 10}) is None


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_cards_without_a_name_are_left_out(kind: Kind) -> None:
    """A card that names no model is no model."""
    assert kind.models([{}, {"id": 5}, {"id": ""}, {"id": "ok"}]) == [Model(id="ok")]


def test_grammar_in_each_dialect() -> None:
    """DCE's one `grammar` becomes what the server reads, and either server's own form is understood by both."""
    fields = {"messages": [], "grammar": "root ::= x"}
    assert Vllm().adapt(fields) == {"messages": [], "structured_outputs": {"grammar": "root ::= x"}}
    assert LlamaCpp().adapt(fields) == fields
    assert LlamaCpp().adapt(Vllm().adapt(fields)) == fields
    assert Vllm().adapt({"messages": []}) == LlamaCpp().adapt({"messages": []}) == {"messages": []}
    assert fields == {"messages": [], "grammar": "root ::= x"}


def test_every_kind_is_asked_for_its_usage() -> None:
    """Every stream ends with its usage; running counts are asked for where the server has them, and of no other server."""
    for kind in KINDS:
        fields = kind.stream_fields()
        assert fields["stream"] is True
        assert fields["stream_options"]["include_usage"] is True
    assert Vllm().stream_fields()["stream_options"]["continuous_usage_stats"] is True
    assert LlamaCpp().stream_fields()["timings_per_token"] is True
    assert Other().stream_fields() == {"stream": True, "stream_options": {"include_usage": True}}


def test_tokenize_in_each_dialect() -> None:
    """Each server is asked in its own words; counts and lists of tokens are both understood."""
    assert LlamaCpp().tokenize_request("m", "hi")["content"] == "hi"
    assert Vllm().tokenize_request("m", "hi")["prompt"] == "hi"
    assert Vllm().token_count({"count": 5}) == 5
    assert LlamaCpp().token_count({"tokens": [1, 2]}) == 2
    assert Other().token_count({"tokens": [1]}) == 1


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_answer_without_tokens_is_the_backends_fault(kind: Kind) -> None:
    """A /tokenize that answers something else is named, never counted as 0."""
    with pytest.raises(DceError, match="/tokenize"):
        kind.token_count({"detail": "what?"})


def test_going_on_with_an_answer_is_asked_of_each_kind_in_its_own_way() -> None:
    """vLLM gets its fields, llama.cpp goes on unasked, others are not sent fields that they do not know; gpt-oss can nowhere."""
    fields: dict[str, Any] = {"messages": [], "continue_final_message": True, "add_generation_prompt": False}
    assert Vllm().adapt(fields) == fields
    assert LlamaCpp().adapt(fields) == Other().adapt(fields) == {"messages": []}
    assert [kind.can_continue("smollm2-135m") for kind in KINDS] == [True, True, False]
    assert [kind.can_continue("openai/gpt-oss-20b") for kind in KINDS] == [False, False, False]
