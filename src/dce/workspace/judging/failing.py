"""What the checks say against an answer, as text for a model that is to correct it. Pure.

What must always hold: what fails without the answer too is told apart, because the answer cannot be blamed for it (but it may be what the
task asks for); the text is bounded.
"""

import re

from dce.workspace.judging.check_report import CheckReport, CheckRun

MAX_NAMES = 30
"""Names of tests given for one check, in each list: the output has the rest."""

MAX_OUTPUT_CHARS = 6_000
"""Characters of a check's output that are given: its end, where test runners report failures; about 1,500 tokens."""

_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def failing_runs(report: CheckReport) -> tuple[CheckRun, ...]:
    """The checks that fail, or that miss tests because of the answer; first those for which the answer is to blame."""
    failing = [run for run in report.runs if run.state != "not_run" and (run.new_failures or not run.ok)]
    return tuple(sorted(failing, key=lambda run: run.fails_anyway))


def failing_text(report: CheckReport, root: str) -> str:
    """The failing checks: names of the tests and the end of the output. `root`, the workspace's folder, is cut from paths in it."""
    return "\n\n".join(_section(run, root) for run in failing_runs(report))


def is_repaired(report: CheckReport, before: CheckReport) -> bool:
    """Whether nothing is left to repair: it breaks nothing, or, if that was so `before` too, every check passes."""
    return report.is_passed if before.breaks_nothing else report.breaks_nothing


def badness(report: CheckReport) -> tuple[int, int]:
    """How far an answer is from breaking nothing; less is better."""
    return report.new_failures, report.failed


def _section(run: CheckRun, root: str) -> str:
    how = f"hit a limit ({', '.join(run.limits)})" if run.state == "killed" else f"ended with exit code {run.exit_code}"
    anyway = " (it fails without the answer too)" if run.fails_anyway else ""
    lines = [f"## Check `{run.name}` {how}{anyway}"]
    rest = tuple(name for name in run.failures if name not in {*run.newly_failing, *run.missing})
    for what, names in (
        ("Fails only with the answer", run.newly_failing),
        ("No longer runs", run.missing),
        ("Fails without the answer too" if run.newly_failing or run.fails_anyway else "Fails", rest),
    ):
        if names:
            more = [f"- and {len(names) - MAX_NAMES} more"] * (len(names) > MAX_NAMES)
            lines += [f"\n{what}:", *(f"- {name}" for name in names[:MAX_NAMES]), *more]
    if run.note:
        lines += [f"\n{run.note}"]
    output = run.output.replace(f"{root.rstrip('/')}/", "").strip()[-MAX_OUTPUT_CHARS:]
    if output:
        fence = "`" * max([3, *(len(match[1]) + 1 for match in _FENCE.finditer(output))])
        lines += ["\nThe end of its output:", fence, output, fence]
    return "\n".join(lines)
