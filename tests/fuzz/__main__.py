"""`python -m tests.fuzz TARGET SECONDS [-OPTION=VALUE…]`: atheris on one target, guided by the coverage of dce's own code.

The options are libFuzzer's. Without `-seed=N` every run looks elsewhere.
"""

import logging
import sys
import tempfile
from pathlib import Path

import atheris


def main() -> None:
    """Runs until the time is up; ends with an error and the input's file when something broke."""
    name, seconds, *further = sys.argv[1:]
    with atheris.instrument_imports(include=["dce"]):
        from tests.fuzz.targets import SEEDS, TARGETS  # noqa: PLC0415 - imported here so that it is instrumented
    logging.disable()  # what is refused is logged, thousands of times a second
    with tempfile.TemporaryDirectory() as corpus:
        for at, seed in enumerate(SEEDS[name]):
            (Path(corpus) / str(at)).write_bytes(seed)
        options = [f"-max_total_time={seconds}", "-max_len=4096", "-print_final_stats=1", "-timeout=60", *further]
        options.append(f"-artifact_prefix={tempfile.gettempdir()}/dce-fuzz-{name}-")
        atheris.Setup([sys.argv[0], *options, corpus], TARGETS[name])
        atheris.Fuzz()


if __name__ == "__main__":
    main()
