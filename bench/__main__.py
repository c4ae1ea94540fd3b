"""`make bench`: runs every scenario (or those named), keeps the raw results, prints the tables.

`python -m bench gateway --quick` is a short look at the gateway's; it is printed and not kept.
"""

import argparse
import json
import platform
import sys
import time
from pathlib import Path
from typing import Any

from bench import gateway, lanes, listing, next_cycle, packing, panel, store

SCENARIOS = {
    "gateway": gateway,
    "lanes": lanes,
    "listing": listing,
    "next_cycle": next_cycle,
    "packing": packing,
    "panel": panel,
    "store": store,
}
RESULTS = Path(__file__).parent / "results"


def main(names: list[str]) -> int:
    """Runs the scenarios; raw results go to bench/results/NAME.json, the tables to bench/results/README.md."""
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
        "# Benchmark results\n\nMedians of interleaved rounds on one machine; the raw data is in the JSON files. `make bench` measures again and"
        " rewrites this page. Other programs were measured in the versions current on the date that each section names.\n\n"
        + "\n".join(tables)
    )
    (RESULTS / "README.md").write_text(text, "utf-8")
    print("\n".join(tables))
    return 0


def _stamped(result: dict[str, Any]) -> dict[str, Any]:
    """With the day and the machine."""
    machine = f"{platform.machine()}, Python {platform.python_version()}"
    return {**result, "when": time.strftime("%Y-%m-%d"), "machine": machine}


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(SCENARIOS)} (default: all)")
    parser.add_argument(
        "--quick", dest="is_quick", action="store_true", help="a short look at the gateway's; printed, not kept"
    )
    given = parser.parse_args()
    unknown = [name for name in given.names if name not in SCENARIOS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}: there are {', '.join(SCENARIOS)}")
    if given.is_quick and given.names != ["gateway"]:
        parser.error("--quick is for the gateway's alone")
    return given


if __name__ == "__main__":
    arguments = _arguments()
    if arguments.is_quick:
        print(gateway.table(_stamped(gateway.run(is_quick=True))))
        sys.exit(0)
    sys.exit(main(arguments.names))
