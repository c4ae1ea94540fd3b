"""words.py: what an answer does to the tests, in sentences."""

from dce.workspace.judging.check_report import OwnTests
from dce.workspace.judging.exam.test_change import TestChange
from dce.workspace.judging.exam.words import exam_words


def test_an_answer_that_leaves_tests_alone_needs_no_word() -> None:
    """No change, no sentence; an own version that says the same as the workspace's adds none."""
    assert exam_words((), None) == []
    assert exam_words((), OwnTests(passed=3, failed=0, new_failures=0)) == []


def test_the_worst_comes_first_and_names_are_few() -> None:
    """Weakened, changed, added; then what the answer's own version leaves out, contradicts, passes and fails."""
    changes = [
        TestChange(path="tests/a.py", kind="added", why="1 test"),
        *(TestChange(path=f"tests/{name}.py", kind="changed", why="new") for name in "bcdef"),
        TestChange(path="pytest.ini", kind="weakened", why="addopts"),
    ]
    own = OwnTests(passed=1, failed=1, new_failures=2, not_run=1, contradicted=("x",), gained=("y",), failures=("z",))
    words = exam_words(changes, own)
    assert words[0] == "weakens tests: pytest.ini (addopts)"
    assert words[1] == "changes tests: tests/b.py (new), tests/c.py (new), tests/d.py (new) and 2 more"
    assert words[2] == "adds tests: tests/a.py (1 test)"
    assert words[3] == "its own version leaves out 1 test of the workspace"
    assert [text.split()[0] for text in words[4:]] == ["contradicts", "passes", "fails"]
    assert exam_words([], OwnTests(passed=0, failed=0, new_failures=0, problem="no lane"))[0].endswith("no lane")
