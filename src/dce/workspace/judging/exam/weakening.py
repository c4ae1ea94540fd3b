"""Tells what changed about one file of the exam: weakened, changed or added, with the reason in words. Pure."""

import re
from collections.abc import Collection

from dce.workspace.judging.exam.test_change import Kind
from dce.workspace.judging.exam.test_facts import FileFacts, TestFacts, facts_of

MAX_NAMED = 3
"""How many tests a reason names."""

_ESCAPES = re.compile(
    r"os\._exit|sys\.exit|pytest\.exit|process\.exit|os\.Exit|collect_ignore|pytest_ignore_collect|pytest_collection_modifyitems|pytest_runtest|pytest_pyfunc_call"
    r"|pytest_sessionfinish|pytest_cmdline|pytest_collect|pytest_itemcollected|pytest_report|exitstatus|addopts|testpaths|norecursedirs|python_files"
    r"|python_classes|python_functions|--ignore|--deselect|--co\b|--collect-only|(?<![\w-])-[km][ =\"']|--maxfail|--exitfirst|--no-header|-p[ =]?no:"
    r"|passWithNoTests|pass-with-no-tests|testPathIgnorePatterns|modulePathIgnorePatterns|testMatch|testRegex|testRunner|globalSetup|name-pattern"
    r"|\bexclude\b|\binclude\b|--run\b|--passWithNoTests|-run[ =]|-skip[ =]|skipTests|skipITs|test\.skip|testFailureIgnore|ignoreFailures|failIfNoTests"
    r"|enabled\s*=\s*false|onlyIf|\|\|\s*(?:true|:)|;\s*(?:true|exit 0)|\bexit 0\b|autotests|harness|\b(?:doc)?test\s*=\s*[Ff]alse|runner\s*=|rustc-wrapper|script-shell|WILL_FAIL|DISABLED"
    r"|^\t@?(?:true|:|echo\b.*)$|=\s*['\"](?:true|echo\b[^'\"]*|exit 0|:|)['\"]\s*$|excludeGroups|per-file-ignores|ignore_errors"
    r"|\bignore\b|\bdisable\b|(?<![\w-])-p[ =]\w|--require\b|--import\b|--loader\b|NODE_OPTIONS|PYTEST_\w+|LD_PRELOAD|javaagent|\bpassed\b",
    re.MULTILINE,
)
"""What can keep tests from running, or their failures from being seen."""

_HOOKS = re.compile(
    r"\bdef (pytest_\w+)|autouse\s*=\s*True|\bmonkeypatch\b|\bmock\b|\bpatch\b|sys\.modules|setattr\(|__import__|globals\(\)"
)


def of_tests(path: str, before: str | None, after: str | None, elsewhere: Collection[str] = ()) -> tuple[Kind, str]:
    """What happened to a test file. `elsewhere`: the names of tests in the answer's other test files, where some may have moved to."""
    old = facts_of(path, before) if before is not None else FileFacts()
    new = facts_of(path, after) if after is not None else FileFacts()
    gone = [name for name in old.tests if name not in new.tests and name not in elsewhere]
    if after is None:
        if not old.tests:
            return ("changed", "deleted")
        return ("weakened", f"deleted, with {_counted(len(gone), 'test')}") if gone else ("changed", "its tests moved")
    if before is None:
        return "added", _counted(len(new.tests), "test") if new.tests else "new"
    fresh = [name for name in new.tests if name not in old.tests]
    reasons = [
        reason for name in old.tests if name in new.tests for reason in _weaker(name, old.tests[name], new.tests[name])
    ]
    reasons += _weaker("the file", old.whole, new.whole)
    if gone and (
        len(fresh) < len(gone) or (not any(new.tests[name].asserts for name in fresh) and path.endswith(".py"))
    ):
        reasons.insert(0, f"{len(gone)} of {_counted(len(old.tests), 'test')} gone: {_names(gone)}")
    if reasons:
        return "weakened", "; ".join(reasons[:MAX_NAMED])
    if gone:
        return "changed", f"{_names(gone)} gone, {_names(fresh)} new"
    if fresh and _is_kept(before, after):
        return "added", _counted(len(fresh), "test")
    return (
        "changed",
        "the same tests, with other contents"
        if not fresh
        else f"other contents, and {_counted(len(fresh), 'new test')}",
    )


def of_configuration(path: str, before: str | None, after: str | None) -> tuple[Kind, str]:
    """What happened to a file or section that configures the checks."""
    if after is None:
        return "changed", "deleted"
    name = path.lower().rpartition("/")[2]
    if before is None and _RUNNER.search(f"/{path.lower()}"):
        return "weakened", "it takes the place of the test runner"
    if escapes := _more(_ESCAPES, before or "", after):
        return "weakened", f"it can keep tests from running or failing: {', '.join(escapes[:MAX_NAMED])}"
    if hooks := _more(_HOOKS, before or "", after):
        return "changed", f"it acts on every test: {', '.join(hooks[:MAX_NAMED])}"
    if before is not None:
        return "changed", "other settings for the checks"
    return ("added", "new") if name in _HOLDS_FIXTURES else ("changed", "new configuration of the checks")


_RUNNER = re.compile(
    r"/(?:_?pytest|unittest|pluggy|iniconfig|doctest)(?:\.py$|/)|/(?:sitecustomize|usercustomize)\.py$|/(?:site-packages|node_modules)/|\.pth$"
)
"""Files that are imported or started in place of a runner, or before it."""

_HOLDS_FIXTURES = frozenset({"conftest.py", "spec_helper.rb", "rails_helper.rb"})
"""Configuration that tests often need: new fixtures are no change of those that are there."""


def _weaker(name: str, old: TestFacts, new: TestFacts) -> list[str]:
    reasons = []
    if new.skips > old.skips:
        reasons.append(f"{name} is skipped" if name != "the file" else "more is skipped")
    if old.asserts and not new.asserts:
        reasons.append(f"{name} checks nothing")
    elif new.asserts < old.asserts:
        reasons.append(f"{name} checks less: {new.asserts} of {old.asserts}")
    elif new.exact < old.exact and new.asserts == old.asserts:
        reasons.append(f"{name} compares less exactly")
    if new.cases < old.cases:
        reasons.append(f"{name} has {new.cases} of {old.cases} cases")
    if new.swallows > old.swallows:
        reasons.append(f"{name} ignores errors")
    return reasons


def _is_kept(before: str, after: str) -> bool:
    """Whether every line is still there, in order."""
    rest = iter([line.strip() for line in after.splitlines()])
    return all(line.strip() in rest for line in before.splitlines() if line.strip())


def _more(pattern: re.Pattern[str], before: str, after: str) -> list[str]:
    """What occurs more often than before, in order."""
    old = [found[0].strip() for found in pattern.finditer(before)]
    fresh = []
    for found in (found[0].strip() for found in pattern.finditer(after)):
        if found in old:
            old.remove(found)
        elif found and found not in fresh:
            fresh.append(found)
    return fresh


def _counted(count: int, word: str) -> str:
    return f"{count} {word}{'s' * (count != 1)}"


def _names(names: list[str]) -> str:
    more = f" and {len(names) - MAX_NAMED} more" if len(names) > MAX_NAMED else ""
    return ", ".join(names[:MAX_NAMED]) + more
