"""Secrets are found where they leak, and ordinary code is not flagged (fault P14)."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dce.workspace.outbound.secrets import MAX_FINDINGS, hits, scan
from tests.workspace.planted_secrets import ALNUM, HARMLESS, planted

MIN_RECALL = 0.98
SEEDS = range(40)


def test_planted_secrets_are_found() -> None:
    """At least 98 % of secrets planted in code, configuration, notes and logs are found, exactly one in each text."""
    corpus = [entry for seed in SEEDS for entry in planted(seed)]
    missed = [what for what, path, text in corpus if not scan(text, path)]
    assert 1 - len(missed) / len(corpus) >= MIN_RECALL, sorted(set(missed))
    assert [what for what, path, text in corpus if len(scan(text, path)) > 1] == []


@pytest.mark.parametrize(("path", "text"), HARMLESS)
def test_harmless_lines_are_left_alone(path: str, text: str) -> None:
    """Text that only looks like a secret (references, placeholders, hashes, names about secrets) is not a finding."""
    assert scan(text, path) == ()


def test_secrets_amid_code_are_found_at_their_place() -> None:
    """A finding names line and column in characters, and shows neither the secret nor enough to guess it."""
    secret = "ghp_" + "".join(random.Random(1).choices(ALNUM, k=36))
    found = scan(f"# ünïcode 🦊\nx = 1\né = '{secret}'\n", "a.py")
    assert [(item.path, item.line, item.column, item.rule) for item in found] == [("a.py", 3, 6, "github-token")]
    assert secret[8:] not in repr(found)
    assert found[0].masked == "ghp_… (40 characters)"


def test_the_same_secret_has_the_same_fingerprint() -> None:
    """A fingerprint depends only on the value, so that allowing it once allows it everywhere."""
    secret = "glpat-" + "".join(random.Random(2).choices(ALNUM, k=20))
    first, second = scan(secret, "a")[0], scan(f"\n\n token: '{secret}' ", "b")[0]
    assert first.fingerprint == second.fingerprint
    assert first.fingerprint != scan(secret[::-1][:20] + " glpat-" + secret[6:][::-1])[0].fingerprint


def test_findings_have_a_limit() -> None:
    """A dump of keys gives a limited number of findings, not one for each line."""
    rng = random.Random(3)
    text = "\n".join("npm_" + "".join(rng.choices(ALNUM, k=36)) for _ in range(3 * MAX_FINDINGS))
    assert len(scan(text)) == MAX_FINDINGS


@given(st.binary(max_size=400), st.sampled_from(["a.py", ".env"]))
def test_any_bytes_can_be_scanned(content: bytes, path: str) -> None:
    """Property: places are inside the text, in order, without overlaps."""
    end = 0
    for hit in hits(b"password = " + content + b"\ntoken: '" + content + b"'", path):
        assert end <= hit.start < hit.end <= 2 * len(content) + 21
        end = hit.end
