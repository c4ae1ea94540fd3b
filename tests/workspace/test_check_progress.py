"""check_progress.py: what is running and what is done, after each step."""

from dce.workspace.events import ChecksProgress, Event
from dce.workspace.judging.check_progress import Progress


def test_each_step_tells_the_state_after_it() -> None:
    """The workspace first, then slots that run, then slots that are done; a slot is never both."""
    told: list[Event] = []
    progress = Progress(7, 4, told.append)
    progress.finish([4])  # known from before
    progress.check_base()
    progress.begin([2, 1])
    progress.begin([3])
    progress.finish([1, 2])
    progress.finish([3])
    steps = [(event.done, event.running, event.is_base) for event in told if isinstance(event, ChecksProgress)]
    assert steps == [
        (1, (), False),
        (1, (), True),
        (1, (1, 2), False),
        (1, (1, 2, 3), False),
        (3, (3,), False),
        (4, (), False),
    ]


def test_nobody_needs_to_listen() -> None:
    """Without a listener nothing happens."""
    Progress(7, 1, None).finish([1])
