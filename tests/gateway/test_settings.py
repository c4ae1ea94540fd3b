"""One table of settings; whatever is wrong with them is said by name before anything starts."""

from pathlib import Path

import pytest

from dce.gateway.settings import BackendSettings, GatewaySettings, load_settings
from dce.wire.errors import DceError


def refusal(config: Path | None = None, **flags: object) -> str:
    """What is said of settings that are refused."""
    with pytest.raises(DceError) as caught:
        load_settings(config, {}, **flags)
    assert caught.value.code == "invalid_input"
    assert caught.value.hint
    return caught.value.message


def test_flag_before_environment_before_file_before_default(tmp_path: Path) -> None:
    """A flag wins over the file, the file over the default; a flag of None is not given."""
    config = tmp_path / "gateway.toml"
    config.write_text('port = 5\nmax_n = 7\nbackends = ["http://file:1"]\n', "utf-8")
    settings = load_settings(config, {"VLLM_URL": "http://env:1"}, port=6, heartbeat_s=None)
    assert (settings.port, settings.max_n, settings.heartbeat_s) == (6, 7, GatewaySettings().heartbeat_s)
    assert settings.backends == (BackendSettings(url="http://file:1"),)


def test_the_environment_names_the_backend_and_the_data_folder() -> None:
    """VLLM_URL, the original's VLLM_ENDPOINT and DCE_DATA_DIR are read."""
    assert (
        load_settings(None, {"VLLM_URL": "http://a:1", "VLLM_ENDPOINT": "http://b:1"}).backends[0].url == "http://a:1"
    )
    settings = load_settings(None, {"VLLM_ENDPOINT": "http://b:1/v1/chat/completions", "DCE_DATA_DIR": "/d"})
    assert (settings.backends[0].url, settings.data_dir) == ("http://b:1", "/d")
    assert load_settings(None, {"HOME": "/h"}).data_dir == "/h/.local/share/dce-gateway"


@pytest.mark.parametrize("ending", ["", "/", "/v1", "/v1/", "/v1/completions", "/v1/chat/completions"])
def test_a_backend_url_may_name_the_server_or_its_endpoint(ending: str) -> None:
    """What people paste as URL means the server it names, a path prefix kept."""
    assert load_settings(None, {}, backends=[f"https://h:1/prefix{ending}"]).backends[0].url == "https://h:1/prefix"


@pytest.mark.parametrize(
    "url",
    [
        "",
        "localhost:8000",
        "ftp://h",
        "http://",
        "http://:80",
        "http://h:99999",
        "http://h:x",
        "http://a..b",
        "http://u:p@h",
        "http://h/?a=b",
        "http://h h",
        "http://[::1",
    ],
)
def test_a_backend_url_that_cannot_work_is_refused(url: str) -> None:
    """A URL that no connection could be made to is refused at the start, not at the first request."""
    assert "backend" in refusal(backends=[url])


@pytest.mark.parametrize("key", ["a b\r\nx: y", "schlüssel", "a\n"], ids=repr)
def test_a_backend_key_that_is_no_header_is_refused_without_being_shown(key: str) -> None:
    """A key that could not stand in a header, or would add one, is refused; the message does not hold it."""
    message = refusal(backends=[{"url": "http://h:1", "key": key}])
    assert "key" in message
    assert key not in message


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("port = 70000", "port"),
        ("max_n = 0", "max_n"),
        ("max_n = 21", "max_n"),
        ('max_n = "3"', "max_n"),
        ("idle_timeout_s = 0", "idle_timeout_s"),
        ("prot = 1", "prot"),
        ('backends = [{url = "http://h", kee = "x"}]', "kee"),
        ("backends = [{}]", "url"),
        ('backends = [{url = "http://h", n_strategy = "twice"}]', "n_strategy"),
        ("backends = 3", "backends"),
        ("port = ", "not TOML"),
        ('host = "\udcff"', "not TOML"),
    ],
)
def test_a_wrong_file_is_refused_by_name(tmp_path: Path, text: str, named: str) -> None:
    """An unknown setting, a wrong value or broken TOML names the file and the place."""
    config = tmp_path / "gateway.toml"
    config.write_bytes(text.encode("utf-8", "surrogateescape"))
    message = refusal(config)
    assert named in message
    assert "gateway.toml" in message


@pytest.mark.parametrize("name", ["absent.toml", "."])
def test_a_configuration_that_is_no_file_is_named(tmp_path: Path, name: str) -> None:
    """A path that does not exist or is a folder is said to be so."""
    assert str(tmp_path) in refusal(tmp_path / name)


def test_a_backend_key_need_not_stand_in_the_configuration(tmp_path: Path) -> None:
    """It can be a file beside it, an absolute path, or a variable; blanks and the line's end around it do not count."""
    (tmp_path / "vllm.key").write_text("sk-file\n")
    config = tmp_path / "gateway.toml"
    config.write_text(
        '[[backends]]\nurl = "http://h:1"\nkey_file = "vllm.key"\n[[backends]]\nurl = "http://h:2"\nkey_env = "K"\n'
    )
    settings = load_settings(config, {"K": " sk-env "})
    assert [backend.key for backend in settings.backends] == ["sk-file", "sk-env"]
    assert "sk-" not in repr(settings)
    absolute = [{"url": "http://h:1", "key_file": str(tmp_path / "vllm.key")}]
    assert load_settings(None, {}, backends=absolute).backends[0].key == "sk-file"


@pytest.mark.parametrize(
    ("row", "named"),
    [
        ({"key_file": "missing"}, "missing"),
        ({"key_file": "empty"}, "empty"),
        ({"key_file": "."}, "cannot read"),
        ({"key_file": "huge"}, "huge"),
        ({"key_file": "broken"}, "header"),
        ({"key_env": "NOT_SET"}, "NOT_SET"),
        ({"key": "sk-canary", "key_file": "broken"}, "both key and key_file"),
        ({"key_file": "broken", "key_env": "K"}, "both key_file and key_env"),
    ],
)
def test_a_key_that_cannot_be_had_stops_the_start(tmp_path: Path, row: dict[str, str], named: str) -> None:
    """The place is named, never what stands in it; a gateway without its backend's key would only fail later."""
    for name, content in {"empty": "\n", "huge": "sk-canary" * 9000, "broken": "sk-canary\nx: y"}.items():
        (tmp_path / name).write_text(content)
    config = tmp_path / "gateway.toml"
    lines = [f'{name} = "{value}"' for name, value in row.items()]
    config.write_text("\n".join(["[[backends]]", 'url = "http://h:1"', *lines]))
    with pytest.raises(DceError) as caught:
        load_settings(config, {})
    assert named in caught.value.message
    assert "sk-canary" not in caught.value.message + caught.value.hint


def test_secrets_hide_in_repr() -> None:
    """Printing settings, as a log or a traceback may, shows no backend key."""
    settings = load_settings(None, {}, backends=[{"url": "http://h:1", "key": "sk-canary"}])
    assert settings.backends[0].key == "sk-canary"
    assert "sk-canary" not in repr(settings)


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        ("127.0.0.1", True),
        ("127.1.2.3", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("::", False),
        ("127.evil.example", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback_is_this_machine_only(host: str, expected: bool) -> None:
    """Only addresses that no other machine can reach count as loopback."""
    assert GatewaySettings(host=host).is_loopback is expected
