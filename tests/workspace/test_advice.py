"""A prompt that is too long comes with advice on what to cut, and no more than needed."""

from dce.workspace.context.advice import MAX_CUTS, Cut, FileCost, cuts
from dce.workspace.schema.reading import PromptFile

CODE = "def f(x):\n" + "    x = x + 1\n" * 200
DATA = "1, 2, 3, 4\n" * 20


def _cuts(sizes: dict[str, tuple[str, int]], over: int) -> tuple[Cut, ...]:
    files = [PromptFile(path=path, text=text, sha256="") for path, (text, _) in sizes.items()]
    costs = [FileCost(path=path, tokens=tokens, exact=True, detail="full") for path, (_, tokens) in sizes.items()]
    return cuts(files, costs, over)


def test_nothing_is_cut_from_what_fits() -> None:
    """There is no advice for a prompt within its budget, nor if removing all files would not be enough."""
    assert _cuts({"a.py": (CODE, 1000)}, 0) == ()
    assert _cuts({"a.py": (CODE, 1000)}, -5) == ()
    assert _cuts({"a.py": (CODE, 1000)}, 1001) == ()


def test_outlines_come_before_removals() -> None:
    """If outlines suffice, nothing is removed, and only as many as needed are proposed."""
    found = _cuts({"a.py": (CODE, 1000), "b.py": (CODE, 900), "c.csv": (DATA, 500)}, 700)
    assert [(cut.path, cut.change) for cut in found] == [("a.py", "outline")]
    assert found[0].command == "dce select show outline a.py"


def test_the_largest_go_when_outlines_do_not_suffice() -> None:
    """By its own figures, the advice always saves enough."""
    sizes = {"a.py": (CODE, 1000), "b.csv": (DATA, 3000), "c.csv": (DATA, 500)}
    for over in (1500, 3500, 4200, 4500):
        found = _cuts(sizes, over)
        assert sum(cut.saves for cut in found) >= over
        assert len({cut.path for cut in found}) == len(found)
    assert [cut.path for cut in _cuts(sizes, 2999) if cut.change == "remove"] == ["b.csv"]


def test_too_many_changes_are_no_advice() -> None:
    """With hundreds of equal files that would all have to go, the advice is that the selection as a whole is wrong."""
    sizes = {f"{number}.csv": (DATA, 100) for number in range(300)}
    assert _cuts(sizes, 29_000) == ()
    assert 0 < len(_cuts(sizes, 1500)) <= MAX_CUTS
