"""A corpus with known answers: secrets generated at run time (so that none is in the repository) in the places where they leak, and
lines that look like secrets but are not.
"""

import random
import string
from collections.abc import Callable

ALNUM = string.ascii_letters + string.digits
HEX = "0123456789abcdef"
URLSAFE = ALNUM + "_-"
BASE64 = ALNUM + "+/"

Maker = Callable[[random.Random], str]


def _of(alphabet: str, length: int) -> Maker:
    return lambda rng: "".join(rng.choice(alphabet) for _ in range(length))


def _key(prefix: str, alphabet: str, length: int, suffix: str = "") -> Maker:
    return lambda rng: prefix + _of(alphabet, length)(rng) + suffix


MAKERS: dict[str, Maker] = {
    "aws": _key("AKIA", string.ascii_uppercase + "234567", 16),
    "github": _key("ghp_", ALNUM, 36),
    "github server": _key("ghs_", ALNUM, 36),
    "github fine-grained": _key("github_pat_", ALNUM, 82),
    "gitlab": _key("glpat-", URLSAFE[:-2], 20),
    "slack bot": lambda rng: (
        f"xoxb-{rng.randrange(10**11, 10**12)}-{rng.randrange(10**12, 10**13)}-{_of(ALNUM, 24)(rng)}"
    ),
    "slack hook": lambda rng: (
        f"https://hooks.slack.com/services/T{_of(ALNUM, 8)(rng)}/B{_of(ALNUM, 8)(rng)}/{_of(ALNUM, 24)(rng)}"
    ),
    "stripe": _key("sk_live_", ALNUM, 24),
    "stripe restricted": _key("rk_live_", ALNUM, 99),
    "openai": _key("sk-proj-", URLSAFE, 155, "A"),
    "openai old": lambda rng: f"sk-{_of(ALNUM, 20)(rng)}T3BlbkFJ{_of(ALNUM, 20)(rng)}",
    "anthropic": _key("sk-ant-api03-", URLSAFE, 92, "AA"),
    "google": _key("AIza", ALNUM, 35),
    "google oauth": _key("GOCSPX-", ALNUM, 28),
    "azure": lambda rng: f"DefaultEndpointsProtocol=https;AccountName=st;AccountKey={_of(BASE64, 86)(rng)}==",
    "sendgrid": lambda rng: f"SG.{_of(ALNUM, 22)(rng)}.{_of(ALNUM, 43)(rng)}",
    "twilio": _key("SK", HEX, 32),
    "mailgun": _key("key-", HEX, 32),
    "mailchimp": _key("", HEX, 32, "-us12"),
    "npm": _key("npm_", ALNUM, 36),
    "pypi": _key("pypi-AgEIcHlwaS5vcmc", URLSAFE, 120, "x"),
    "docker": _key("dckr_pat_", ALNUM, 27),
    "digitalocean": _key("dop_v1_", HEX, 64),
    "shopify": _key("shpat_", HEX, 32),
    "hugging face": _key("hf_", string.ascii_letters, 34),
    "databricks": _key("dapi", HEX, 32),
    "telegram": lambda rng: f"{rng.randrange(10**8, 10**9)}:AA{_of(ALNUM, 33)(rng)}",
    "vault": _key("hvs.", ALNUM, 90),
    "linear": _key("lin_api_", ALNUM, 40),
    "grafana": lambda rng: f"glsa_{_of(ALNUM, 32)(rng)}_{_of(HEX, 8)(rng)}",
    "supabase": _key("sbp_", HEX, 40),
    "figma": _key("figd_", ALNUM, 40),
    "groq": _key("gsk_", ALNUM, 52),
    "replicate": _key("r8_", ALNUM, 37),
    "tailscale": lambda rng: f"tskey-auth-{_of(ALNUM, 17)(rng)}-{_of(ALNUM, 32)(rng)}",
    "json web token": lambda rng: f"eyJ{_of(ALNUM, 33)(rng)}.eyJ{_of(ALNUM, 80)(rng)}.{_of(ALNUM, 43)(rng)}",
}
"""Keys with a format that their vendors made recognisable."""

CARRIERS = (
    ("app.py", 'client = Client("{}")'),
    ("config.yaml", "  credentials:\n    value: {}"),
    (".env.local", "SERVICE={}"),
    ("data.json", '{{"a": 1, "b": "{}"}}'),
    ("notes.md", "Run it with `{}` for now."),
    ("log.txt", "line one\\n{}\\nline three"),
)
"""Where such a key may occur: a path, and a text with a placeholder for it."""

RANDOM_NAMED: tuple[tuple[str, str], ...] = (
    ("a.py", 'API_KEY = "{}"'),
    ("a.py", "headers = {{'x-api-key': '{}'}}"),
    ("a.ts", "const clientSecret: string = `{}`;"),
    ("a.json", '{{"access_token": "{}"}}'),
    (".env", "STRIPE_SECRET={}"),
    (".env", 'export GATEWAY_TOKEN="{}"'),
    ("deploy.yaml", "    apiKey: {}"),
    ("app.properties", "service.auth_token={}"),
    ("Dockerfile", "ENV CI_JOB_TOKEN={}"),
    ("a.go", 'var signingKey = "{}" // secret'),
    ("a.go", 'secret := "{}"'),
    ("a.sh", 'curl -H "Authorization: Bearer {}" https://x.dev'),
    ("terraform.tfvars", 'client_secret = "{}"'),
    ("a.py", 'os.environ["AWS_SECRET_ACCESS_KEY"] = "{}"'),
    ("a.rb", "config.api_key => '{}'"),
)
"""Telltale names, for values without a prefix."""

PASSWORDS: tuple[tuple[str, str], ...] = (
    ("a.py", 'password = "tr0ub4dor&3"'),
    ("a.py", 'connect(host, user="svc", password="Winter2024!")'),
    (".env", "DB_PASSWORD=s3cr3tPw99"),
    ("a.yaml", "password: 9xQ!vv2Lm"),
    ("a.ini", "smtp_passwd = mail4You!"),
    ("a.py", 'URL = "postgresql://svc:pq8Kd92m@db.internal:5432/app"'),
    ("a.js", 'const r = "redis://:f00Bar99z@cache:6379"'),
    ("a.json", '{"db": {"password": "Kj8#mQ2p"}}'),
    ("a.java", 'String pwd = "Xk29!dfP";'),
)
"""Passwords that people made up."""

HARMLESS: tuple[tuple[str, str], ...] = (
    ("a.py", 'password = os.environ["DB_PASSWORD"]'),
    ("a.py", 'password = getpass.getpass("Password: ")'),
    ("a.py", 'API_KEY = "your-api-key-here"'),
    ("a.py", 'API_KEY = "AKIAIOSFODNN7EXAMPLE"'),
    ("a.py", 'token = tokenizer.encode("text2token_and_back")'),
    ("a.py", 'password: str = "password"'),
    ("a.py", "self.api_key = settings.api_key_2024"),
    ("a.py", 'token_url = "https://auth.example.org/oauth2/v2/token/endpoint-7731"'),
    ("a.py", 'PASSWORD_FIELD = "user_password_1"'),
    ("a.py", 'secret_name = "projects/77/secrets/db-main-2024"'),
    ("a.py", 'SECRET_KEY = "${SECRET_KEY_FROM_ENV_2024}"'),
    ("a.py", "if token == 'begin_object_token_12':"),
    ("a.py", 'return Token(type="string", value="1234567")'),
    ("a.ts", "const password = formData.get('password') as string"),
    ("a.ts", "type Props = { password: string; token: string | undefined }"),
    ("a.ts", "token: string, secret: Uint8Array<ArrayBuffer>, apiKey?: number"),
    ("a.yaml", "password: ${DB_PASSWORD}"),
    ("a.yaml", "password: {{ .Values.db.password }}"),
    ("a.yaml", "secretName: tls-cert-2024-production-eu"),
    ("a.yaml", "token: ''"),
    (".env", "API_KEY=changeme"),
    (".env", "DB_PASSWORD=<your password>"),
    (".env", "DB_URL=postgres://postgres:postgres@localhost:5432/test"),
    (".env", "DB_URL=postgres://user:password@localhost/db"),
    ("package-lock.json", '"integrity": "sha512-Ax8TNQ2dkmT9wB1pWzOkz5yLwYqoYsV2k8ZbT2p1d0nq6yI6m2g4r2Vq3tZb=="'),
    ("a.lock", "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"),
    ("a.md", "commit 4b825dc642cb6eb9a060e54bf8d69288fbee4904"),
    ("a.html", '<input type="password" name="password" autocomplete="current-password1">'),
    ("a.py", "uuid = '123e4567-e89b-12d3-a456-426614174000'"),
    ("a.css", "background: url(data:image/png;base64,iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJ)"),
    ("a.py", "task-ghp_is_a_prefix and sk-learn pipelines, hf_hub_download, npm_config_cache"),
    ("a.py", 'key = f"{prefix}-{number:04}-token-of-cycle"'),
    ("a.md", "Set `password=...` and `token=***************` first."),
    ("a.c", "static const char token_chars[] = token_table_v2_entries;"),
    ("a.go", 'secretRef := corev1.SecretReference{Name: "a", Namespace: "b2"}'),
    ("a.py", '"-----BEGIN PRIVATE KEY-----" in text'),
    ("a.py", "raise ValueError('secret: must be at least 32 characters long')"),
    ("a.py", 'token="AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"'),
    ("a.py", 'PASSWORD_HASH = "pbkdf2_sha256$600000$abc"'),
    ("a.py", 'FIXTURE_TOKEN = "tok-9fK2mQ8xLw31vZ7p"  # dce:allow-secret'),
)
"""Lines that look as if they had a secret but do not."""


def planted(seed: int) -> list[tuple[str, str, str]]:
    """(kind, path, text), each text with exactly one secret."""
    rng = random.Random(seed)
    found = [(name, *_placed(rng.choice(CARRIERS), make(rng))) for name, make in MAKERS.items()]
    for path, text in RANDOM_NAMED:
        alphabet, length = rng.choice(((ALNUM, 32), (HEX, 40), (URLSAFE, 43), (BASE64, 40)))
        found.append((f"value in {text}", *_placed((path, text), "q7" + _of(alphabet, length)(rng) + "Z3")))
    found += [(text, path, text) for path, text in PASSWORDS]
    body = "\n".join(_of(BASE64, 64)(rng) for _ in range(12))
    kind = rng.choice(("", "RSA ", "EC ", "OPENSSH "))
    found.append(
        ("private key", "id.pem", f"-----BEGIN {kind}PRIVATE KEY-----\n{body}\n-----END {kind}PRIVATE KEY-----\n")
    )
    return found


def _placed(carrier: tuple[str, str], secret: str) -> tuple[str, str]:
    return carrier[0], carrier[1].format(secret)
