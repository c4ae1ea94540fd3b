"""`dce gateway keys`: managing access to the gateway from the shell."""

import json
from pathlib import Path
from typing import Any

import pytest

from dce.cli.main import main
from dce.gateway.access.keys import Key, KeyStore


def run_json(capsys: pytest.CaptureFixture[str], *words: str, code: int = 0) -> Any:
    assert main([*words, "--json"]) == code
    return json.loads(capsys.readouterr().out)


@pytest.fixture
def where(tmp_path: Path) -> tuple[str, str]:
    """The data folder, as arguments of a command."""
    return ("--data-dir", str(tmp_path))


def stored(folder: Path) -> list[Key]:
    """The keys in the store."""
    store = KeyStore(folder)
    try:
        return store.list()
    finally:
        store.close()


def test_key_is_alone_on_standard_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`KEY=$(dce gateway keys create NAME)` gives the key, and the gateway accepts it."""
    assert main(["gateway", "keys", "create", "ann", "--data-dir", str(tmp_path)]) == 0
    captured = capsys.readouterr()
    secret = captured.out.strip()
    assert captured.out == f"{secret}\n"
    assert "the only time" in captured.err
    store = KeyStore(tmp_path)
    assert store.find(secret).name == "ann"
    store.close()


def test_list_and_revoke(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key is listed without its secret and revoked by name; revoking it again gives not_found."""
    where = ("--data-dir", str(tmp_path))
    made = run_json(capsys, "gateway", "keys", "create", "bob", *where)
    main(["gateway", "keys", "list", *where])
    text = capsys.readouterr().out
    assert "bob" in text
    assert made["key"] not in text
    (revoked,) = run_json(capsys, "gateway", "keys", "revoke", "bob", *where)
    assert revoked["id"] == made["id"]
    assert main(["gateway", "keys", "revoke", "bob", *where]) == 1


def test_expiry(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`--expires 30d` sets the expiry; an invalid time is a usage error."""
    where = ("--data-dir", str(tmp_path))
    made = run_json(capsys, "gateway", "keys", "create", "c", "--expires", "30d", *where)
    assert made["expires_at"] - made["created_at"] == pytest.approx(30 * 86_400, abs=60)
    assert main(["gateway", "keys", "create", "c", "--expires", "soon", *where]) == 2


EVERY_LIMIT = (
    *("--rpm", "60", "--tpm", "100_000", "--concurrency", "12", "--max-n", "4"),
    *("--models", "a, b", "--budget", "1000000/day", "--weight", "2"),
)
IN_WORDS = "60 requests/min · 100,000 tokens/min · 12 at once · n ≤ 4 · models a, b · 1,000,000 tokens/day · weight 2"


def test_every_limit_is_a_flag(tmp_path: Path, where: tuple[str, str], capsys: pytest.CaptureFixture[str]) -> None:
    """A key is created with each kind of limit, and `list` describes them."""
    made = run_json(capsys, "gateway", "keys", "create", "ann", *EVERY_LIMIT, *where)
    assert made["limits"] == {
        "rpm": 60,
        "tpm": 100_000,
        "concurrency": 12,
        "max_n": 4,
        "models": ["a", "b"],
        "budget_tokens": 1_000_000,
        "budget_period": "day",
        "weight": 2.0,
    }
    assert main(["gateway", "keys", "list", *where]) == 0
    assert IN_WORDS in capsys.readouterr().out
    assert run_json(capsys, "gateway", "keys", "list", *where)[0]["limits"] == made["limits"]


def test_editing_changes_what_is_named_only(
    tmp_path: Path, where: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`edit` replaces one limit, removes others, and leaves the rest."""
    main(["gateway", "keys", "create", "ann", "--expires", "30d", *EVERY_LIMIT, *where])
    words = ("--rpm", "5", "--tpm", "none", "--budget", "0", "--models", "", "--expires", "never")
    edited = run_json(capsys_after(capsys), "gateway", "keys", "edit", "ann", *words, *where)
    assert (edited["limits"]["rpm"], edited["limits"]["tpm"], edited["limits"]["concurrency"]) == (5, None, 12)
    assert (edited["limits"]["models"], edited["limits"]["budget_tokens"], edited["expires_at"]) == ([], None, None)
    (key,) = stored(tmp_path)
    assert key.limits.rpm == 5


def capsys_after(capsys: pytest.CaptureFixture[str]) -> pytest.CaptureFixture[str]:
    """The fixture, with the output so far discarded."""
    capsys.readouterr()
    return capsys


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ((), 2),
        (("--rpm", "many"), 2),
        (("--expires", "soon"), 2),
        (("--budget", "5/week"), 3),
        (("--weight", "0"), 3),
    ],
    ids=str,
)
def test_a_change_that_is_none(tmp_path: Path, where: tuple[str, str], words: tuple[str, ...], code: int) -> None:
    """An empty edit or an invalid limit is refused, and nothing changes."""
    main(["gateway", "keys", "create", "ann", "--rpm", "7", *where])
    before = stored(tmp_path)
    assert main(["gateway", "keys", "edit", "ann", *words, *where]) == code
    assert stored(tmp_path) == before


def test_rotating_prints_the_new_secret_alone(
    tmp_path: Path, where: tuple[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """`KEY=$(dce gateway keys rotate NAME)` gives the new secret; the old one works for the overlap, or ends with `0`."""
    main(["gateway", "keys", "create", "ann", *where])
    old = capsys.readouterr().out.strip()
    assert main(["gateway", "keys", "rotate", "ann", *where]) == 0
    captured = capsys.readouterr()
    new = captured.out.strip()
    assert captured.out == f"{new}\n"
    assert "the old secret works until" in captured.err
    store = KeyStore(tmp_path)
    assert store.find(old).id == store.find(new).id
    store.close()
    main(["gateway", "keys", "list", *where])
    assert "old secret until" in capsys.readouterr().out
    assert main(["gateway", "keys", "rotate", "ann", "--overlap", "0", *where]) == 0
    assert "no longer works" in capsys.readouterr().err
    assert main(["gateway", "keys", "rotate", "ann", "--overlap", "soon", *where]) == 2
    assert main(["gateway", "keys", "rotate", "nobody", *where]) == 1


@pytest.mark.parametrize(
    "words", [["list"], ["edit", "ann", "--rpm", "1"], ["rotate", "ann"], ["revoke", "ann"]], ids=lambda words: words[0]
)
def test_a_mistyped_folder_is_not_begun(words: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Without keys, every verb but `create` says so, names the folder, and creates nothing in it."""
    folder = tmp_path / "typo"
    error = run_json(capsys, "gateway", "keys", *words, "--data-dir", str(folder), code=1)["error"]
    assert (error["code"], str(folder) in error["message"]) == ("not_found", True)
    assert not folder.exists()
