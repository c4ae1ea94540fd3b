"""`make bench`: runs every scenario (or those named), keeps the raw results, prints the tables.

`python -m bench gateway --quick` is a short look at the gateway's; it is printed and not kept.
"""

import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

from bench import gateway, listing, packing, panel, store

SCENARIOS = {"gateway": gateway, "listing": listing, "packing": packing, "panel": panel, "store": store}
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    """Runs the scenarios; raw results go to bench/results/NAME.json, the tables to bench/results/README.md."""
    if names == ["gateway", "--quick"]:
        print(gateway.table(_stamped(gateway.run(is_quick=True))))
        return 0
    RESULTS.mkdir(exist_ok=True)
    for name in names or list(SCENARIOS):
        print(f"{name} …", file=sys.stderr)
        result = _stamped(SCENARIOS[name].run())
        (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", "utf-8")
    tables = [
        f"## {name}\n\n{SCENARIOS[name].table(json.loads((RESULTS / f'{name}.json').read_text('utf-8')))}\n"
        for name in SCENARIOS
        if (RESULTS / f"{name}.json").is_file()
    ]
    text = (
        "# Benchmark results\n\nMedians of interleaved rounds on one machine; the raw rows are in the JSON files. `make bench` renews them.\n\n"
        + "\n".join(tables)
    )
    (RESULTS / "README.md").write_text(text, "utf-8")
    print("\n".join(tables))
    return 0


def _stamped(result: dict[str, Any]) -> dict[str, Any]:
    """With the day and the machine."""
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    return {**result, "when": time.strftime("%Y-%m-%d"), "machine": machine}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
