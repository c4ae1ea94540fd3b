"""`dotnet test`: the TRX report, and the text it prints."""

import re
from xml.etree import ElementTree

from dce.workspace.judging.results.outcome import Counted, Outcome, Results, numbered, results

_END = re.compile(
    r"^(?:Passed|Failed|Skipped)! +- Failed: +(?P<failed>\d+), Passed: +(?P<passed>\d+), Skipped: +(?P<skipped>\d+), Total: +\d+",
    re.MULTILINE,
)
_TEST = re.compile(r"^  (?P<word>Passed|Failed|Skipped) (?P<name>\S.*?)(?: \[[<\d][^\[\]\n]*\])?$", re.MULTILINE)
_BROKEN = re.compile(r"^\S.*: error (?:CS|FS|BC|MSB|NU)\d+:", re.MULTILINE)
_WORDS: dict[str, Outcome] = {"Passed": "passed", "Failed": "failed", "Skipped": "skipped"}
_NAMESPACE = "{http://microsoft.com/schemas/VisualStudio/TeamTest/2010}"
_TRX: dict[str, Outcome] = {"Passed": "passed", "NotExecuted": "skipped", "Failed": "failed"}


def read_trx(data: bytes, folder: str = "") -> Results | None:  # noqa: ARG001 - a row of WRITTEN
    """The results in a TRX report; None if it is something else."""
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data:
        return None
    try:
        root = ElementTree.fromstring(data)  # noqa: S314 - without a document type, nothing expands
    except ElementTree.ParseError:
        return None
    if root.tag != f"{_NAMESPACE}TestRun":
        return None
    found = root.iter(f"{_NAMESPACE}UnitTestResult")
    return numbered(
        "dotnet", [(each.get("testName") or "", _TRX.get(each.get("outcome") or "", "error")) for each in found]
    )


def read_dotnet(output: str) -> Results | None:
    """The results of all test projects; None if none printed its counts."""
    ends = list(_END.finditer(output))
    if not ends:
        return results("dotnet", [("build", "error")], stop="broken") if _BROKEN.search(output) else None
    tests = [(match["name"], _WORDS[match["word"]]) for match in _TEST.finditer(output)]
    counted = Counted(
        passed=sum(int(end["passed"]) for end in ends),
        failed=sum(int(end["failed"]) for end in ends),
        skipped=sum(int(end["skipped"]) for end in ends),
    )
    return results("dotnet", tests, counted)
