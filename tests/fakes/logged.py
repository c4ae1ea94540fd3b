"""What a gateway in this process has logged, as its lines are written."""

import pytest

from dce.gateway.logs import JsonLines


def logged(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The gateway's own lines so far, oldest first."""
    return [JsonLines().format(record) for record in list(caplog.records) if record.name == "dce.gateway"]
