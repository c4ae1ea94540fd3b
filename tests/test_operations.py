"""docs/operations is complete; a backup that was made while the gateway served can be used."""

import re
import subprocess
import sys
from pathlib import Path

from dce.doctor.tree import STEPS
from dce.gateway.access.keys import KeyStore
from dce.gateway.accounting.ledger import open_ledger
from dce.wire.errors import CODES, Hop
from tests.fakes.chain import Chain, eventually

ROOT = Path(__file__).parent.parent
PAGES = sorted((ROOT / "docs" / "operations").glob("*.md"))


def test_every_page_is_in_the_index() -> None:
    """The index leads to each page."""
    index = (ROOT / "docs" / "operations" / "README.md").read_text("utf-8")
    assert not [page.name for page in PAGES if page.name != "README.md" and f"]({page.name})" not in index]


def test_every_error_of_the_hosted_side_has_a_row() -> None:
    """Each error code of gateway, backend and model stands in the table of incidents; the codes named there exist."""
    text = (ROOT / "docs" / "operations" / "incidents.md").read_text("utf-8")
    firsts = " ".join(line.split("|")[1] for line in text.splitlines() if line.startswith("| "))
    named = set(re.findall(r"`([a-z_]+)`", firsts))  # alerts begin with a capital
    hosted = {code for code, row in CODES.items() if row.hop is not Hop.CLIENT} - {"engine_unavailable"}
    assert hosted == named


def test_a_backup_of_a_gateway_that_serves(tmp_path: Path) -> None:
    """A backup made while a stream runs has the key, the limits and the rows; a gateway on the copy takes the same key."""
    copy = tmp_path / "copy"
    with Chain(tmp_path) as chain:
        chain.ask(n=2)
        ledger = chain.server.gateway.ledger
        eventually(lambda: ledger.pending == 0)
        with chain.stream(n=1) as answer:
            answer.until(lambda seen: seen.texts())
            script = [sys.executable, str(ROOT / "deploy" / "backup.py"), str(chain.folder), str(copy)]
            subprocess.run(script, check=True)
        key = chain.key
    keys = KeyStore(copy)
    assert keys.find(key).name == "tester"
    keys.close()
    rows = open_ledger(copy / "ledger.db")
    assert rows.execute("SELECT count(*) FROM responses").fetchone()[0] >= 2
    rows.close()
    assert {oct(path.stat().st_mode & 0o777) for path in copy.iterdir() if path.suffix in ("", ".db")} == {"0o600"}


def test_the_doctors_page_has_a_row_for_each_step() -> None:
    """docs/guide/doctor.md explains each step of the tree, in its order."""
    text = (ROOT / "docs" / "guide" / "doctor.md").read_text("utf-8")
    assert re.findall(r"(?m)^\| `(\w+)` \|", text) == [step.name for step in STEPS]
