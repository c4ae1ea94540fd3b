"""Classes of answers: who agrees, who is best supported, and the sentence that says so."""

import json

from dce.workspace.judging.behaviour.classes import compare, ranked
from dce.workspace.judging.behaviour.probe import Outcome
from tests.workspace.probing import steps

PROBES = (steps("f(1)"), steps("f((5, 5))"))


def value(text: str, cpu_s: float = 0.0) -> Outcome:
    return Outcome(kind="value", text=text, shown=text, cpu_s=cpu_s)


def results(**answers: tuple[Outcome, Outcome]) -> dict[int, dict[str, Outcome]]:
    return {
        int(slot[1:]): {probe.id: outcome for probe, outcome in zip(PROBES, found, strict=True)}
        for slot, found in answers.items()
    }


def test_answers_that_behave_alike_are_a_class_and_the_largest_comes_first() -> None:
    """The table shows the probe that separates them, and the sentence names it."""
    found = compare(
        PROBES,
        results(
            s1=(value("1"), value("a")),
            s2=(value("1"), value("b")),
            s4=(value("1"), value("b")),
            s9=(value("1"), value("b")),
        ),
    )
    assert [members.slots for members in found.classes] == [(2, 4, 9), (1,)]
    assert ranked(found) == (2, 4, 9, 1)
    assert (found.probes, found.deciding) == (2, 1)
    assert found.sentence == "3 of 4 agree; 1 differs on `f((5, 5))`."
    assert found.rows[0].cells == {1: "a", 2: "b", 4: "b", 9: "b"}


def test_an_answer_that_agrees_mostly_is_above_one_that_agrees_nowhere() -> None:
    """Support counts probe by probe, so that one odd result does not put an answer with the worst."""
    found = compare(
        PROBES,
        results(
            s1=(value("0"), value("x")),
            s2=(value("1"), value("c")),
            s3=(value("1"), value("b")),
            s4=(value("1"), value("b")),
        ),
    )
    assert ranked(found) == (3, 4, 2, 1)


def test_unstable_results_decide_nothing() -> None:
    """A probe that is unstable for most answers is left out."""
    odd = Outcome(kind="unstable", text="unstable", shown="")
    found = compare(PROBES, results(s1=(value("1"), odd), s2=(value("1"), odd), s3=(value("1"), value("b"))))
    assert len(found.classes) == 1
    assert found.sentence == "All 3 behave alike on 2 probes."


def test_an_answer_that_is_far_slower_is_a_class_of_its_own() -> None:
    """The same value after a hundred times the time is not the same behaviour; small differences are."""
    found = compare(
        PROBES,
        results(s1=(value("1", 0.01), value("b")), s2=(value("1", 0.02), value("b")), s3=(value("1", 2.0), value("b"))),
    )
    assert [members.slots for members in found.classes] == [(1, 2), (3,)]


def test_without_two_answers_there_is_nothing_to_compare() -> None:
    """One answer, and answers that all differ, are said to be so."""
    assert compare(PROBES, results(s1=(value("1"), value("b")))).sentence.startswith("One answer")
    found = compare(PROBES, results(s1=(value("1"), value("b")), s2=(value("2"), value("c"))))
    assert found.sentence == "No two of 2 behave alike; they differ on 2 of 2 probes."


def test_what_was_not_run_says_nothing() -> None:
    """An answer whose time was used up is judged by what ran, and no difference is shown that nobody saw."""
    late = Outcome(kind="not run", text="not run", shown="not run")
    found = compare(
        PROBES,
        results(
            s1=(value("1"), late), s2=(value("1"), value("b")), s3=(value("1"), value("b")), s4=(value("2"), value("c"))
        ),
    )
    assert found.support[1] == 0.75  # three of four, on the one probe that ran
    assert found.sentence.startswith("2 of 4 agree; ")
    assert "4 differs on `f(1)`" in found.sentence
    alone = compare(PROBES, results(s1=(value("1"), late), s2=(value("1"), value("b"))))
    assert alone.deciding == 0


def shown(*seen: tuple[str, str], after: tuple[str, ...] = (), printed: str = "") -> Outcome:
    return Outcome(
        kind="raised" if seen[-1][0] == "raised" else "value",
        text=json.dumps([seen, after, printed, [], ""]),
        shown=seen[-1][1],
    )


def test_broken_answers_that_agree_have_no_support() -> None:
    """Three that raise or give None on every probe are below one that gives values; what is printed or changed is a result."""
    raises, none, one = shown(("raised", "NameError")), shown(("value", "None")), shown(("value", "1"))
    found = compare(PROBES, results(s1=(raises, none), s2=(raises, none), s3=(raises, none), s4=(one, one)))
    assert found.support[4] > found.support[1] == found.support[2] == found.support[3] == 0.0
    assert ranked(found)[0] == 4
    for trace in (shown(("value", "None"), printed="x"), shown(("value", "None"), after=("a = [1]",))):
        assert compare(PROBES, results(s1=(trace, none), s2=(trace, none), s3=(one, one))).support[1] > 0.0
    assert set(compare(PROBES, results(s1=(raises, none), s2=(raises, none))).support.values()) == {1.0}
