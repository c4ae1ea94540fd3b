"""Mistyped names."""

import pytest

from dce.wire.nearest import MODEL_CUTOFF, advice, did_you_mean, nearest


@pytest.mark.parametrize(
    ("name", "found"),
    [("generat", "generate"), ("generate", "generate"), ("acept", "accept"), ("zzzz", ""), ("", "")],
)
def test_the_nearest_name(name: str, found: str) -> None:
    """A slip of the finger finds the name that was meant; what is like none finds nothing."""
    assert nearest(name, {"generate": 1, "accept": 2}) == found


def test_a_few_letters_find_a_models_name() -> None:
    """Models have long names, so less of one is enough."""
    assert nearest("smollm", ["smollm2-135m-instruct"]) == ""
    assert nearest("smollm", ["smollm2-135m-instruct"], MODEL_CUTOFF) == "smollm2-135m-instruct"
    assert nearest("smollm", [], MODEL_CUTOFF) == ""


def test_the_sentence() -> None:
    """A name is suggested in one sentence, quoted so that odd characters show; without a name nothing is said."""
    assert did_you_mean("a b") == "Did you mean 'a b'?"
    assert did_you_mean("") == ""


def test_advice_has_no_empty_sentences() -> None:
    """Sentences that are empty leave no blanks behind."""
    assert advice("", "One.", "", "Two.") == "One. Two."
    assert advice("", "") == ""
