"""Three-way merge against the prompt's copy."""

from hypothesis import given, settings
from hypothesis import strategies as st

from dce.workspace.accepting.merge import merge3

BASE = "a\nb\nc\nd\ne\nf\n"


def test_edits_apart_are_both_kept() -> None:
    """Changes of both sides in different places are all in the result."""
    merge = merge3(BASE, BASE.replace("a\n", "A\n"), BASE.replace("f\n", "F\n"))
    assert (merge.text, merge.conflicts) == ("A\nb\nc\nd\ne\nF\n", ())


def test_conflicts_are_named_by_the_line_of_the_file_now() -> None:
    """The same line changed on both sides is a conflict, at its line in the present file; conflict marks in the text are not one."""
    ours = "<<<<<<< ours\nnew\n" + BASE.replace("c\n", "C1\n")
    merge = merge3(BASE, ours, BASE.replace("c\n", "C2\n"))
    assert merge.conflicts == (5,)
    assert merge3(BASE, "<<<<<<< ours\n=======\n" + BASE, BASE + "g\n").conflicts == ()


def test_line_ends_and_a_missing_last_newline_are_no_edits() -> None:
    """CRLF against LF, and the newline that an answer's format adds, change nothing."""
    assert merge3("a\r\nb", "x\r\na\r\nb", "a\nb\n").text == "x\na\nb"


TEXT = st.lists(st.sampled_from(["a\n", "b\n", "c\n"]), max_size=6).map("".join)


@settings(deadline=None, max_examples=40)
@given(TEXT, TEXT)
def test_one_side_alone_is_taken(base: str, other: str) -> None:
    """Property: if only one side changed, or both made the same change, that text is the result."""
    for merge in (merge3(base, base, other), merge3(base, other, base), merge3(base, other, other)):
        assert (merge.text, merge.conflicts) == (other, ())
