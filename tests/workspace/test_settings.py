"""Settings: precedence, validation, and that the key is never shown."""

from pathlib import Path

import pytest
from rich.pretty import pretty_repr

from dce.wire.errors import DceError
from dce.workspace.project import Project
from dce.workspace.settings import Settings, load_settings

SECRET = "dce_sk_0123456789abcdef"


def _project(tmp_path: Path, config: str = "") -> Project:
    project = Project.init(tmp_path)
    if config:
        (project.state_dir / "config.toml").write_text(config, encoding="utf-8")
    return project


def _credentials(project: Project, text: str, mode: int = 0o600) -> Path:
    path = project.state_dir / "credentials"
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)
    return path


def test_flag_beats_environment_beats_file_beats_default(tmp_path: Path) -> None:
    """Each source is overridden by the one above it; an absent flag or variable has no effect."""
    project = _project(tmp_path, 'url = "http://file:1"\nn = 3\nmodel = "m"\n')
    assert load_settings(None, {}) == Settings()
    assert load_settings(project, {}).url == "http://file:1"
    assert load_settings(project, {"DCE_URL": "http://env:2"}).url == "http://env:2"
    assert load_settings(project, {"DCE_URL": "http://env:2"}, url="http://flag:3").url == "http://flag:3"
    loaded = load_settings(project, {"DCE_URL": "", "DCE_API_KEY": ""}, url=None, n=None, schema=None)
    assert (loaded.url, loaded.n, loaded.model, loaded.key, loaded.schema) == ("http://file:1", 3, "m", None, "blocks")


def test_the_key_is_in_no_repr(tmp_path: Path) -> None:
    """Neither repr, str, format nor rich's pretty printing shows the key."""
    settings = load_settings(_project(tmp_path), {"DCE_API_KEY": SECRET})
    assert settings.key == SECRET
    for shown in (repr(settings), str(settings), f"{settings}", pretty_repr(settings)):
        assert SECRET not in shown
        assert "127.0.0.1" in shown


def test_the_key_may_stand_in_a_private_file(tmp_path: Path) -> None:
    """.dce/credentials has the key, trimmed; the environment overrides it; other users must not be able to read it."""
    project = _project(tmp_path)
    path = _credentials(project, f"{SECRET}\n")
    assert load_settings(project, {}).key == SECRET
    assert load_settings(project, {"DCE_API_KEY": "other"}).key == "other"
    path.chmod(0o644)
    with pytest.raises(DceError, match="read by others") as caught:
        load_settings(project, {})
    assert "chmod 600" in caught.value.hint


def test_a_key_in_the_committed_file_is_refused(tmp_path: Path) -> None:
    """config.toml is meant to be shared: a key in it is an error that does not repeat it."""
    with pytest.raises(DceError) as caught:
        load_settings(_project(tmp_path, f'key = "{SECRET}"'), {})
    assert caught.value.code == "invalid_input"
    assert SECRET not in caught.value.message + caught.value.hint


@pytest.mark.parametrize(
    ("config", "named"),
    [
        ("colour = 1", "colour"),
        ("n = 0", "n is 0"),
        ("n = 1000", "n is 1000"),
        ('n = "ten"', "n "),
        ("n = true", "n "),
        ("temperature = 2.5", "temperature"),
        ("temperature = nan", "temperature"),
        ("max_tokens = -1", "max_tokens"),
        ('url = "gateway example:3001"', "url"),
        ('url = "ftp://gateway"', "url"),
        ('url = "http://"', "url"),
        ('url = "http://user:password@host"', "url"),
        ('url = "http://host:port"', "url"),
        ("n = ", "not TOML"),
    ],
)
def test_bad_values_name_setting_and_file(tmp_path: Path, config: str, named: str) -> None:
    """An unknown name and a value out of range are errors that name the setting and the file."""
    with pytest.raises(DceError) as caught:
        load_settings(_project(tmp_path, config), {})
    assert caught.value.code == "invalid_input"
    assert named in caught.value.message
    assert "config.toml" in caught.value.message


@pytest.mark.parametrize("key", ["two words", "line\nend", "schlüssel"])
def test_a_key_that_cannot_be_one_is_refused_unread(key: str) -> None:
    """A key with characters that no header allows is reported as that and not repeated."""
    with pytest.raises(DceError) as caught:
        load_settings(None, {"DCE_API_KEY": key})
    assert caught.value.code == "invalid_input"
    assert key not in caught.value.message


def test_an_unknown_flag_is_refused() -> None:
    """An error in the caller's arguments is reported like any other."""
    with pytest.raises(DceError, match="the command line"):
        load_settings(None, {}, colour="red")


def test_a_file_that_is_no_utf8_is_refused(tmp_path: Path) -> None:
    """Bytes that are not text do not cause a traceback."""
    project = _project(tmp_path)
    (project.state_dir / "config.toml").write_bytes(b'model = "\xff"')
    with pytest.raises(DceError, match="not TOML"):
        load_settings(project, {})


@pytest.mark.parametrize("value", [-1, 1001, '"all"'])
def test_the_history_budget_has_limits(tmp_path: Path, value: object) -> None:
    """`history_cycles` is 0 to 1,000 cycles; anything else is refused by name."""
    with pytest.raises(DceError, match="history_cycles"):
        load_settings(_project(tmp_path, f"history_cycles = {value}\n"), {})
    (tmp_path / ".dce" / "config.toml").write_text("history_cycles = 0\n", encoding="utf-8")
    assert load_settings(Project(tmp_path), {}).history_cycles == 0
