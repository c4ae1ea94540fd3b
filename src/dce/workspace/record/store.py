"""The workspace's store, `.dce/dce.db`, with an object for each group of tables.

What must always hold: SQL is only in the modules of these objects; `database.py` explains how writes are made durable.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

from dce.workspace.record.acceptances import Acceptances
from dce.workspace.record.base_reports import BaseReports
from dce.workspace.record.behaviours import Behaviours
from dce.workspace.record.blobs import Blobs
from dce.workspace.record.check_reports import CheckReports
from dce.workspace.record.comparisons import Comparisons
from dce.workspace.record.cycles import Cycles
from dce.workspace.record.database import Database
from dce.workspace.record.follow_ups import FollowUps
from dce.workspace.record.generations import Generations
from dce.workspace.record.history import History
from dce.workspace.record.imports import Imports
from dce.workspace.record.judgements import Judgements
from dce.workspace.record.meta import Meta
from dce.workspace.record.picks import Picks
from dce.workspace.record.pictures import Pictures
from dce.workspace.record.progress import Progress
from dce.workspace.record.prompts import Prompts
from dce.workspace.record.responses import Responses
from dce.workspace.record.stop_requests import StopRequests
from dce.workspace.record.token_counts import TokenCounts

STORE_FILE = "dce.db"


class Store:
    """Everything stored for one workspace. Thread-safe. Its members raise DceError store_unreadable, or workspace_locked if another
    process writes for longer than `BUSY_TIMEOUT_S`."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.time) -> None:
        self.path = path
        self.database = Database(path)
        self.meta = Meta(self.database)
        self.stop_requests = StopRequests(self.meta)
        self.token_counts = TokenCounts(self.database)
        self.blobs = Blobs(self.database)
        self.cycles = Cycles(self.database, clock)
        self.prompts = Prompts(self.database)
        self.pictures = Pictures(self.database, self.meta, self.blobs)
        self.generations = Generations(self.database)
        self.responses = Responses(self.database)
        self.follow_ups = FollowUps(self.database)
        self.progress = Progress(self.database, self.responses)
        self.check_reports = CheckReports(self.database)
        self.base_reports = BaseReports(self.database)
        self.judgements = Judgements(self.database)
        self.comparisons = Comparisons(self.database)
        self.behaviours = Behaviours(self.database)
        self.picks = Picks(self.database)
        self.acceptances = Acceptances(self.database)
        self.history = History(self.database)
        self.imports = Imports(self.database, self.cycles, self.prompts, self.pictures)

    def close(self) -> None:
        """Closes the file."""
        self.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def data_version(self) -> int:
        """A number that changes whenever another connection writes."""
        return self.database.data_version()
