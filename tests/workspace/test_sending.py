"""What leaves the machine: nothing to a new host without consent (fault S6), and no secret that was not reviewed (fault P14)."""

import asyncio
import random
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

import pytest

from dce.wire.errors import DceError
from dce.workspace.generating.provider import Delta, Ended, Opened
from dce.workspace.outbound.allowlist import ALLOW_FILE, allow
from dce.workspace.outbound.sending import SECRET_FILE, Sending
from dce.workspace.project import PROMPT_FILE, Project
from dce.workspace.settings import Settings
from dce.workspace.workspace import Workspace
from tests.fakes.provider import Clock, ScriptedProvider

REMOTE = "https://models.example.org"
SECRET = "ghp_" + "".join(random.Random(4).choices("abcdefghijkmnpqrstuvwxyz23456789", k=36))
PASSWORD = "tr0ub4dor&3"


def _workspace(root: Path, provider: ScriptedProvider | None = None, url: str = REMOTE, **settings: Any) -> Workspace:
    (root / "a.py").write_text(f'TOKEN = "{SECRET}"\nprint(TOKEN)\n', encoding="utf-8")
    (root / "b.py").write_text("b = 2\n", encoding="utf-8")
    workspace = Workspace.open(
        Project.init(root), Settings(url=url, **settings), Clock(), provider or ScriptedProvider([])
    )
    workspace.selection.replace(["a.py", "b.py"])
    workspace.cycles.create("t", "Do it.")
    return workspace


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(asyncio.wait_for(work, 100))


def _refused(workspace: Workspace) -> DceError:
    with pytest.raises(DceError) as caught:
        _run(workspace.preparation.begin(1, 1))
    assert workspace.store.generations.list() == ()
    assert not (workspace.project.root / PROMPT_FILE).exists()
    return caught.value


def test_secrets_are_refused_to_another_host(tmp_path: Path) -> None:
    """A prompt with a finding is not sent to another host, with or without consent; the error has place and fingerprint, never the secret."""
    with _workspace(tmp_path) as workspace:
        workspace.sending.agree()
        error = _refused(workspace)
        assert error.code == "secrets_found"
        assert "a.py:1 github-token" in error.message
        assert SECRET not in error.message + error.hint


def test_a_gateway_on_this_machine_needs_neither(tmp_path: Path) -> None:
    """If nothing leaves the machine, no consent is needed; the findings are still shown."""
    with _workspace(tmp_path, url="http://localhost:3001") as workspace:
        assert [item.path for item in _run(workspace.preparation.build(1)).findings] == ["a.py"]
        assert _run(workspace.preparation.begin(1, 1)).n == 1


@pytest.mark.parametrize(
    "host", ["127.evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "127.1", "0x7f000001", "0.0.0.0"]
)
def test_a_host_that_looks_like_this_machine_gets_nothing_unasked(tmp_path: Path, host: str) -> None:
    """A name that only begins like a loopback address is another machine: secrets are refused and consent is needed."""
    with _workspace(tmp_path, url=f"http://{host}:3001") as workspace:
        assert _refused(workspace).code == "secrets_found"
        workspace.selection.replace(["b.py"])
        assert _refused(workspace).code == "consent_needed"
        assert not workspace.sending.may_count("x")


def test_where_there_is_no_server_nothing_leaves(tmp_path: Path) -> None:
    """Pasted answers need no consent."""
    with _workspace(tmp_path) as workspace:
        assert Sending(workspace.project, workspace.store.meta, "", "refuse").is_local


def test_the_first_send_to_a_host_needs_consent(tmp_path: Path) -> None:
    """The refusal names host, size and files; consent is remembered for that host only."""
    with _workspace(tmp_path) as workspace:
        workspace.selection.replace(["b.py"])
        error = _refused(workspace)
        assert error.code == "consent_needed"
        assert "models.example.org" in error.message
        assert "1 file (b.py)" in error.message
        workspace.sending.agree()
    with _workspace(tmp_path) as workspace:
        workspace.selection.replace(["b.py"])
        assert _run(workspace.preparation.begin(1, 1)).n == 1
    for other in ("https://other.example.org", "http://127.example.org", "http://localhost.example.org"):
        with _workspace(tmp_path, url=other) as workspace:
            assert not workspace.sending.is_agreed


@pytest.mark.parametrize("entry", ["fingerprint", "a.py", "*.py"])
def test_what_was_allowed_may_go(tmp_path: Path, entry: str) -> None:
    """A fingerprint or a path pattern in .dceallow resolves a finding, also when the stored prompt is sent again."""
    provider = ScriptedProvider([Opened(stream_id="s"), Ended(index=0, finish_reason="stop")])
    with _workspace(tmp_path, provider) as workspace:
        found = _run(workspace.preparation.build(1)).findings
        allow(workspace.project, [found[0].fingerprint if entry == "fingerprint" else entry], "a test's")
        workspace.sending.agree()
        generation = _run(workspace.preparation.begin(1, 1))
        _run(workspace.generator.run(generation, lambda _: None))
        assert [SECRET in request.prompt for request in provider.requests] == [True]
    assert "# a test's" in (tmp_path / ALLOW_FILE).read_text("utf-8")


def test_an_old_prompt_is_checked_when_it_is_sent_again(tmp_path: Path) -> None:
    """A prompt made for this machine's gateway is not regenerated on another host with secrets in it."""
    with _workspace(tmp_path, url="http://127.0.0.1:3001") as workspace:
        generation = _run(workspace.preparation.begin(1, 1))
    provider = ScriptedProvider([Opened(stream_id="s"), Ended(index=0, finish_reason="stop")])
    with _workspace(tmp_path, provider) as workspace:
        workspace.sending.agree()
        _run(workspace.generator.run(generation, lambda _: None, [1]))
        assert provider.requests == []
        error = workspace.responses(generation.id)[0].error
        assert error is not None
        assert error.code == "secrets_found"


def test_placeholders_go_out_and_values_come_back(tmp_path: Path) -> None:
    """With `placeholder`, the prompt has a number in place of the secret, and the answer's files have the secret again."""
    answer = "<file path=a.py>\nTOKEN = \"__DCE_SECRET_1__\"\nprint('x')\nY = '__DCE_SECRET_99__'\n</file_artifact>"
    provider = ScriptedProvider(
        [Opened(stream_id="s"), Delta(index=0, text=answer, thinking=""), Ended(index=0, finish_reason="stop")]
    )
    with _workspace(tmp_path, provider, secrets="placeholder") as workspace:
        workspace.cycles.edit(1, context=f"The password = '{PASSWORD}' is {SECRET}.")
        workspace.sending.agree()
        prepared = _run(workspace.preparation.build(1))
        assert SECRET not in prepared.prompt.text
        assert PASSWORD not in prepared.prompt.text
        assert 'TOKEN = "__DCE_SECRET_1__"' in prepared.prompt.text
        assert prepared.prompt.text == _run(workspace.preparation.build(1)).prompt.text
        generation = _run(workspace.preparation.begin(1, 1))
        _run(workspace.generator.run(generation, lambda _: None))
        content = workspace.reading(generation.id, 1).files[0].content
        assert f'TOKEN = "{SECRET}"' in content
        assert "__DCE_SECRET_99__" in content
        assert SECRET not in provider.requests[0].prompt


def test_the_same_secret_twice_has_one_placeholder(tmp_path: Path) -> None:
    """A value has the same placeholder in all files and at all times, and is restored everywhere."""
    with _workspace(tmp_path, secrets="placeholder") as workspace:
        places = workspace.sending.placeholders
        once = f'A = "{SECRET}"\nB = "{SECRET}"\n'
        assert places.hide(once, "a.py", lambda *_: False) == 'A = "__DCE_SECRET_1__"\nB = "__DCE_SECRET_1__"\n'
        other = f'password = "{PASSWORD}"\nTOKEN = "{SECRET}"\n'
        hidden = places.hide(other, "b.py", lambda *_: False)
        assert hidden == 'password = "__DCE_SECRET_2__"\nTOKEN = "__DCE_SECRET_1__"\n'
        assert places.restore(hidden) == other


def test_files_with_secrets_can_be_left_out(tmp_path: Path) -> None:
    """With `exclude`, a file with a finding is not in the prompt; the others are."""
    with _workspace(tmp_path, secrets="exclude") as workspace:
        prepared = _run(workspace.preparation.build(1))
        assert [entry.path for entry in prepared.prompt.manifest] == ["b.py"]
        assert SECRET not in prepared.prompt.text


def test_text_that_may_not_go_is_not_counted_remotely(tmp_path: Path) -> None:
    """Counting sends text too: before consent, and for text with a secret, the count is an estimate."""
    with _workspace(tmp_path) as workspace:
        secret, plain = f"x = '{SECRET}'", "three plain words"
        assert [count.exact for count in _run(workspace.counter.count([plain]))] == [False]
        workspace.sending.agree()
        assert [count.exact for count in _run(workspace.counter.count([plain, secret]))] == [True, False]


def test_files_for_keys_are_a_finding_and_never_taken_along(tmp_path: Path) -> None:
    """A file with a name typical for secrets is selected only by its full name, and is a finding until it is allowed."""
    with _workspace(tmp_path) as workspace:
        (tmp_path / ".env").write_text("PORT=3000\n", encoding="utf-8")
        workspace.selection.clear()
        assert ".env" not in workspace.selection.add(["."])
        workspace.selection.clear()
        assert workspace.selection.add([".env"]) == (".env",)
        assert [item.rule for item in _run(workspace.preparation.build(1)).findings] == [SECRET_FILE]
        allow(workspace.project, [".env"])
        assert _run(workspace.preparation.build(1)).findings == ()


def test_an_allow_list_that_cannot_be_read_is_an_error(tmp_path: Path) -> None:
    """A damaged allow-list counts neither as empty nor as allowing everything."""
    with _workspace(tmp_path) as workspace:
        (tmp_path / ALLOW_FILE).write_bytes(b"\xff\xfea")
        with pytest.raises(DceError, match="is not text"):
            _run(workspace.preparation.build(1))


def test_a_file_with_placeholders_of_its_own_is_refused(tmp_path: Path) -> None:
    """Text that already looks like a DCE placeholder cannot be mixed with real ones: it would become a secret."""
    with _workspace(tmp_path, secrets="placeholder") as workspace:
        (tmp_path / "a.py").write_text(f"x = '{SECRET}'\ny = '__DCE_SECRET_1__'\n", encoding="utf-8")
        with pytest.raises(DceError, match="look"):
            _run(workspace.preparation.build(1))


def test_one_finding_goes_out_as_a_placeholder_and_its_value_comes_back(tmp_path: Path) -> None:
    """A value that the user chose to hide is hidden under the policy `refuse` too, and only that one; unhidden, it is refused again."""
    with _workspace(tmp_path) as workspace:
        workspace.sending.agree()
        (finding,) = _run(workspace.preparation.build(1)).findings
        workspace.sending.hide(finding)
        assert workspace.sending.hidden() == (finding,)
        (tmp_path / "b.py").write_text('OTHER = "ghp_' + SECRET[:3:-1] + '"\n', encoding="utf-8")
        prepared = _run(workspace.preparation.build(1))
        assert SECRET not in prepared.prompt.text
        assert "__DCE_SECRET_1__" in prepared.prompt.text
        assert [left.path for left in prepared.findings] == ["b.py"]
        (tmp_path / "b.py").write_text("b = 2\n", encoding="utf-8")
        _run(workspace.preparation.begin(1, 1))
        assert workspace.shown(1)("a.py") == f'TOKEN = "{SECRET}"\nprint(TOKEN)\n'
        workspace.sending.show(finding.fingerprint)
        assert workspace.sending.hidden() == ()
        assert len(_run(workspace.preparation.build(1)).findings) == 1


def test_a_telling_name_has_no_placeholder(tmp_path: Path) -> None:
    """A finding about a file's name can be allowed or excluded; there is no value to replace with a placeholder."""
    with _workspace(tmp_path) as workspace:
        (tmp_path / ".env").write_text("a=1\n", encoding="utf-8")
        workspace.selection.replace([".env"])
        (finding,) = _run(workspace.preparation.build(1)).findings
        assert finding.rule == SECRET_FILE
        with pytest.raises(DceError, match="because of its name"):
            workspace.sending.hide(finding)
