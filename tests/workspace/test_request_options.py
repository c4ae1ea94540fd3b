"""What a model card may add to requests, and that no secret of a header is kept or shown."""

import os
from pathlib import Path
from typing import Any

import msgspec
import pytest
from rich.pretty import pretty_repr

from dce.wire.errors import DceError
from dce.workspace.cards import Cards, parsed
from dce.workspace.key_vault import KeyVault
from dce.workspace.project import Project
from dce.workspace.settings import check_settings, load_settings

SECRET = "sk-0123456789abcdef0123456789"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.init(tmp_path)


def _configured(project: Project, text: str) -> Project:
    (project.state_dir / "config.toml").write_text(text)
    return project


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("headers", {"Authorization": f"Bearer {SECRET}"}),
        ("headers", {"X-Api-Key": "abc"}),
        ("headers", {"Cookie": "a=b"}),
        ("headers", {"X-Team": SECRET}),
        ("headers", {"X-Team": "Bearer abc"}),
        ("headers", {"X-Team": "${A}" + SECRET}),
        ("headers", {"Host": "h"}),
        ("headers", {"content-length": "3"}),
        ("headers", {"a b": "c"}),
        ("headers", {"X-A": "b\nX-B: c"}),
        ("headers", {"X-A": "\u00e9"}),
        ("headers", {"X-A": ""}),
        ("headers", {"X-A": 1}),
        ("headers", {f"X-{at}": "a" for at in range(21)}),
        ("headers", "X-A: b"),
        ("extra_body", {"messages": []}),
        ("extra_body", {"stream": False}),
        ("extra_body", {"a": {"b": [None]}}),
        ("extra_body", [1]),
        ("omit", ["messages"]),
        ("omit", ["a b"]),
        ("omit", "seed"),
    ],
)
def test_what_cannot_be_used_is_refused(name: str, value: Any) -> None:
    """A secret as such, a field or header of DCE's own and a wrong form are refused by name; no value is repeated."""
    with pytest.raises(DceError) as caught:
        check_settings("the card", {name: value})
    assert caught.value.code == "invalid_input"
    assert name in caught.value.message
    assert SECRET not in str(msgspec.to_builtins(caught.value.body()))


@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": "Bearer ${TOKEN}"},
        {"X-Api-Key": "${KEY}"},
        {"X-Team": "platform", "anthropic-version": "2023-06-01", "HTTP-Referer": "https://dce.example.org"},
    ],
)
def test_what_can_be_used_is_taken(headers: dict[str, str]) -> None:
    """Variables in headers of any name, and plain values where none is a secret."""
    check_settings("the card", {"headers": headers})


def test_variables_are_filled_in_and_never_shown(project: Project) -> None:
    """A header has its variable's value when it is sent; no repr, no view and no file has it."""
    _configured(project, 'headers = { "X-Api-Key" = "${MY_KEY}", "X-Other" = "${UNSET}" }\n')
    settings = load_settings(project, {"MY_KEY": f" {SECRET}\n"})
    assert settings.headers == {"X-Api-Key": SECRET, "X-Other": "${UNSET}"}
    for shown in (repr(settings), str(settings), pretty_repr(settings), str(settings.__rich_repr__())):
        assert SECRET not in shown
        assert "X-Api-Key" in shown


def test_headers_go_to_their_own_server_only(project: Project) -> None:
    """A card, a variable or a flag with another address does not inherit headers; one with the same address, in any form, does."""
    config = 'url = "https://a.example"\n[headers]\nX-A = "1"\n[cards.far]\nurl = "b.example"\n[cards.near]\nurl = "a.example/"\n[cards.own]\nurl = "https://c.example"\nheaders = { X-C = "3" }\n[cards.plain]\nn = 2\n'
    _configured(project, config)
    assert load_settings(project, {}).headers == {"X-A": "1"}
    assert load_settings(project, {}, card="far").headers == {}
    assert load_settings(project, {}, card="own").headers == {"X-C": "3"}
    assert load_settings(project, {}, card="plain").headers == {"X-A": "1"}
    assert load_settings(project, {"DCE_URL": "https://d.example"}).headers == {}
    assert load_settings(project, {"DCE_URL": "a.example"}).headers == {"X-A": "1"}
    assert load_settings(project, {}, url="https://d.example").headers == {}
    _configured(project, '[headers]\nX-A = "1"\n[cards.far]\nurl = "https://b.example"\n')
    assert load_settings(project, {"DCE_URL": "https://d.example"}).headers == {"X-A": "1"}
    assert load_settings(project, {}, card="far").headers == {}


def test_a_url_without_scheme_is_completed(project: Project) -> None:
    """The settings in effect have the whole address: consent, messages and the doctor show what is really contacted."""
    _configured(project, 'url = "gpu:8000/v1"\n')
    assert load_settings(project, {}).url == "http://gpu:8000/v1"
    assert load_settings(project, {"DCE_URL": "api.example.org"}).url == "https://api.example.org"


@pytest.mark.parametrize(
    "url",
    [
        "https://h/v1?key=AIza",
        "https://h/?api_key=x",
        "https://h?a=1&access_token=x",
        "https://u:pw@h",
        "h:x",
        "gopher://h",
        "https://h/#a",
    ],
)
def test_a_url_with_a_secret_is_refused(url: str) -> None:
    """A URL is shown and committed, so a key in its query is refused, and not repeated."""
    with pytest.raises(DceError) as caught:
        check_settings("the card", {"url": url})
    assert not any(secret in caught.value.message for secret in ("AIza", "=x", "pw"))


def test_a_card_keeps_them_in_one_table(project: Project) -> None:
    """Tables are written in the card's own lines: comments stay, and the card can be changed and removed again."""
    _configured(project, "# ours\nn = 3\n\n[cards.other]  # kept\nn = 1\n")
    cards = Cards(project.state_dir, KeyVault(project.state_dir, None))
    values = {"extra_body": {"top_k": 20, "a b": {"x": [1, '"\u00e9']}}, "headers": {"X-A": "${A}"}, "omit": ["seed"]}
    cards.put("gpu", values)
    assert cards.get("gpu") == values
    cards.set_value("headers", '{"X-B": "c"}')
    cards.set_value("omit", "seed, stream_options")
    cards.put("gpu", {"n": 2})
    cards.set_value("headers", "")
    text = (project.state_dir / "config.toml").read_text()
    assert (cards.get("gpu"), "# ours" in text, "# kept" in text, "X-B" in text) == ({"n": 2}, True, True, False)
    assert load_settings(project, dict(os.environ)).omit == ("seed", "stream_options")


def test_a_table_that_is_no_json_is_refused_unread() -> None:
    """The message says what a table looks like, and repeats nothing."""
    for text in (f"X-Key: {SECRET}", "[1]", '"a"', "{", "[" * 100_000):
        with pytest.raises(DceError) as caught:
            parsed("headers", text)
        assert SECRET not in caught.value.message + caught.value.hint


def test_a_secret_written_by_hand_is_not_used_and_not_shown(project: Project) -> None:
    """A card whose header was edited by hand to hold a secret is refused when it is used, and masked wherever cards are listed."""
    _configured(project, f'[cards.gpu]\nheaders = {{ "X-Api-Key" = "{SECRET}", "X-Team" = "a" }}\n')
    cards = Cards(project.state_dir, KeyVault(project.state_dir, None))
    assert cards.list() == {"gpu": {"headers": {"X-Api-Key": "…", "X-Team": "a"}}}
    assert cards.get("gpu") == cards.list()["gpu"]
    with pytest.raises(DceError) as caught:
        load_settings(project, {}, card="gpu")
    assert SECRET not in caught.value.message
