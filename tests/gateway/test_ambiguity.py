"""One meaning for a body, whatever parser reads it: what the gateway checked is what every backend obeys."""

import ast
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from dce.gateway.front import body as body_module
from dce.gateway.front import bounds, dialects, tools
from dce.gateway.front.ambiguity import MAX_DEPTH, folded, has_escaped_letters
from dce.gateway.front.body import (
    FIELDS,
    INTERNAL_FIELDS,
    NAMES,
    encode_request,
    read_forward,
    read_generate,
    with_fields,
)
from dce.gateway.front.dialects import MESSAGES, OPENAI, RESPONSES, Dialect
from dce.wire.errors import DceError
from tests.fakes.chain import PROXY, Chain, error_of
from tests.fakes.vllm import MODEL

ROUTES = (PROXY, "/v1/chat/completions", "/v1/completions", "/v1/responses", "/v1/messages", "/v1/embeddings")
HELLO = [{"role": "user", "content": "hi"}]
DIALECTS = (OPENAI, RESPONSES, MESSAGES)

Reader = Callable[[bytes], object]


READERS: tuple[Reader, ...] = (
    lambda data: read_generate(data, max_n=20, is_json_wanted=False),
    lambda data: read_forward(data, max_n=20),
)


def refused(body: bytes) -> DceError:
    """Both readers refuse the body; the refusal of the second."""
    errors: list[DceError] = []
    for read in READERS:
        with pytest.raises(DceError) as caught:
            read(body)
        errors.append(caught.value)
    assert [error.code for error in errors] == ["invalid_request"] * len(READERS)
    return errors[-1]


def named(name: str, value: str = "1", *, at_top: bool = True) -> bytes:
    """A clean body with one more name, as the JSON text `name` spells it."""
    if at_top:
        return b'{"messages":[{"role":"user","content":"hi"}],"%b":%b}' % (name.encode(), value.encode())
    return b'{"messages":[{"role":"user","content":"hi","%b":%b}]}' % (name.encode(), value.encode())


# -- names that occur twice --------------------------------------------------------------------------------------------

TWICE = {
    "at the top": '{"messages":%s,"n":1,"n":9}',
    "in another order": '{"n":9,"messages":%s,"n":1}',
    "with the same value": '{"messages":%s,"n":1,"n":1}',
    "with an escape": '{"messages":%s,"model":"a","\\u006dodel":"b"}',
    "in a message": '{"messages":[{"role":"user","content":"hi","content":[{"type":"image_url","image_url":{"url":"http://x/"}}]}]}',
    "an address": '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"url":"http://x/","url":"data:,"}}]}]}',
    "an escaped address": '{"messages":[{"role":"user","content":[{"type":"image_url","image_url":{"\\u0075rl":"http://x/","url":"data:,"}}]}]}',
    "in a tool's schema": '{"messages":%s,"tools":[{"function":{"parameters":{"a":1,"a":2}}}]}',
    "in an unknown field": '{"messages":%s,"zzz":[[{"a":null,"a":null}]]}',
    "the empty name": '{"messages":%s,"":1,"":2}',
    "with quotes in the values": '{"messages":%s,"a":"\\"","a":"\\"\\"\\\\"}',
    "with quotes as escapes": '{"messages":%s,"a":"\\u0022","b":"\\u0022","b":"\\u0022\\u0022"}',
    "with escapes that hide the quotes": '{"messages":%s,"a":"\\u0022\\u0022","b":1,"b":2}',
    "with blanks around": '{"messages" : %s , "n" : 1 ,\n "n"\t: 2 }',
}


@pytest.mark.parametrize("case", TWICE)
def test_a_name_occurs_once_at_any_depth(case: str) -> None:
    """A name that occurs twice in one object is refused, wherever and however it is spelled; the message says nothing of the body."""
    error = refused(TWICE[case].replace("%s", json.dumps(HELLO)).encode())
    assert "twice" in error.message
    assert "once" in error.hint


@pytest.mark.parametrize(
    "text",
    [
        'say "a" twice: {"n":1,"n":1}',
        'a\\b \\" \\\\ \\u0022 \\\\u0022',
        "\\" * 7 + '"' * 5,
        'é "ü" \u2028 🙂 "',
        "\\u006dodel",
    ],
)
@pytest.mark.parametrize("is_ascii", [True, False])
@pytest.mark.parametrize("quote", ['\\"', "\\u0022"])
def test_text_is_no_name(text: str, is_ascii: bool, quote: str) -> None:
    """JSON, quotes and backslashes inside a text are text, however the client escapes them."""
    body = json.dumps({"messages": [{"role": "user", "content": text}], "text": text}, ensure_ascii=is_ascii)
    body = body.replace("\\\\", "\0").replace('\\"', quote).replace("\0", "\\\\")
    for read in READERS:
        read(body.encode())


# -- names that only nearly are known ----------------------------------------------------------------------------------

LOOKALIKES = [
    ("Model", "model"), ("MODEL", "model"), ("model ", "model"), (" model", "model"), ("mod\\u0065l\\u0000x", "model"),
    ("model\\t", "model"), ("model\\u200b", "model"), ("\\ufeffmodel", "model"), ("m\\u00f6del", "model"), ("\\uff4dodel", "model"),
    ("N", "n"), ("\\uff4e", "n"), ("Max_Tokens", "max_tokens"), ("maxTokens", "max_tokens"), ("max-tokens", "max_tokens"),
    ("max_to\\u212aens", "max_tokens"), ("max_token\\u017f", "max_tokens"), ("m\\u0131n_p", "min_p"), ("M\\u0130N_P", "min_p"),
    ("\\u017ftream", "stream"), ("Stream", "stream"), ("Cache_Salt", "cache_salt"), ("Priority", "priority"), ("Best_Of", "best_of"),
    ("Store", "store"), ("Tools", "tools"), ("Messages", "messages"), ("Prompt", "prompt"), ("previousResponseId", "previous_response_id"),
    ("Chat_Template_Kwargs", "chat_template_kwargs"), ("chatTemplate", "chat_template"),
]  # fmt: skip


@pytest.mark.parametrize(("name", "meant"), LOOKALIKES)
def test_a_name_that_is_nearly_a_checked_one_is_refused(name: str, meant: str) -> None:
    """In other case, with blanks, look-alikes or a NUL: a name that some parser takes for a checked one is refused with the right one."""
    error = refused(named(name))
    assert meant in error.message
    assert meant in error.hint
    assert name.strip() == meant or name not in error.message + error.hint


def test_no_letter_of_unicode_passes_for_an_ascii_one() -> None:
    """Every character that any case mapping turns into an ASCII letter is taken for that letter."""
    for code in range(0x80, 0x20000):
        char = chr(code)
        for mapped in {char.lower(), char.upper(), char.casefold(), char.title()} - {char}:
            if len(mapped) == 1 and mapped.isascii():
                assert folded(char) == mapped.lower()


@pytest.mark.parametrize("name", ["Content", "CONTENT", "Role", "contenT", "content ", "\\u0043ontent"])
def test_so_is_one_inside_a_message(name: str) -> None:
    """A second content in another case would carry the parts that nobody checked."""
    assert "content" in refused(named(name, '[{"type":"image_url"}]', at_top=False)).message or "role" in name.lower()


@pytest.mark.parametrize("name", ["URL", "Url", "ur\\u004c", "url ", "url\\u0000"])
def test_so_is_an_address(name: str) -> None:
    """The SSRF filter reads `url`; an object that also has another spelling of it is refused."""
    part = '[{"type":"image_url","image_url":{"url":"data:,","NAME":"http://169.254.169.254/"}}]'.replace("NAME", name)
    refused(named("x", "[]").replace(b'"hi"', part.encode()))


OWN_NAMES: dict[str, dict[str, Any]] = {
    "a tool's parameters": {"tools": [{"type": "function", "function": {"name": "f", "parameters": {"properties": {"URL": {}, "N": {}}}}}]},
    "a schema": {"response_format": {"type": "json_schema", "json_schema": {"schema": {"properties": {"Model": {}, "Type": {}}}}}},
    "metadata": {"metadata": {"Model": "x", "N": "1"}},
    "token ids": {"logit_bias": {"5": 1}},
    "names nobody checks": {"Frobnicate": 1, "frobnicate": 2, "x-trace": 3, "ñandú": 4},
}  # fmt: skip


@pytest.mark.parametrize("case", OWN_NAMES)
def test_the_callers_own_names_are_free(case: str) -> None:
    """Names in schemas, arguments and metadata belong to the caller, in any case."""
    body = json.dumps({"messages": HELLO, **OWN_NAMES[case]}).encode()
    assert read_forward(body, max_n=20).raw == body
    read_generate(body, max_n=20, is_json_wanted=False)


def test_a_shell_calls_environment_is_the_callers() -> None:
    """A call of a shell that the client ran has variables of any name."""
    action = {"type": "exec", "command": ["ls"], "env": {"URL": "x", "Model": "y"}}
    body = json.dumps(
        {"model": "m", "store": False, "input": [{"type": "local_shell_call", "action": action}]}
    ).encode()
    assert read_forward(body, max_n=1, dialect=RESPONSES).raw == body


def test_a_tool_calls_input_is_the_callers() -> None:
    """Anthropic's tool calls carry an object with the tool's own parameter names."""
    call = {"type": "tool_use", "id": "1", "name": "get", "input": {"URL": "http://x", "Type": 1}}
    body = json.dumps({"model": "m", "messages": [{"role": "assistant", "content": [call]}]}).encode()
    assert read_forward(body, max_n=1, dialect=MESSAGES).raw == body


def _names_read(module: Any) -> set[str]:
    """The names that a module's code reads from a body: `x.get("name")`, `x["name"]`, and `"name" in x`."""
    tree = ast.parse(Path(module.__file__).read_text("utf-8"))
    found: list[ast.expr] = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "get":
            found += node.args[:1]
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "_bounded":
            found += node.args[1:2]
        elif isinstance(node, ast.Subscript):
            found.append(node.slice)
    return {node.value for node in found if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def test_every_name_that_a_check_reads_is_in_the_table() -> None:
    """A new check cannot forget the table: the names that the readers read are collected from their code."""
    names = set().union(*map(_names_read, (bounds, dialects, tools, body_module)))
    names |= {
        *bounds._PART_KEYS,
        *bounds._LISTS,
        *bounds.CANDIDATES,
        *bounds._REFUSED_STRUCTURES,
        *bounds.TEMPLATE_SWITCHES,
    }
    names |= {*RESPONSES._KEPT, *MESSAGES._REFUSED, *FIELDS, *INTERNAL_FIELDS}
    assert len(names) > 60
    assert names - NAMES.checked == set()


# -- escapes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["\\u006dax_tokens", "max\\u005ftokens", "max_token\\u0073", "top_\\u004bx", "\\u006E"]
)
def test_a_name_in_escapes_is_sent_plainly(name: str) -> None:
    """A parser that compares names without decoding them would miss a limit that was checked: such a body is encoded again."""
    asked = read_forward(b'{"model":"m","%b":1}' % name.encode(), max_n=20)
    assert asked.is_changed
    assert b"\\u" not in encode_request(asked.fields)


@pytest.mark.parametrize(
    "escape", ["\\u003c", "\\u0022", "\\u007f", "\\u0000", "\\u00e9", "\\u2028", "\\ud83d\\ude42", "\\\\n"]
)
def test_escapes_that_clients_use_change_nothing(escape: str) -> None:
    """Quotes, angle brackets, accents and emoji are escaped by many clients: their bodies pass to the byte."""
    body = b'{"model":"m","prompt":"%b"}' % escape.encode()
    assert not read_forward(body, max_n=20).is_changed
    assert not has_escaped_letters(body)


# -- any body ----------------------------------------------------------------------------------------------------------


def first_wins(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object as a parser reads it that keeps the first of equal names."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def ignoring_case(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """An object as Go reads it: a name in any case sets the field, and the last one wins."""
    found: dict[str, Any] = {}
    for name, value in pairs:
        key = name.replace("\u017f", "s").replace("\u212a", "k").lower()
        found[key if key in NAMES.checked else name] = value
    return found


PARSERS: dict[str, Callable[[Iterable[tuple[str, Any]]], dict[str, Any]]] = {
    "last": dict,
    "first": first_wins,
    "any case": ignoring_case,
}

SPELLED = st.sampled_from(
    [
        *(
            "model",
            "Model",
            "mode\\u006c",
            "n",
            "N",
            "\\u006e",
            "max_tokens",
            "MAX_TOKENS",
            "max_to\\u212aens",
            "\\u017ftream",
            "stream",
        ),
        *(
            "messages",
            "url",
            "URL",
            "content",
            "Content",
            "x",
            "X",
            "",
            "image_url",
            "type",
            "metadata",
            "parameters",
            "cache_salt",
        ),
    ]
)
SCALARS = st.sampled_from(
    ["1", "2", '"a"', '"\\""', '"\\u0022"', "true", "null", "-0", "1.50", "1e2", '"data:,"', '"http://x/"', "[]"]
)
BLANKS = st.sampled_from(["", " ", "\n"])


def _object(members: list[tuple[str, str]], blank: str) -> str:
    return "{" + ("," + blank).join(f'"{name}"{blank}:{value}' for name, value in members) + "}"


def _list(items: list[str], blank: str) -> str:
    return "[" + ("," + blank).join(items) + "]"


VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.builds(_object, st.lists(st.tuples(SPELLED, inner), max_size=4), BLANKS)
        | st.builds(_list, st.lists(inner, max_size=3), BLANKS)
    ),
    max_leaves=12,
)
BODIES = st.builds(_object, st.lists(st.tuples(SPELLED, VALUES), max_size=6), BLANKS)


@given(BODIES, st.sampled_from(DIALECTS))
@example('{"model":"m","messages":[{"role":"user","content":"hi","Content":[]}]}', OPENAI)
@example(
    '{"model":"m","messages":[{"content":[{"type":"image_url","image_url":{"url":"http://x/","url":"data:,"}}]}]}',
    OPENAI,
)
def test_what_was_checked_is_what_every_parser_reads(text: str, dialect: Dialect) -> None:
    """Whatever is sent to a backend means the same to a parser that takes the first, the last or any case of a name."""
    try:
        asked = read_forward(text.encode(), max_n=20, dialect=dialect)
    except DceError:
        return
    sent = encode_request(asked.fields) if asked.is_changed else asked.raw
    for parse in PARSERS.values():
        assert json.loads(sent, object_pairs_hook=parse) == asked.fields


@given(BODIES)
def test_the_own_dialect_too(text: str) -> None:
    """What DCE's own route sends means the same to every parser."""
    try:
        asked = read_generate(text.encode(), max_n=20, is_json_wanted=False)
    except DceError:
        return
    sent = b"".join(with_fields(encode_request(asked.common), {"model": "m", "n": 1}))
    for parse in PARSERS.values():
        assert json.loads(sent, object_pairs_hook=parse) == {**asked.common, "model": "m", "n": 1}


PLAIN = st.recursive(
    st.integers(0, 9) | st.text(max_size=4),
    lambda inner: st.dictionaries(st.text(max_size=4), inner, max_size=3) | st.lists(inner, max_size=3),
)


@given(st.dictionaries(st.text(max_size=4), PLAIN, max_size=5), st.booleans(), st.sampled_from([None, 2]))
def test_exactly_duplicates_are_refused(fields: dict[str, Any], is_ascii: bool, indent: int | None) -> None:
    """In any spelling, a body without checked names passes if and only if no name occurs twice in an object of it."""
    fields = {"x" + name: value for name, value in fields.items()}
    text = json.dumps({"zz": fields}, ensure_ascii=is_ascii, indent=indent)
    try:
        read_forward(text.encode(), max_n=20)
    except DceError as error:
        if "differs from" in error.message:  # a random name can be a checked one in another case
            return
        raise
    for name in fields:
        double = text.rstrip().removesuffix("}").rstrip().removesuffix("}") + f", {json.dumps(name)}: 0}}}}"
        with pytest.raises(DceError, match="twice"):
            read_forward(double.encode(), max_n=20)


def test_depth_has_one_limit() -> None:
    """The deepest body that passes has MAX_DEPTH levels below the top, in checked objects, in lists and in the caller's own."""
    for opening, closing in (('{"a":', "}"), ("[", "]"), ('{"parameters":', "}")):
        for depth, passes in ((MAX_DEPTH, True), (MAX_DEPTH + 1, False)):
            body = ('{"x":' + opening * depth + "1" + closing * depth + "}").encode()
            if passes:
                assert read_forward(body, max_n=20).raw == body
            else:
                with pytest.raises(DceError, match="deep"):
                    read_forward(body, max_n=20)


# -- over HTTP ---------------------------------------------------------------------------------------------------------

BODIES_OVER_HTTP = [
    b'{"model":"%b","Model":"other","messages":[{"role":"user","content":"hi"}],"stream":false}',
    b'{"model":"%b","messages":[{"role":"user","content":"hi"}],"n":1,"N":64,"stream":false}',
    b'{"model":"%b","messages":[{"role":"user","content":"hi","Content":"ho"}],"stream":false}',
    b'{"model":"%b","messages":[{"role":"user","content":"hi","content":"ho"}],"stream":false}',
]


@pytest.mark.parametrize("path", ROUTES)
@pytest.mark.parametrize(
    "body", BODIES_OVER_HTTP, ids=["a second model", "a second n", "another content", "a second content"]
)
def test_no_route_passes_a_body_with_two_meanings(chain: Chain, path: str, body: bytes) -> None:
    """Every route that generates answers such a body with a 400, and no backend hears of it."""
    response = chain.client.post(path, content=body % MODEL.encode())
    assert response.status_code == 400
    assert chain.fake.posts() == []
    if path != "/v1/messages":
        assert error_of(response)["hop"] == "gateway"
