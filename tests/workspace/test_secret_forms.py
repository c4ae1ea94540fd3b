"""Secrets in every form that text gives them: scripts, typed declarations, XML, SQL, URLs, headers, tables (fault T10)."""

import pytest

from dce.workspace.outbound.secrets import CONTROL, scan

TYPED = "Tr0ub4" + "dor3xyz"
GENERATED = "UmAMxD4SDgf4aBQCCV2M" + "HCws7DwcVqk06hdfd2sx"
RANDOM = "8f3c1d9b7a6e4f2d" + "8c0b5a9e3f7d1c6b"

FOUND = (
    ("a.sh", "HEROKU_API_KEY=3f9d2c1a-abcd-4ef0-9abc-5b7790de12ab"),
    ("a.sh", "docker run -e DB_PASSWORD=@TYPED@ img"),
    ("a.sh", "docker run -eDB_PASSWORD=@TYPED@ img"),
    ("a.sh", "A=1 PGPASSWORD=@TYPED@ psql"),
    ("a.sh", "PGPASSWORD='@TYPED@' psql -h x"),
    ("a.sh", "export A=1 API_TOKEN=@GENERATED@"),
    ("Dockerfile", "ENV A=b API_TOKEN=@GENERATED@"),
    ("Dockerfile.dev", "ENV API_TOKEN @GENERATED@"),
    ("a.bat", "setx API_KEY @GENERATED@"),
    ("a.bat", 'set "DB_PASSWORD=@TYPED@"'),
    ("a.cmd", "SET DB_PASSWORD=@TYPED@"),
    ("a.ps1", '$env:DB_PASSWORD = "@TYPED@"'),
    ("a.ps1", '$Password = "@TYPED@"'),
    ("a.fish", "set -gx API_TOKEN @GENERATED@"),
    ("a.rs", 'static API_KEY: &\'static str = "@GENERATED@";'),
    ("a.rs", 'const TOKEN: Option<&str> = Some("@GENERATED@");'),
    ("a.rs", 'let api_key = String::from("@GENERATED@");'),
    ("a.swift", 'let apiKey: String? = "@GENERATED@"'),
    ("a.cs", 'public string Password { get; set; } = "@TYPED@";'),
    ("a.php", "define('API_KEY', '@GENERATED@');"),
    ("a.php", "putenv('DB_PASSWORD=@TYPED@');"),
    ("a.h", '#define DB_PASSWORD "@TYPED@"'),
    ("a.c", 'setenv("DB_PASSWORD", "@TYPED@", 1);'),
    ("a.py", 'os.environ.setdefault("API_KEY", "@GENERATED@")'),
    ("a.xml", "<db:password>@TYPED@</db:password>"),
    ("a.xml", '<property name="password" value="@TYPED@"/>'),
    ("a.xml", '<property name="db.password">@TYPED@</property>'),
    ("a.xml", "<apiKey>@GENERATED@</apiKey>"),
    ("a.xml", "<password type='x'>@TYPED@</password>"),
    ("a.plist", "<key>API_KEY</key>\n<string>@GENERATED@</string>"),
    ("a.xml", '<user name="bob" password="@TYPED@"/>'),
    ("a.json", '{"name": "DB_PASSWORD", "value": "@TYPED@"}'),
    ("a.yaml", "- name: DB_PASSWORD\n  value: @TYPED@"),
    ("a.yaml", '- name: API_TOKEN\n  value: "@GENERATED@"'),
    ("a.sql", "ALTER USER x PASSWORD '@TYPED@';"),
    ("a.sql", "CREATE USER 'a'@'%' IDENTIFIED WITH mysql_native_password BY '@TYPED@';"),
    ("a.sql", "CREATE LOGIN x WITH PASSWORD = '@TYPED@'"),
    ("a.sql", "SET PASSWORD FOR x = PASSWORD('@TYPED@')"),
    ("a.http", "X-Auth-Token: @GENERATED@"),
    ("a.py", 'headers = {"X-Auth-Token": "@GENERATED@"}'),
    ("a.sh", 'curl -H "PRIVATE-TOKEN: @GENERATED@" u'),
    ("a.sh", "curl -H 'Authorization: token @RANDOM@' u"),
    ("a.sh", "curl -H 'Authorization: @GENERATED@' u"),
    ("a.js", 'fetch("https://x/y?key=@GENERATED@&a=b")'),
    ("a.md", "https://x/y?user=a&amp;token=@GENERATED@"),
    ("a.txt", "https://bob:@TYPED@@x.com"),
    ("a.tf", 'variable "db_password" {\n  type = string\n  default = "@TYPED@"\n}'),
    ("a.tf", 'password = "@TYPED@"'),
    (".pgpass", "h:5433:db:bob:@TYPED@"),
    (".pgpass", "*:*:*:bob:@TYPED@"),
    ("htpasswd", "bob:$2y$05$abcXYZefGhIjklmnopqrstuvwxyz0192837465ABCDE"),
    ("a.txt", "passwd=@TYPED@\r\n"),
    ("a.txt", "x\rDB_PASSWORD=@TYPED@\ry"),
    ("a.txt", "password: 8734629183746"),
    ("a.txt", "x\rpasswd=@TYPED@\ry"),
    ("a.env", "DB_PASSWORD=a(b)c#9!xQ"),
    ("a.sh", "DB_PASSWORD=Tr0ub4dor(3x"),
    ("a.ini", "[x]\npassword=@TYPED@ ; note"),
    ("a.properties", "db.password=@TYPED@"),
    ("a.cfg", "DB_PASSWORD=ab,c9!xQ"),
    ("a.sh", "unzip -P @TYPED@ x.zip"),
    ("a.sh", "7z a -p@TYPED@ x.7z f"),
    ("a.sh", "openssl enc -aes-256-cbc -passin pass:@TYPED@"),
    ("a.sh", "keytool -storepass @TYPED@ -alias x"),
    ("a.sh", "echo '@TYPED@' | sudo -S ls"),
    ("a.sh", "echo @TYPED@ | docker login --password-stdin"),
    ("a.sh", "wget --http-password=@TYPED@ u"),
    ("a.sh", "ldapsearch -D cn=x -w @TYPED@ -b y"),
    ("Makefile", "API_TOKEN := @GENERATED@"),
    ("Makefile", "\texport DB_PASSWORD=@TYPED@ && run"),
    ("a.gradle", 'password "@TYPED@"'),
    ("a.rb", 'password "@TYPED@"'),
    ("noext", "SECRET_KEY=@GENERATED@"),
    ("a.sh", "if true; then DB_PASS=@TYPED@; fi"),
    ("crontab", "MAILPASS=@TYPED@"),
    ("a.service", "Environment=DB_PASSWORD=@TYPED@"),
    ("a.service", 'Environment="DB_PASSWORD=@TYPED@"'),
    ("a.yml", "environment:\n  - DB_PASSWORD=@TYPED@"),
    ("a.yml", "  run: export DB_PASSWORD=@TYPED@"),
    ("a.go", 'os.Setenv("API_TOKEN", "@GENERATED@")'),
    ("a.java", 'System.setProperty("db.password", "@TYPED@");'),
    ("a.java", 'private static final String PASSWORD = "@TYPED@";'),
    ("a.kt", 'password("@TYPED@")'),
    ("a.cpp", 'const char* password = "@TYPED@";'),
    ("a.cpp", 'const char api_key[] = "@GENERATED@";'),
    ("a.pl", "my $password = '@TYPED@';"),
    ("a.pas", "Password := '@TYPED@';"),
    ("a.vb", 'Dim Password As String = "@TYPED@"'),
)
"""Paths and texts, each with one secret; `@TYPED@` and the like stand for values."""

HARMLESS = (
    ("a.sh", "DB_PASSWORD=changeme"),
    ("a.sh", "DB_PASSWORD=$VAR1"),
    ("a.sh", "DB_PASSWORD=${VAR1}"),
    ("a.sh", "DB_PASSWORD=$(cat /run/x1)"),
    ("a.sh", "DB_PASSWORD=`cat x1`"),
    ("a.sh", "DB_PASSWORD=<password1>"),
    ("a.sh", "DB_PASSWORD=example123"),
    ("a.sh", "DB_PASSWORD=xxxxxx1"),
    ("a.sh", "DB_PASSWORD="),
    ("a.py", "password=None"),
    ("a.md", "password = get_password(1)"),
    ("a.md", "password = settings.password2"),
    ("a.txt", "token: string value 2"),
    ("a.txt", "password=getpass1()"),
    ("a.sh", "PGPASSWORD=$PGPASSWORD2 psql"),
    ("a.sh", 'TOKEN="$1"'),
    ("a.bat", "set API_KEY=%API_KEY%"),
    ("Dockerfile", "ENV API_TOKEN $TOKEN1"),
    ("Dockerfile", "ARG API_TOKEN"),
    ("a.xml", "<password>changeme</password>"),
    ("a.xml", "<password>${db.password1}</password>"),
    ("a.xml", "<token>identifier</token>"),
    ("a.h", '#define TOKEN_NAME "x-token1"'),
    ("a.h", "#define MAX_TOKEN 1024"),
    ("a.rs", "fn f(token: &str, key: &str) -> String {"),
    ("a.ts", "function f(token: string, name = 'abcdef12') {}"),
    ("a.md", "https://x.com/?q=1&sort_key=created_at"),
    ("a.md", "https://x/?api_key=YOUR_API_KEY"),
    ("a.md", "https://x/?token=<token>"),
    ("a.py", 'getattr(x, "password", "default")'),
    ("a.py", 'fields = ["username", "password", "email2"]'),
    ("a.py", 'parser.add_argument("--password", help="x1")'),
    ("a.sql", "IDENTIFIED BY '${PW}'"),
    ("a.md", "| password | string |"),
    ("a.md", "The password is required1"),
    ("a.md", "password is checked."),
    ("a.rs", "let x: Foo<S> = y;"),
    ("a.java", "Set<s> x;"),
    ("a.html", "<s>a</s>"),
    ("a.fs", "let f = a <| b |> c"),
    ("a.rs", "|a| a|>b"),
    ("a.ex", "x |> y <> z |> w"),
    ("a.sh", "zip -r x.zip mypath1"),
    ("a.sh", "mkdir -p zip /a1"),
    ("a.sh", "gzip -p4 x"),
    ("a.go", "token := p.next2()"),
    ("a.yml", "password: ${{ secrets.DB_PASSWORD2 }}"),
    ("a.md", "PASSWORD=<your-password-1>"),
    ("a.txt", "nginx: proxy_pass http://x1"),
    ("a.md", "user:pass@host1"),
    ("a.txt", "2022-10-10 key: 12:13"),
    ("a.html", '<input name="password" value="">'),
    ("a.sh", "passwd=/etc/passwd1"),
    ("a.md", "export OPENAI_API_KEY=sk-..."),
    ("a.py", 'x = {"token": token, "value": "abc"}'),
    ("a.md", "- `--token`: token1"),
    ("a.css", ".token:hover1{}"),
    ("a.vue", '<div :token="abc1">'),
    ("a.rst", ":param token: token2"),
    (".env", "password=get_pw1(x)"),
    ("a.py", "if data['password'] != data['confirm']:"),
    ("a.txt", "# storepass must be at least 6 characters long"),
    ("a.md", "https://example.com/path?access_token=h480djs93hd8"),
)
"""References, placeholders, prose and code."""


@pytest.mark.parametrize(("path", "text"), FOUND)
def test_a_secret_is_found_in_every_form(path: str, text: str) -> None:
    """There is one finding, and its excerpt shows no value."""
    for name, value in (("@TYPED@", TYPED), ("@GENERATED@", GENERATED), ("@RANDOM@", RANDOM)):
        text = text.replace(name, value)
    (finding,) = scan(text, path)
    assert not any(value in finding.masked for value in (TYPED, GENERATED, RANDOM))


@pytest.mark.parametrize(("path", "text"), HARMLESS)
def test_placeholders_prose_and_code_are_left_alone(path: str, text: str) -> None:
    """What stands where a secret could, but is none, is not a finding."""
    assert scan(text, path) == ()


@pytest.mark.parametrize(
    "token",
    [
        *(
            "<s>",
            "<unk>",
            "<pad>",
            "[gMASK]",
            "<fim_prefix>",
            "<fim_suffix>",
            "<tool_call>",
            "</tool_call>",
            "<seed:bos>",
        ),
        *("]~b]", "]~!b[", "[e~[", "<|turn>", "<turn|>", "<reponame>", "<SPECIAL_12>", "<extra_id_1>", "<|im_end |>"),
        *("<unused12>", "<file_sep>", "<start_of_image>", "<channel|>", "<|think>"),
    ],
)
def test_newer_control_tokens_are_known(token: str) -> None:
    """Control tokens of further model families are findings, shown verbatim."""
    assert [(each.rule, each.masked) for each in scan(f"foo {token} bar\n", "a.py")] == [(CONTROL, token)]


def test_a_role_counts_only_with_a_templates_word() -> None:
    """`<role>` is usage text; `<role>HUMAN` is a turn."""
    assert scan("dce keys add --role <role>\n", "a.md") == ()
    assert [each.rule for each in scan("<role>HUMAN</role>\n", "a.md")] == [CONTROL]


@pytest.mark.parametrize("head", ["", "export ", "set ", "ENV ", "  - ", "$env:", "A=1 ", "docker run -e "])
@pytest.mark.parametrize("name", ["run.sh", "notes.txt", "notes.md", "build", "Dockerfile", "a.ini", "[cycle 3]"])
def test_an_unquoted_value_counts_in_every_text_file(head: str, name: str) -> None:
    """A password assigned without quotes is found whatever the file, and hidden whole, with marks and brackets in it."""
    (finding,) = scan(f"{head}DB_PASSWORD={TYPED}&(x\n", name)
    assert finding.masked.endswith(f"({len(TYPED) + 3} characters)")
