"""Model cards: stored in config.toml, which keeps its comments, with keys stored separately; validated when written, not when used."""

import stat
import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.wire.errors import DceError
from dce.workspace.cards import Cards
from dce.workspace.generating.sampling import slot_seed, slot_temperature
from dce.workspace.key_vault import KEYS_FILE, KeyVault
from dce.workspace.project import Project
from dce.workspace.settings import load_settings
from dce.workspace.toml_edit import with_table, with_value

CONFIG = """# ours
n = 3  # few
url = "http://team:3001"

[cards.fast]  # the small one
model = "small"

# the end
"""


class FakeKeyring:
    """A keyring in memory; a broken one fails like that of a locked desktop."""

    def __init__(self, *, is_broken: bool = False) -> None:
        self.kept: dict[tuple[str, str], str] = {}
        self._is_broken = is_broken

    def get_password(self, service: str, name: str) -> str | None:
        self._fail()
        return self.kept.get((service, name))

    def set_password(self, service: str, name: str, password: str) -> None:
        self._fail()
        self.kept[service, name] = password

    def delete_password(self, service: str, name: str) -> None:
        self._fail()
        del self.kept[service, name]

    def _fail(self) -> None:
        if self._is_broken:
            raise RuntimeError("locked")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project.init(tmp_path)


def _cards(project: Project) -> Cards:
    return Cards(project.state_dir, KeyVault(project.state_dir, None))


def test_edits_keep_comments_and_order(project: Project) -> None:
    """Setting a value, adding a card and removing one change only their own lines."""
    path = project.state_dir / "config.toml"
    path.write_text(CONFIG)
    cards = _cards(project)
    cards.set_value("n", "5")
    cards.set_value("model", "big")
    cards.put("slow", {"provider": "openai", "url": "http://gpu:8000", "temperature": 0.7})
    text = path.read_text()
    assert all(comment in text for comment in ("# ours", "# the small one", "# the end"))
    values = tomllib.loads(text)
    assert (values["n"], values["model"], values["url"]) == (5, "big", "http://team:3001")
    assert list(values["cards"]) == ["fast", "slow"]
    cards.remove("slow")
    cards.set_value("model", "")
    assert list(tomllib.loads(path.read_text())["cards"]) == ["fast"]
    assert 'model = "big"' not in path.read_text()


_NAMES = st.sampled_from(["a", "b", "n"])
_VALUES = st.one_of(st.integers(0, 9), st.text(max_size=5), st.lists(st.text(max_size=3), max_size=3))


@given(st.dictionaries(_NAMES, _VALUES), st.lists(st.tuples(_NAMES, st.one_of(st.none(), _VALUES)), max_size=5))
def test_an_edit_says_what_was_asked(before: dict[str, object], edits: list[tuple[str, object]]) -> None:
    """Whatever the file contains, after each edit only the edited value has changed."""
    text, wanted = "", dict[str, object]()
    for name, value in before.items():
        text = with_value(text, name, value)
        wanted[name] = value
    for name, value in edits:
        text = with_table(with_value(text, name, value), "cards", name, None if value is None else {"x": value})
        cards = dict(wanted.get("cards", {}))  # type: ignore[call-overload]
        for kept in (wanted, cards):
            kept.pop(name, None)
        if value is not None:
            wanted[name], cards[name] = value, {"x": value}
        wanted.pop("cards", None)
        if cards:
            wanted["cards"] = cards
        assert tomllib.loads(text) == wanted


HAND_WRITTEN = """# shared by the team
url = "http://team:3001"   # the server
temperature = 0.5 # keep
model = "a # b"  # 'quoted' # twice
 n = 3
exclude = [  # two
  "a.txt",  # first
  "b.txt",
]  # end of the list

# a table of settings
[extra_body]
top_k = 3

# the fast one
[cards.fast]  # small
temperature = 0.1   # cold
model = "small"

# the slow one
[ "cards" . slow ]
model = "large"
[cards.slow.headers]
x = "1"
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize(
    ("name", "value", "old", "new"),
    [
        ("temperature", "0.7", "temperature = 0.5 # keep", "temperature = 0.7 # keep"),
        ("url", "http://b", 'url = "http://team:3001"   # the server', 'url = "http://b"   # the server'),
        ("model", "x", "model = \"a # b\"  # 'quoted' # twice", "model = \"x\"  # 'quoted' # twice"),
        ("temperature", "", "temperature = 0.5 # keep\n", ""),
        ("n", "5", " n = 3", "n = 5"),
        ("seed", "7", "]  # end of the list\n", "]  # end of the list\nseed = 7\n"),
        (
            "exclude",
            "c",
            'exclude = [  # two\n  "a.txt",  # first\n  "b.txt",\n]  # end of the list',
            'exclude = [\n    "c",\n]  # end of the list',
        ),
        ("extra_body", "", "[extra_body]\ntop_k = 3\n", ""),
    ],
)
def test_an_edit_changes_only_its_own_line(
    project: Project, end: str, name: str, value: str, old: str, new: str
) -> None:
    """All comments, blank lines and line ends stay, the comment behind the value too; values of several lines are found."""
    path = project.state_dir / "config.toml"
    path.write_bytes(HAND_WRITTEN.replace("\n", end).encode())
    _cards(project).set_value(name, value)
    assert HAND_WRITTEN.count(old) == 1
    assert path.read_bytes() == HAND_WRITTEN.replace(old, new).replace("\n", end).encode()


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_card_is_edited_where_it_is(project: Project, end: str) -> None:
    """A card keeps its place and the comments of the lines that stay; removing it keeps the comments of the next one."""
    path = project.state_dir / "config.toml"
    path.write_bytes(HAND_WRITTEN.replace("\n", end).encode())
    _cards(project).put("fast", {"temperature": 0.2, "seed": 1})
    wanted = HAND_WRITTEN.replace('temperature = 0.1   # cold\nmodel = "small"', "temperature = 0.2   # cold\nseed = 1")
    assert path.read_bytes() == wanted.replace("\n", end).encode()
    _cards(project).remove("fast")
    text = path.read_bytes().decode()
    assert text.count("\n") == text.count(end)
    assert "# the slow one" in text
    assert "cold" not in text
    _cards(project).put("slow", {"model": "m"})
    text = path.read_bytes().decode()
    assert tomllib.loads(text)["cards"] == {"slow": {"model": "m"}}
    assert "# keep" in text
    assert text.count("\n") == text.count(end)


def test_a_configuration_behind_a_link_is_edited_there(project: Project, tmp_path: Path) -> None:
    """A link stays a link and what it leads to is edited; a missing target, and a file that is not a configuration, stay as they are."""
    shared, path = tmp_path / "shared.toml", project.state_dir / "config.toml"
    path.symlink_to(shared)
    with pytest.raises(DceError, match="there is no file") as caught:
        _cards(project).set_value("n", "5")
    assert caught.value.hint
    assert not shared.exists()
    shared.write_text("n = 3 # ours\n")
    _cards(project).set_value("n", "5")
    assert path.is_symlink()
    assert shared.read_text() == "n = 5 # ours\n"
    shared.write_text("[package]\nname = 'x'\n")
    with pytest.raises(DceError, match="there is no setting 'package'"):
        _cards(project).set_value("n", "5")
    assert shared.read_text() == "[package]\nname = 'x'\n"


@pytest.mark.parametrize(
    ("name", "values"),
    [
        ("x", {"temperature": 9.0}),
        ("x", {"url": "gpu"}),
        ("x", {"key": "sk"}),
        ("x", {"nothing": 1}),
        ("x", {"provider": "other"}),
        ("a.b", {}),
        ("", {}),
    ],
)
def test_a_card_that_cannot_be_used_is_refused(project: Project, name: str, values: dict[str, object]) -> None:
    """A wrong value, an unknown field, a key in the committed file or an invalid name gives invalid_input; nothing is written."""
    with pytest.raises(DceError) as caught:
        _cards(project).put(name, values)
    assert caught.value.code == "invalid_input"
    assert not (project.state_dir / "config.toml").exists()


def test_a_card_lies_over_the_environment_and_under_flags(project: Project) -> None:
    """Precedence is flag > card > environment > file; one server's key is never sent to another."""
    environ = {"DCE_URL": "http://gateway:3001", "DCE_API_KEY": "dce_sk_gateway", "DCE_KEYRING": "0"}
    cards = _cards(project)
    cards.put("gpu", {"provider": "openai", "url": "http://gpu:8000", "temperature": 0.7})
    cards.put("warm", {"temperature": 1.2})
    plain = load_settings(project, environ)
    assert (plain.card, plain.provider, plain.key) == ("", "gateway", "dce_sk_gateway")
    gpu = load_settings(project, environ, card="gpu", temperature=0.1)
    assert (gpu.card, gpu.provider, gpu.url, gpu.temperature, gpu.key) == (
        "gpu",
        "openai",
        "http://gpu:8000",
        0.1,
        None,
    )
    warm = load_settings(project, environ, card="warm")
    assert (warm.url, warm.key, warm.temperature) == ("http://gateway:3001", "dce_sk_gateway", 1.2)
    cards.vault.put("gpu", "sk-gpu")
    assert load_settings(project, environ, card="gpu").key == "sk-gpu"
    cards.set_value("card", "gpu")
    assert load_settings(project, environ).url == "http://gpu:8000"
    with pytest.raises(DceError, match="no model card 'none'"):
        load_settings(project, environ, card="none")


def test_keys_are_kept_apart(project: Project) -> None:
    """Without a working keyring, keys are in a file with mode 0600; a file that others can read is refused."""
    for keyring in (None, FakeKeyring(is_broken=True)):
        vault = KeyVault(project.state_dir, keyring)
        assert vault.put("a", "one") == vault.put("b", "two") == "file"
        path = project.state_dir / KEYS_FILE
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert (vault.get("a"), vault.get("b"), vault.get("c")) == ("one", "two", None)
        path.chmod(0o644)
        with pytest.raises(DceError):
            vault.get("a")
        path.chmod(0o600)
        vault.forget("a")
        vault.forget("b")
        assert not path.exists()


def test_a_keyring_is_preferred(project: Project) -> None:
    """With a keyring, no key is in a file, an older one is removed from it, and deleting works."""
    KeyVault(project.state_dir, None).put("a", "old")
    keyring = FakeKeyring()
    vault = KeyVault(project.state_dir, keyring)
    assert vault.get("a") == "old"
    assert vault.put("a", "new") == "keyring"
    assert not (project.state_dir / KEYS_FILE).exists()
    assert vault.get("a") == "new"
    vault.forget("a")
    assert (vault.get("a"), keyring.kept) == (None, {})


def test_slots_are_spread_evenly() -> None:
    """Temperatures are spaced evenly from half the spread below to half above, within bounds; seeds differ by slot and version."""
    assert [slot_temperature(1.0, 1.0, slot, 5) for slot in range(1, 6)] == [0.5, 0.75, 1.0, 1.25, 1.5]
    assert [slot_temperature(None, 0.5, slot, 2) for slot in (1, 2)] == [0.75, 1.25]
    assert slot_temperature(0.1, 1.0, 1, 2) == 0.0
    assert slot_temperature(None, None, 1, 5) is None
    assert slot_temperature(0.7, 1.0, 1, 1) == 0.7
    assert slot_seed(None, 1, 1) is None
    assert len({slot_seed(5, slot, version) for slot in range(1, 21) for version in range(1, 50)}) == 20 * 49
