"""Credentials in command lines, headers and connection strings; control tokens of chat templates (fault T10)."""

import base64
from pathlib import Path

import pytest

from dce.workspace.outbound.placeholders import Placeholders
from dce.workspace.outbound.secrets import CONTROL, scan
from dce.workspace.record.store import Store

FAULTS = Path(__file__).parents[1] / "fixtures" / "faults"
MISSED = FAULTS / "23-secrets-missed"
TYPED = "Hx9!" + "kLm2pZ"


def _encoded(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


LOGIN = _encoded(f"bob:{TYPED}")
RANDOM = "8f3c1d9b7a6e4f2d" + "8c0b5a9e3f7d1c6b"


@pytest.mark.parametrize("path", sorted(MISSED.iterdir()), ids=lambda path: path.name)
def test_each_line_of_the_missed_secrets_is_found(path: Path) -> None:
    """In each file that a scan once missed, every line with a secret has a finding."""
    text = path.read_text("utf-8")
    expected = {number for number, line in enumerate(text.splitlines(), 1) if line != "smtp:"}
    assert {finding.line for finding in scan(text, path.name)} == expected


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", f'AZURE_OPENAI_KEY = "{RANDOM}"'),
        ("a.py", f'openai_key="{RANDOM}"'),
        ("a.ts", f'const openaiKey = "{RANDOM}";'),
        (".env", f"STRIPEKEY={RANDOM}"),
        ("a.yaml", f"storage:\n  some-key: {RANDOM}"),
        ("a.py", f'db_pass = "{TYPED}"'),
        ("a.py", f'conn = connect(user="bob", pass="{TYPED}")'),
        ("a.ini", f"dbpass = {TYPED}"),
        ("a.ts", f'const userPass = "{TYPED}";'),
        ("a.http", f"Authorization: Basic {LOGIN}"),
        ("a.json", f'{{"auths": {{"r.example": {{"auth" : "{LOGIN}"}}}}}}'),
        (".npmrc", f"//r.example/:_auth={LOGIN}"),
        ("a.cs", f'var c = "Server=db;User Id=sa;Password={TYPED};";'),
        ("a.cs", f'var c = "Server=db; Pwd = {TYPED}; Database=d";'),
        ("a.json", f'{{"c": "Data Source=x;password={TYPED}"}}'),
        ("a.py", f'dsn = "host=db user=bob password={TYPED} dbname=d"'),
        ("a.txt", f"machine h\n  login bob\n  password {TYPED}\n"),
        ("a.txt", f"default login bob password {TYPED}"),
        ("a.sh", f"curl -fsS --user bob:{TYPED} https://x"),
        ("a.sh", f"curl -X POST -u 'bob:{TYPED}' https://x"),
        ("a.sh", f"curl -ubob:{TYPED} https://x"),
        ("a.sh", f"mysqldump -h db -u root -p{TYPED} d > f"),
        ("a.sh", f"mysql -p'{TYPED}' d"),
        ("a.sh", f"sshpass -p{TYPED} ssh h"),
        ("a.sh", f"docker login -u bob -p {TYPED} r.example"),
        ("a.sh", f"tool --password={TYPED} run"),
        ("a.sh", f"redis-cli -h r -a {TYPED}"),
    ],
)
def test_credentials_are_found_by_what_stands_around_them(path: str, text: str) -> None:
    """There is one finding for each credential, and its excerpt does not contain the credential."""
    (finding,) = scan(text, path)
    assert TYPED not in finding.masked
    assert RANDOM not in finding.masked
    assert LOGIN not in finding.masked


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a.py", f'cache_key = "{RANDOM}"'),
        ("a.py", f'PUBLIC_KEY = "{RANDOM}"'),
        ("a.py", f'monkey = "{RANDOM}"'),
        ("a.py", 'sort_key = "created_at_2"'),
        ("a.py", f'keyboard = "{RANDOM}"'),
        ("a.py", "for key in keys:\n    pass\nx = 1"),
        ("a.py", 'render_pass = "shadow_map_2"'),
        ("a.py", 'bypass = "Abc123!x"'),
        ("a.yaml", "compass: north-7b"),
        ("a.http", "Authorization: Basic realm"),
        ("a.md", "a basic understanding of basic arithmetics"),
        ("a.http", f"Authorization: Basic {_encoded('user:password')}"),
        ("a.json", '{"auth": "required", "oauth": "dGVzdA=="}'),
        ("a.py", 'x = "Server=db;Password=${DB_PASSWORD};"'),
        ("a.cs", '"Server=db;User Id=sa;Password=<your password>;"'),
        ("a.md", "The machine should login and the password is checked."),
        ("a.txt", "machine h login bob password changeme"),
        ("a.sh", "curl -u $USER:$PASSWORD https://x"),
        ("a.sh", 'curl -u "$USER:$PASSWORD" https://x'),
        ("a.sh", "curl -u user:password https://x"),
        ("a.sh", "mysql -p -u root d"),
        ("a.sh", "mysql --port 3306 -proot d"),
        ("a.sh", 'mysql -p"$PW" d'),
        ("a.sh", "mkdir -p mysql/data && cp -p a b"),
        ("a.sh", "tool --token $TOKEN --password-file f"),
        ("a.sh", "tool --password <password>"),
        ("a.fs", "let f = a <| b |> c"),
        ("a.html", "<s>old</s> new"),
        ("a.py", "names[INST]; x = a[/2]"),
    ],
)
def test_what_only_resembles_a_credential_is_left_alone(path: str, text: str) -> None:
    """References, documentation and other keys are not findings."""
    assert scan(text, path) == ()


def test_control_tokens_are_findings() -> None:
    """A file that would end the user's turn has a finding for each such token, shown verbatim."""
    text = (FAULTS / "22-control-tokens-in-files" / "chatml.py").read_text("utf-8")
    assert [(finding.rule, finding.masked) for finding in scan(text, "chatml.py")] == [
        (CONTROL, "<|im_end|>"),
        (CONTROL, "<|im_start|>"),
    ]


@pytest.mark.parametrize(
    "token",
    [
        *("<|im_start|>", "<|endoftext|>", "<|eot_id|>", "<|start_header_id|>", "<|channel|>", "<|end|>", "<|User|>"),
        *(
            "[INST]",
            "[/INST]",
            "<<SYS>>",
            "<</SYS>>",
            "</s>",
            "<start_of_turn>",
            "<end_of_turn>",
            "<eos>",
            "[TOOL_CALLS]",
        ),
        *("<\uff5cUser\uff5c>", "<\uff5cend\u2581of\u2581sentence\uff5c>"),
    ],
)
def test_the_tokens_of_many_templates_are_known(token: str, tmp_path: Path) -> None:
    """Control tokens of the common model families are findings; placeholders replace them and restore them."""
    text = f'STOP = ["{token}"]\n'
    assert [finding.rule for finding in scan(text, "a.py")] == [CONTROL]
    with Store(tmp_path / "dce.db") as store:
        placeholders = Placeholders(store.meta)
        hidden = placeholders.hide(text, "a.py", lambda _path, _fingerprint: False)
        assert token not in hidden
        assert scan(hidden, "a.py") == ()
        assert placeholders.restore(hidden) == text
