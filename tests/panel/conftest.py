"""Every test of the panel also holds that nothing beneath the panel's code blocks the event loop."""

from collections.abc import Iterator

import pytest

from tests.panel.blocking import blocking_forbidden


@pytest.fixture(autouse=True)
def _no_blocking() -> Iterator[None]:
    """Only beneath `dce.panel`: tests run scenes in the panel's loop, and write files and look into the store as they like."""
    with blocking_forbidden(["dce.panel"]):
        yield
