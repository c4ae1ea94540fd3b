"""command_consent.py: commands run only after the user has agreed to them as they are."""

from pathlib import Path

import msgspec
import pytest

from dce.wire.errors import DceError
from dce.workspace.judging.checks_file import Check, ChecksFile
from dce.workspace.judging.command_consent import CommandConsents, commands_of
from dce.workspace.judging.lanes.settings import LaneSettings
from tests.workspace.judging import Bench

FILE = ChecksFile(check=(Check(name="t", command=("pytest", "-q", "a b")),))


def test_consent_is_for_these_commands_in_this_kind_of_lane(tmp_path: Path) -> None:
    """Once given it holds, also for another name or deadline; other commands, variables, paths or another kind of lane ask again."""
    bench = Bench(tmp_path)
    consents = CommandConsents(bench.store.meta)
    commands = commands_of(FILE, "overlay", "")
    with pytest.raises(DceError) as caught:
        consents.require(commands)
    assert caught.value.code == "consent_needed"
    assert "pytest -q 'a b'" in caught.value.message
    assert "--yes" in caught.value.hint
    consents.give(commands)
    consents.require(commands)
    renamed = ChecksFile(check=(Check(name="other", command=("pytest", "-q", "a b"), timeout_s=5),))
    assert consents.covers(commands_of(renamed, "overlay", ""))
    changed = (
        ChecksFile(check=(Check(name="t", command=("pytest", "-q", "a", "b")),)),
        ChecksFile(check=(Check(name="t", command=("pytest", "-q", "a b"), env=("TOKEN",)),)),
        *(
            msgspec.structs.replace(FILE, lane=LaneSettings(**settings))
            for settings in ({"network": True}, {"link": ("~/.aws",)}, {"copy": ("~/x",)}, {"setup": (("make",),)})
        ),
    )
    for file in changed:
        assert not consents.covers(commands_of(file, "overlay", "")), file
    assert not consents.covers(commands_of(FILE, "copy", "no namespaces"))
    assert consents.covers(commands_of(msgspec.structs.replace(FILE, lane=LaneSettings(memory="1G")), "overlay", ""))


def test_the_question_says_what_contains_the_commands() -> None:
    """A copy is no sandbox, and why it is one is said; whether the lanes have a network is named."""
    assert "not in a sandbox (no namespaces)" in commands_of(FILE, "copy", "no namespaces.").containment()
    assert "without network access" in commands_of(FILE, "overlay", "").containment()
    networked = msgspec.structs.replace(FILE, lane=LaneSettings(network=True, setup=(("npm", "ci"),)))
    described = commands_of(networked, "overlay", "").describe()
    assert described.startswith("npm ci; pytest")
    assert "with network access" in described
