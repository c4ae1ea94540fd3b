"""The simplest lane: a folder of its own and a plain subprocess. It contains nothing: only for answers that one has read, or in a
container."""

import os
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

MAX_OUTPUT_BYTES = 64 * 1024**2


class LocalLane:
    """Runs commands in a folder; the temporary folder is beside it."""

    def __init__(self, base: Path) -> None:
        self.root = base / "root"
        self.tmp = self.written_tmp = base / "tmp"
        for folder in (self.root, self.tmp):
            folder.mkdir()

    async def run(self, command: Sequence[str], *, variables: Mapping[str, str], timeout_s: float) -> None:
        """Runs a command and drops what it prints."""
        self.output(command, variables=variables, timeout_s=timeout_s)

    def output(self, command: Sequence[str], *, variables: Mapping[str, str], timeout_s: float) -> bytes:
        """The command's standard output; what there is of it, if the command was killed at the deadline."""
        kept = {name: os.environ[name] for name in ("PATH", "LANG", "HOME") if name in os.environ}
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env={**kept, **variables},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
            try:
                with suppress(subprocess.TimeoutExpired):
                    process.wait(timeout_s)
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            return output.read(MAX_OUTPUT_BYTES)


@contextmanager
def local_lane(files: Mapping[str, str]) -> Iterator[LocalLane]:
    """A lane that holds these files and is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="dce-judging-") as folder:
        lane = LocalLane(Path(folder))
        for path, text in files.items():
            target = lane.root / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(text, "utf-8", newline="")
        yield lane
