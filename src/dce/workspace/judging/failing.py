"""What the checks say against an answer, as text for a model that is to correct it. Pure.

What must always hold: what fails without the answer too is left out, because the answer cannot be blamed for it; the text is bounded.
"""

import re

from dce.workspace.judging.check_report import CheckReport, CheckRun

MAX_NAMES = 30
"""Names of tests given for one check, in each list: the output has the rest."""

MAX_OUTPUT_CHARS = 6_000
"""Characters of a check's output that are given: its end, where test runners report failures; about 1,500 tokens."""

_FENCE = re.compile(r"^ {0,3}(`{3,})", re.MULTILINE)


def failing_runs(report: CheckReport) -> tuple[CheckRun, ...]:
    """The checks that fail because of the answer, or that miss tests because of it."""
    return tuple(
        run for run in report.runs if run.state != "not_run" and (run.new_failures or not (run.ok or run.fails_anyway))
    )


def failing_text(report: CheckReport, root: str) -> str:
    """The failing checks: names of the tests and the end of the output. `root`, the workspace's folder, is cut from paths in it."""
    return "\n\n".join(_section(run, root) for run in failing_runs(report))


def badness(report: CheckReport) -> tuple[int, int]:
    """How far an answer is from breaking nothing; less is better."""
    return report.new_failures, report.failed


def _section(run: CheckRun, root: str) -> str:
    how = f"hit a limit ({', '.join(run.limits)})" if run.state == "killed" else f"ended with exit code {run.exit_code}"
    lines = [f"## Check `{run.name}` {how}"]
    for what, names in (
        ("fails with this answer only", run.newly_failing or (() if run.fails_anyway else run.failures)),
        ("no longer runs", run.missing),
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
