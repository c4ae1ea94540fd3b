"""asking.py: how a runner is asked for more than it prints, without changing what the user's command does."""

import pytest

from dce.workspace.judging.results.asking import ask, is_fail_fast


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        ("python -m unittest", "python -m unittest -v"),
        ("python3.12 -m unittest discover -s tests", "python3.12 -m unittest discover -s tests -v"),
        ("python -m unittest -v", "python -m unittest -v"),
        ("python -m unittest -q", "python -m unittest -q"),
        (
            "npx --no-install vitest run",
            "npx --no-install vitest run --reporter=default --reporter=junit --outputFile.junit=/t/dce-report-vitest.xml",
        ),
        ("vitest run --reporter=dot", "vitest run --reporter=dot"),
        ("node_modules/.bin/jest a", "node_modules/.bin/jest a --json --outputFile=/t/dce-report-jest.json"),
        ("jest -- a", "jest --json --outputFile=/t/dce-report-jest.json -- a"),
        ("npx --no-install ava a.js", "npx --no-install ava --tap a.js"),
        ("go test ./...", "go test -v ./..."),
        ("go test -json ./...", "go test -json ./..."),
        ("go build ./...", "go build ./..."),
        ("prove -l t", "prove -v -l t"),
        (
            "bundle exec rspec",
            "bundle exec rspec --format progress --format json --out /t/dce-report-rspec.json",
        ),
        ("vendor/bin/phpunit x", "vendor/bin/phpunit --log-junit /t/dce-report-phpunit.xml x"),
        ("dotnet test A.sln", "dotnet test --logger console;verbosity=normal A.sln"),
        ("npm test", "npm test"),
        ("make test", "make test"),
        ("cargo test", "cargo test"),
        ("npx", "npx"),
    ],
)
def test_commands(command: str, asked: str) -> None:
    """Flags are added to a runner that the command starts directly, unless it has its own; no other command is changed."""
    assert " ".join(ask(command.split(), "/t").command) == asked


def test_pytest_is_asked_by_the_environment() -> None:
    """pytest writes a report whoever starts it; a PYTEST_ADDOPTS that the check names is the user's and stays as it is."""
    found = ask(["make", "test"], "/t")
    assert found.variables == {"PYTEST_ADDOPTS": "--junit-xml=/t/dce-report-pytest_addopts.xml -o junit_family=xunit1"}
    assert found.reports == ("dce-report-pytest_addopts.xml",)
    own = ask(["make", "test"], "/t", ["PYTEST_ADDOPTS"])
    assert (own.variables, own.reports) == ({}, ())


@pytest.mark.parametrize(
    ("command", "expected"),
    [
        ("python -m pytest -x", True),
        ("pytest --maxfail=1", True),
        ("python -m unittest -f", True),
        ("go test -failfast ./...", True),
        ("npx mocha --bail", True),
        ("ctest --stop-on-failure", True),
        ("python -m pytest -q", False),
        ("tar -x -f a", False),
        ("npm test", False),
    ],
)
def test_commands_that_end_at_the_first_failure(command: str, expected: bool) -> None:
    """A runner's own flags tell that it ends early; the same letters of another program do not."""
    assert is_fail_fast(command.split()) is expected
